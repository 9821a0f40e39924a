//! Devices and dtypes.

use candle_core::{DType, Device};

use super::{ModelError, ModelSettings};
use crate::networks::{KernelContext, Precision, Runtime};
use crate::request::{DeviceChoice, DtypeChoice};

/// Opens the device of a choice, as this machine and this build allow.
fn open_device(choice: DeviceChoice) -> Result<Device, ModelError> {
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

/// Opens the runtime of the settings: device, dtype, threads and instruction set.
///
/// # Errors
/// [`ModelError::Device`] if the machine or the build lacks the device, or the device does not support the dtype.
pub(super) fn open_runtime(settings: ModelSettings) -> Result<Runtime, ModelError> {
    open(settings, DType::F16)
}

/// [`open_runtime`] for networks whose activations overflow f16: on a GPU, `f16` and `auto` mean bf16.
pub(super) fn open_runtime_of_wide_range(settings: ModelSettings) -> Result<Runtime, ModelError> {
    open(settings, DType::BF16)
}

/// `half`: the 16-bit dtype that `f16` and, on a GPU, `auto` mean.
fn open(settings: ModelSettings, half: DType) -> Result<Runtime, ModelError> {
    let device = open_device(settings.device)?;
    let dtype = choose_dtype(settings.dtype, &device, half)?;
    // On the CPU only the operands of matrix products are rounded to bf16; everything else stays in f32.
    let precision = if settings.dtype == DtypeChoice::Bf16 && device.is_cpu() {
        Precision::Bf16
    } else {
        Precision::Full
    };
    let kernels = KernelContext::new(settings.instructions.unwrap_or_default(), precision, settings.threads);
    Ok(Runtime::new(device, dtype, kernels))
}

/// The dtype of activations on a device.
fn choose_dtype(choice: DtypeChoice, device: &Device, half: DType) -> Result<DType, ModelError> {
    match (choice, device) {
        (DtypeChoice::F16, Device::Cpu) => Err(ModelError::Device(
            "f16 is slower than f32 on a processor and is not supported there: choose auto, f32 or bf16"
                .into(),
        )),
        (DtypeChoice::F32, _) | (DtypeChoice::Auto | DtypeChoice::Bf16, Device::Cpu) => Ok(DType::F32),
        (DtypeChoice::F16 | DtypeChoice::Auto, _) => Ok(half),
        (DtypeChoice::Bf16, _) => Ok(DType::BF16),
    }
}

/// A runtime's device and dtype, for display.
pub(super) fn device_name(runtime: &Runtime) -> String {
    let dtype = runtime.dtype();
    match runtime.device() {
        Device::Cpu if runtime.multiplies_bf16() => "Processor, bf16 matrices".to_owned(),
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
