//! Stored weights in the formats that the kernels and the backends take.

use half::{bf16, f16};

use crate::kernels::dequantise::decode_blocks;
use crate::kernels::gemm::WeightData;
use crate::networks::Runtime;
use crate::networks::backend::{DType, Device, Matrix, Result, Tensor};
use crate::weights::{StoredTensor, WeightDtype, WeightView};

/// Whether operations with weights use the native backend on this runtime.
pub(super) fn packs(runtime: &Runtime) -> bool {
    runtime.is_on_processor() && runtime.dtype() == DType::F32
}

/// Runs `f` on a matrix in its stored format; a block-quantised one whose rows are not whole blocks is converted as by
/// [`with_values_of`].
pub(super) fn with_matrix<R>(weight: WeightView<'_>, f: impl FnOnce(WeightData<'_>) -> R) -> R {
    let rows_are_whole =
        weight.shape.last().is_some_and(|columns| columns.is_multiple_of(weight.dtype.block_values()));
    match weight.dtype {
        WeightDtype::Block(format) if rows_are_whole => {
            let scales = match weight.scales {
                [one] => vec![*one; weight.shape[0]],
                scales => scales.to_vec(),
            };
            f(WeightData::Blocks { format, bytes: weight.bytes, scales: &scales })
        }
        _ => with_values_of(weight, f),
    }
}

/// Runs `f` on a weight with a scalar format: its stored one or, if it is block-quantised, f16 where its range
/// suffices, and otherwise f32.
pub(super) fn with_values_of<R>(weight: WeightView<'_>, f: impl FnOnce(WeightData<'_>) -> R) -> R {
    match weight.dtype {
        WeightDtype::F32 => f(WeightData::F32(bytemuck::cast_slice(weight.bytes))),
        WeightDtype::F16 => f(WeightData::F16(bytemuck::cast_slice(weight.bytes))),
        WeightDtype::Bf16 => f(WeightData::Bf16(bytemuck::cast_slice(weight.bytes))),
        WeightDtype::F64 => f(WeightData::F32(&f32_values(weight))),
        WeightDtype::Block(_) => {
            // The quantised values fit f16, but their products with the scales may overflow it.
            let values = f32_values(weight);
            if values.iter().all(|value| value.abs() <= f16::MAX.to_f32()) {
                let bits: Vec<u16> = values.iter().map(|value| f16::from_f32(*value).to_bits()).collect();
                f(WeightData::F16(&bits))
            } else {
                f(WeightData::F32(&values))
            }
        }
    }
}

/// A weight's values in f32.
pub(super) fn f32_values(weight: WeightView<'_>) -> Vec<f32> {
    let halves = || bytemuck::cast_slice::<u8, u16>(weight.bytes).iter();
    match weight.dtype {
        WeightDtype::F64 => {
            bytemuck::cast_slice::<u8, f64>(weight.bytes).iter().map(|value| *value as f32).collect()
        }
        WeightDtype::F32 => bytemuck::cast_slice(weight.bytes).to_vec(),
        WeightDtype::F16 => halves().map(|bits| f16::from_bits(*bits).to_f32()).collect(),
        WeightDtype::Bf16 => halves().map(|bits| bf16::from_bits(*bits).to_f32()).collect(),
        WeightDtype::Block(format) => {
            let mut values = vec![0.0; weight.shape.iter().product()];
            decode_blocks(format, weight.bytes, &mut values);
            if !weight.scales.is_empty() {
                let row = (values.len() / weight.scales.len()).max(1);
                for (row, scale) in values.chunks_exact_mut(row).zip(weight.scales) {
                    for value in row {
                        *value *= scale;
                    }
                }
            }
            values
        }
    }
}

/// A stored tensor on a runtime's device in its dtype.
pub(in crate::networks) fn tensor(runtime: &Runtime, stored: &StoredTensor) -> Result<Tensor> {
    let view = stored.view();
    let tensor = match view.dtype {
        // Converted from f64 to the dtype directly, without rounding to f32 first.
        WeightDtype::F64 => {
            let values: Vec<f64> = bytemuck::cast_slice(view.bytes).to_vec();
            Tensor::from_vec(values, view.shape, &Device::Cpu)?
        }
        _ => Tensor::from_vec(f32_values(view), view.shape, &Device::Cpu)?,
    };
    tensor.to_dtype(runtime.dtype())?.to_device(runtime.device())
}

/// A stored matrix `[O, I]` on a runtime's device: in its blocks where the device computes with them, and otherwise in
/// the runtime's dtype.
pub(super) fn matrix(runtime: &Runtime, stored: &StoredTensor) -> Result<Matrix> {
    let view = stored.view();
    if let (WeightDtype::Block(format), &[outputs, inputs], []) = (view.dtype, view.shape, view.scales)
        && let Some(kept) = Matrix::quantised(format, view.bytes, [outputs, inputs], runtime.device())?
    {
        return Ok(kept);
    }
    Ok(Matrix::plain(tensor(runtime, stored)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::BlockFormat;

    #[test]
    fn values_beyond_f16_stay_in_f32() {
        // A block of q8_0: the largest scale, times 1 and 2.
        let mut block = [1_u8; 34];
        block[..2].copy_from_slice(&f16::MAX.to_le_bytes());
        let stored = StoredTensor::copied(WeightDtype::Block(BlockFormat::Q8_0), &[1, 32], &block);
        with_values_of(stored.view(), |data| assert!(matches!(data, WeightData::F16(_))));
        block[33] = 2;
        let stored = StoredTensor::copied(WeightDtype::Block(BlockFormat::Q8_0), &[1, 32], &block);
        with_values_of(stored.view(), |data| {
            assert!(matches!(data, WeightData::F32(values) if values[31] == 131_008.0));
        });
    }
}
