//! The runtime of a model: an opened device, the dtype of the activations, the kernels.

use super::{ModelError, ModelSettings};
use crate::networks::backend::DType;
use crate::networks::{KernelContext, Precision, Runtime};
use crate::request::DtypeChoice;

/// The range of values that a network's activations need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    /// That of f16, which has three more bits than bf16: the better format for such a network on every GPU, and at least
    /// as fast.
    OfF16,
    /// That of f32, which bf16 has too.
    OfF32,
}

/// Opens the runtime of the settings: device, dtype, threads and instruction set.
///
/// # Errors
/// [`ModelError::Device`] if the machine or the build lacks the device, or the device does not support the dtype.
pub(super) fn open_runtime(settings: ModelSettings) -> Result<Runtime, ModelError> {
    open(settings, Range::OfF16)
}

/// [`open_runtime`] for networks whose activations overflow f16: on a GPU, `f16` and `auto` mean bf16, or f32 where the
/// GPU has no bf16.
pub(super) fn open_runtime_of_wide_range(settings: ModelSettings) -> Result<Runtime, ModelError> {
    open(settings, Range::OfF32)
}

fn open(settings: ModelSettings, range: Range) -> Result<Runtime, ModelError> {
    let device = settings.devices.0.open(settings.device)?;
    let is_processor = device.is_processor();
    let dtype = if is_processor {
        dtype_of_processor(settings.dtype)?
    } else {
        dtype_of_gpu(settings.dtype, range, device.has_bf16())?
    };
    // On the CPU only the operands of matrix products are rounded to bf16; everything else stays in f32.
    let precision =
        if settings.dtype == DtypeChoice::Bf16 && is_processor { Precision::Bf16 } else { Precision::Full };
    let kernels = KernelContext::new(settings.instructions.unwrap_or_default(), precision, settings.threads);
    Ok(Runtime::on(device, dtype, kernels))
}

/// The dtype of activations on the processor.
fn dtype_of_processor(choice: DtypeChoice) -> Result<DType, ModelError> {
    match choice {
        DtypeChoice::F16 => Err(ModelError::Device(
            "f16 is slower than f32 on a processor and is not supported there: choose auto, f32 or bf16"
                .into(),
        )),
        DtypeChoice::F32 | DtypeChoice::Auto | DtypeChoice::Bf16 => Ok(DType::F32),
    }
}

/// The dtype of activations on a GPU.
fn dtype_of_gpu(choice: DtypeChoice, range: Range, has_bf16: bool) -> Result<DType, ModelError> {
    match (choice, range) {
        (DtypeChoice::Bf16, _) if !has_bf16 => Err(ModelError::Device(
            "this GPU does not compute in bf16 (NVIDIA's do from the Ampere generation on): choose auto, f16 or \
             f32"
                .into(),
        )),
        (DtypeChoice::Bf16, _) => Ok(DType::BF16),
        (DtypeChoice::F16 | DtypeChoice::Auto, Range::OfF16) => Ok(DType::F16),
        (DtypeChoice::F16 | DtypeChoice::Auto, Range::OfF32) if has_bf16 => Ok(DType::BF16),
        (DtypeChoice::F32, _) | (DtypeChoice::F16 | DtypeChoice::Auto, Range::OfF32) => Ok(DType::F32),
    }
}

/// A runtime's device and dtype, for display.
pub(super) fn device_name(runtime: &Runtime) -> String {
    if runtime.multiplies_bf16() {
        return "Processor, bf16 matrices".to_owned();
    }
    format!("{}, {}", runtime.device_name(), runtime.dtype().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_computes_in_16_bits_whose_range_suffices() {
        let of = |choice, range, has_bf16| dtype_of_gpu(choice, range, has_bf16).ok();
        for choice in [DtypeChoice::Auto, DtypeChoice::F16] {
            assert_eq!(of(choice, Range::OfF16, true), Some(DType::F16));
            assert_eq!(of(choice, Range::OfF16, false), Some(DType::F16));
            assert_eq!(of(choice, Range::OfF32, true), Some(DType::BF16));
            assert_eq!(of(choice, Range::OfF32, false), Some(DType::F32));
        }
        assert_eq!(of(DtypeChoice::F32, Range::OfF16, true), Some(DType::F32));
        assert_eq!(of(DtypeChoice::Bf16, Range::OfF16, true), Some(DType::BF16));
        let error = dtype_of_gpu(DtypeChoice::Bf16, Range::OfF16, false).unwrap_err().to_string();
        assert!(error.contains("does not compute in bf16"), "{error}");
        assert!(dtype_of_processor(DtypeChoice::F16).is_err());
    }
}
