//! Scaled dot-product attention (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>).

use super::super::Runtime;
use super::{Operation, is_native, with_values};
use crate::kernels::attention as kernels;
use crate::networks::backend::{self, Error, Result, Tensor};

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
        return Err(Error::Msg(format!("attention in {heads} heads does not fit {shapes}")));
    }
    let head_width = width / heads;
    if is_native(runtime, q) {
        let shape =
            kernels::AttentionShape { batch, queries, keys, heads, head_width, causal: mask == Mask::Causal };
        let run =
            |q: &[f32], k: &[f32]| with_values(v, |v| kernels::attention(runtime.kernels(), q, k, v, shape));
        let out = with_values(q, |q| with_values(k, |k| run(q, k)))???;
        return Tensor::from_vec(out, (batch, queries, width), q.device());
    }
    runtime.computed(Operation::Attention, backend::attention([q, k, v], heads, mask == Mask::Causal)?)
}
