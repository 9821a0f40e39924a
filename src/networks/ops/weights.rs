//! Weights as they are stored, for packing and for lookups.

use candle_core::{DType, Device, Result, Tensor};
use half::{bf16, f16};

use crate::kernels::gemm::WeightData;
use crate::networks::Runtime;
use crate::weights::{StoredTensor, WeightDtype, WeightView};

/// Whether the kernels compute with weights on this runtime.
pub(super) fn packs(runtime: &Runtime) -> bool {
    runtime.device().is_cpu() && runtime.dtype() == DType::F32
}

/// Runs `f` over a weight's values in the format of their file, or in f32 where the kernels do not take that.
pub(super) fn with_weight<R>(weight: WeightView<'_>, f: impl FnOnce(WeightData<'_>) -> R) -> R {
    match weight.dtype {
        WeightDtype::F32 => f(WeightData::F32(bytemuck::cast_slice(weight.bytes))),
        WeightDtype::F16 => f(WeightData::F16(bytemuck::cast_slice(weight.bytes))),
        WeightDtype::Bf16 => f(WeightData::Bf16(bytemuck::cast_slice(weight.bytes))),
        WeightDtype::F64 => f(WeightData::F32(&f32_values(weight))),
    }
}

/// The values in f32.
pub(super) fn f32_values(weight: WeightView<'_>) -> Vec<f32> {
    let halves = || bytemuck::cast_slice::<u8, u16>(weight.bytes).iter();
    match weight.dtype {
        WeightDtype::F32 => bytemuck::cast_slice(weight.bytes).to_vec(),
        WeightDtype::F64 => {
            bytemuck::cast_slice::<u8, f64>(weight.bytes).iter().map(|value| *value as f32).collect()
        }
        WeightDtype::F16 => halves().map(|bits| f16::from_bits(*bits).to_f32()).collect(),
        WeightDtype::Bf16 => halves().map(|bits| bf16::from_bits(*bits).to_f32()).collect(),
    }
}

/// A stored tensor on a runtime's device in its number format.
pub(in crate::networks) fn tensor(runtime: &Runtime, stored: &StoredTensor) -> Result<Tensor> {
    let view = stored.view();
    let tensor = match view.dtype {
        // f64 keeps what f32 would round.
        WeightDtype::F64 => {
            let values: Vec<f64> = bytemuck::cast_slice(view.bytes).to_vec();
            Tensor::from_vec(values, view.shape, &Device::Cpu)?
        }
        _ => Tensor::from_vec(f32_values(view), view.shape, &Device::Cpu)?,
    };
    tensor.to_dtype(runtime.dtype())?.to_device(runtime.device())
}
