//! Scaled dot-product attention (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>).

use candle_core::{D, DType, Result, Tensor};

use super::super::Runtime;
use super::{is_native, with_values};
use crate::kernels::attention as kernels;

/// The attention mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// No mask: each query attends to all keys.
    None,
    /// Causal: each query attends to the keys up to its own position.
    Causal,
}

/// `softmax(q·kᵀ / √D)·v` in `heads` heads. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
///
/// # Errors
/// If shapes do not fit.
pub fn attention(runtime: &Runtime, [q, k, v]: [&Tensor; 3], heads: usize, mask: Mask) -> Result<Tensor> {
    let (batch, queries, width) = q.dims3()?;
    let keys = k.dim(1)?;
    if heads == 0 || !width.is_multiple_of(heads) || k.dims() != [batch, keys, width] || v.dims() != k.dims()
    {
        let shapes = format!("{:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
        return Err(candle_core::Error::Msg(format!("attention in {heads} heads does not fit {shapes}")));
    }
    let head_width = width / heads;
    if is_native(q) {
        let shape =
            kernels::AttentionShape { batch, queries, keys, heads, head_width, causal: mask == Mask::Causal };
        let run =
            |q: &[f32], k: &[f32]| with_values(v, |v| kernels::attention(runtime.kernels(), q, k, v, shape));
        let out = with_values(q, |q| with_values(k, |k| run(q, k)))???;
        return Tensor::from_vec(out, (batch, queries, width), q.device());
    }
    let rows = (MAX_LOGITS / (batch * heads * keys).max(1)).max(1);
    let out = attention_by_rows(
        [&split_heads(q, heads)?, &split_heads(k, heads)?, &split_heads(v, heads)?],
        mask,
        rows,
    )?;
    out.transpose(1, 2)?.reshape((batch, queries, width))
}

/// `[B, N, H·D] → [B, H, N, D]`, contiguous.
pub(super) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, tokens, width) = x.dims3()?;
    x.reshape((batch, tokens, heads, width / heads))?.transpose(1, 2)?.contiguous()
}

/// Most logits that candle's operations hold at once.
const MAX_LOGITS: usize = 1 << 26;

/// Attention of `q` `[B, H, N, D]` to `k` and `v` `[B, H, M, D]`, for `rows` queries at a time: `[B, H, N, D]`.
fn attention_by_rows([q, k, v]: [&Tensor; 3], mask: Mask, rows: usize) -> Result<Tensor> {
    let (_, _, queries, head_width) = q.dims4()?;
    let scale = 1.0 / (head_width as f64).sqrt();
    let transposed_keys = k.to_dtype(DType::F32)?.transpose(2, 3)?.contiguous()?;
    let part = |first: usize| {
        // Dot products of long rows overflow f16: the logits are computed in f32.
        let q = q.narrow(2, first, rows.min(queries - first))?.contiguous()?.to_dtype(DType::F32)?;
        let mut scores = (q * scale)?.matmul(&transposed_keys)?;
        if mask == Mask::Causal {
            scores =
                scores.broadcast_add(&causal_mask(first, scores.dim(2)?, scores.dim(3)?, v.device())?)?;
        }
        scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
        let weights = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
        weights.to_dtype(v.dtype())?.matmul(v)
    };
    if queries <= rows {
        return part(0);
    }
    Tensor::cat(&(0..queries).step_by(rows).map(part).collect::<Result<Vec<_>>>()?, 2)
}

/// The mask that is added to the logits of `queries` queries, from the `first` on: `[1, 1, queries, keys]`.
fn causal_mask(first: usize, queries: usize, keys: usize, device: &candle_core::Device) -> Result<Tensor> {
    let mut values = vec![0.0_f32; queries * keys];
    for (row, values) in values.chunks_exact_mut(keys.max(1)).enumerate() {
        values[(first + row + 1).min(keys)..].fill(f32::NEG_INFINITY);
    }
    Tensor::from_vec(values, (1, 1, queries, keys), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_by_rows_equals_attention_at_once() {
        let values: Vec<f32> = (0..2 * 3 * 7 * 4).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let x = Tensor::from_vec(values, (2, 3, 7, 4), &candle_core::Device::Cpu).unwrap();
        for mask in [Mask::None, Mask::Causal] {
            let values = |rows| {
                let out = attention_by_rows([&x, &x, &x], mask, rows).unwrap();
                out.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            };
            for (part, whole) in values(3).iter().zip(values(7)) {
                assert!((part - whole).abs() < 1e-6, "{mask:?}: {part} for {whole}");
            }
        }
    }
}
