//! Weights as they are stored, for packing.

use candle_core::{CpuStorage, DType, Result, Storage, Tensor};
use half::slice::HalfFloatSliceExt as _;

use crate::kernels::gemm::WeightData;

/// Whether the kernels pack this weight: f32, or the 16 bits it is stored in, on a CPU.
pub(super) fn is_packable(weight: &Tensor) -> bool {
    weight.device().is_cpu() && matches!(weight.dtype(), DType::F32 | DType::F16 | DType::BF16)
}

/// Runs `f` over a weight's values in the format of their file.
pub(super) fn with_weight<R>(weight: &Tensor, f: impl FnOnce(WeightData<'_>) -> R) -> Result<R> {
    let weight = weight.contiguous()?;
    let (storage, layout) = weight.storage_and_layout();
    let (from, to) = layout.contiguous_offsets().unwrap_or((0, 0));
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(f(WeightData::F32(&values[from..to]))),
        Storage::Cpu(CpuStorage::F16(values)) => Ok(f(WeightData::F16(values[from..to].reinterpret_cast()))),
        Storage::Cpu(CpuStorage::BF16(values)) => {
            Ok(f(WeightData::Bf16(values[from..to].reinterpret_cast())))
        }
        _ => {
            let found = weight.dtype();
            Err(candle_core::Error::Msg(format!("weights of {found:?} cannot be packed")))
        }
    }
}
