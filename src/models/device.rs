//! Devices and number formats.

use candle_core::{DType, Device};

use super::{ModelError, ModelSettings};
use crate::networks::ops::{Precision, matrix_precision, set_matrix_precision};
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

/// The number format of the networks on a device; on a processor also that of the matrices in products.
pub(super) fn choose_dtype(settings: ModelSettings, device: &Device) -> Result<DType, ModelError> {
    let bf16_matrices = settings.dtype == DtypeChoice::Bf16 && device.is_cpu();
    set_matrix_precision(if bf16_matrices { Precision::Bf16 } else { Precision::F32 });
    match (settings.dtype, device) {
        (DtypeChoice::F16, Device::Cpu) => Err(ModelError::Device(
            "f16 is slower than f32 on a processor and is not supported there: choose auto, f32 or bf16"
                .into(),
        )),
        // What is not a matrix product stays in f32.
        (DtypeChoice::F32, _) | (DtypeChoice::Auto | DtypeChoice::Bf16, Device::Cpu) => Ok(DType::F32),
        (DtypeChoice::F16 | DtypeChoice::Auto, _) => Ok(DType::F16),
        (DtypeChoice::Bf16, _) => Ok(DType::BF16),
    }
}

/// A device's name for people.
pub(super) fn device_name(device: &Device, dtype: DType) -> String {
    match device {
        Device::Cpu if matrix_precision() == Precision::Bf16 => "Processor, bf16 matrices".to_owned(),
        Device::Cpu => format!("Processor, {}", dtype.as_str()),
        Device::Cuda(_) => format!("NVIDIA GPU, {}", dtype.as_str()),
        Device::Metal(_) => format!("Apple GPU, {}", dtype.as_str()),
    }
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
