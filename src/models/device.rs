//! Devices and number formats.

use candle_core::{DType, Device};

use super::{ModelError, ModelSettings};
use crate::request::{DeviceChoice, DtypeChoice};

/// The device a choice means on this machine, in this build.
pub(super) fn open_device(choice: DeviceChoice) -> Result<Device, ModelError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto => Ok(first_gpu().unwrap_or(Device::Cpu)),
        DeviceChoice::Cuda(index) => {
            if !candle_core::utils::cuda_is_available() {
                return Err(no_device("CUDA", "cuda"));
            }
            Device::new_cuda(index)
                .map_err(|error| ModelError::Device(format!("CUDA device {index}: {error}")))
        }
        DeviceChoice::Metal => {
            if !candle_core::utils::metal_is_available() {
                return Err(no_device("Metal", "metal"));
            }
            Device::new_metal(0).map_err(|error| ModelError::Device(format!("Metal: {error}")))
        }
    }
}

fn no_device(name: &str, feature: &str) -> ModelError {
    ModelError::Device(format!(
        "this build has no {name}: build with --features {feature}, or choose the processor (--device cpu)"
    ))
}

fn first_gpu() -> Option<Device> {
    if candle_core::utils::cuda_is_available() {
        return Device::new_cuda(0).ok();
    }
    if candle_core::utils::metal_is_available() {
        return Device::new_metal(0).ok();
    }
    None
}

/// The number format of the networks on a device.
pub(super) fn choose_dtype(settings: ModelSettings, device: &Device) -> Result<DType, ModelError> {
    match (settings.dtype, device) {
        (DtypeChoice::F32, _) | (DtypeChoice::Auto, Device::Cpu) => Ok(DType::F32),
        (DtypeChoice::F16 | DtypeChoice::Bf16, Device::Cpu) => Err(ModelError::Device(
            "half precision is slower than f32 on a processor and is not supported there: choose auto or f32"
                .into(),
        )),
        (DtypeChoice::F16 | DtypeChoice::Auto, _) => Ok(DType::F16),
        (DtypeChoice::Bf16, _) => Ok(DType::BF16),
    }
}

/// A device's name for people.
pub(super) fn device_name(device: &Device, dtype: DType) -> String {
    let place = match device {
        Device::Cpu => "Processor",
        Device::Cuda(_) => "NVIDIA GPU",
        Device::Metal(_) => "Apple GPU",
    };
    format!("{place}, {}", dtype.as_str())
}

/// The devices this build can use on this machine.
pub fn describe_devices() -> Vec<DeviceChoice> {
    let mut devices = vec![DeviceChoice::Auto, DeviceChoice::Cpu];
    if candle_core::utils::cuda_is_available() {
        devices.push(DeviceChoice::Cuda(0));
    }
    if candle_core::utils::metal_is_available() {
        devices.push(DeviceChoice::Metal);
    }
    devices
}
