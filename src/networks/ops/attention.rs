//! Scaled dot-product attention (Vaswani et al. 2017).

use candle_core::{D, DType, Result, Tensor};

use super::cpu::attention::AttentionShape;
use super::{cpu, is_fast, with_values};

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All.
    None,
    /// Those up to its own place.
    Causal,
}

/// `softmax(q·kᵀ / √D)·v` in `heads` heads. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, mask: Mask) -> Result<Tensor> {
    let (batch, queries, width) = q.dims3()?;
    let keys = k.dim(1)?;
    if heads == 0 || !width.is_multiple_of(heads) || k.dims() != [batch, keys, width] || v.dims() != k.dims()
    {
        let shapes = format!("{:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
        return Err(candle_core::Error::Msg(format!("attention in {heads} heads does not fit {shapes}")));
    }
    let head_width = width / heads;
    if is_fast(q) {
        let shape = AttentionShape {
            batch,
            queries,
            keys,
            heads,
            head_width,
            causal: mask == Mask::Causal,
            pairs: false,
        };
        let run = |q: &[f32], k: &[f32]| with_values(v, |v| cpu::attention::attention(q, k, v, shape));
        let out = with_values(q, |q| with_values(k, |k| run(q, k)))???;
        return Tensor::from_vec(out, (batch, queries, width), q.device());
    }
    let split =
        |t: &Tensor, n: usize| t.reshape((batch, n, heads, head_width))?.transpose(1, 2)?.contiguous();
    let (split_q, split_k, split_v) = (split(q, queries)?, split(k, keys)?, split(v, keys)?);
    let scale = 1.0 / (head_width as f64).sqrt();
    // f16 products of long rows overflow: the scores are computed in f32.
    let scores = (split_q.to_dtype(DType::F32)? * scale)?
        .matmul(&split_k.to_dtype(DType::F32)?.transpose(2, 3)?.contiguous()?)?;
    let scores = match mask {
        Mask::None => scores,
        Mask::Causal => scores.broadcast_add(&causal_mask(queries, keys, scores.device())?)?,
    };
    let stable = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let weights = stable.broadcast_div(&stable.sum_keepdim(D::Minus1)?)?.to_dtype(q.dtype())?;
    weights.matmul(&split_v)?.transpose(1, 2)?.reshape((batch, queries, width))
}

fn causal_mask(queries: usize, keys: usize, device: &candle_core::Device) -> Result<Tensor> {
    let values: Vec<f32> = (0..queries)
        .flat_map(|q| (0..keys).map(move |k| if k > q { f32::NEG_INFINITY } else { 0.0 }))
        .collect();
    Tensor::from_vec(values, (1, 1, queries, keys), device)
}
