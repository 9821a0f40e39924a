//! Attention over a prompt.

use candle_core::{Result, Tensor};

use super::blocks::{linear, linear_no_bias};
use super::ops::{LayerNorm, Linear, Mask, attention, normed_linears};
use super::{Parameters, Runtime};

/// Attention of an image's tokens over a prompt's.
pub(super) struct CrossAttention {
    runtime: Runtime,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

/// Keys and values of B prompts, `[B, M, C]` each: the same at every step.
#[derive(Clone)]
pub(super) struct ContextKv {
    keys: Tensor,
    values: Tensor,
}

impl ContextKv {
    /// Number of prompts.
    pub(super) fn batch(&self) -> Result<usize> {
        self.keys.dim(0)
    }

    /// One of the prompts.
    ///
    /// # Errors
    /// If there are fewer.
    pub(super) fn one(&self, number: usize) -> Result<Self> {
        Ok(Self { keys: self.keys.narrow(0, number, 1)?, values: self.values.narrow(0, number, 1)? })
    }
}

impl CrossAttention {
    pub(super) fn new(vb: &Parameters, width: usize, context_width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            runtime: vb.runtime().clone(),
            query: linear_no_bias(&vb.pp("to_q"), width, width)?,
            key: linear_no_bias(&vb.pp("to_k"), context_width, width)?,
            value: linear_no_bias(&vb.pp("to_v"), context_width, width)?,
            out: linear(&vb.pp("to_out.0"), width, width)?,
            heads,
        })
    }

    /// Keys and values of prompts `[B, M, K]`.
    pub(super) fn context_kv(&self, context: &Tensor) -> Result<ContextKv> {
        Ok(ContextKv { keys: self.key.forward(context)?, values: self.value.forward(context)? })
    }

    /// `x + attention(norm(x), context)`, `x`: `[B, N, C]`.
    pub(super) fn forward_add(&self, x: &Tensor, norm: &LayerNorm, context: &ContextKv) -> Result<Tensor> {
        let [query] = normed_linears(&self.runtime, x, norm, [&self.query])?;
        let qkv = [&query, &context.keys, &context.values];
        self.out.forward_add(&attention(&self.runtime, qkv, self.heads, Mask::None)?, x)
    }
}
