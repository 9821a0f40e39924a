//! Cross-attention to a prompt.

use super::blocks::{linear, linear_no_bias};
use super::ops::{LayerNorm, Linear, Mask, attention, normed_linears};
use super::{Parameters, Runtime};
use crate::networks::backend::{Result, Tensor};

/// Cross-attention of image tokens to text tokens.
pub(super) struct CrossAttention {
    runtime: Runtime,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

/// Cross-attention keys and values of B prompts, `[B, M, C]` each, the same at every step.
#[derive(Clone)]
pub(super) struct ContextKv {
    keys: Tensor,
    values: Tensor,
}

impl ContextKv {
    /// The number of prompts B.
    pub(super) fn batch(&self) -> Result<usize> {
        self.keys.dim(0)
    }

    /// Those of the prompt with this index, as a batch of 1.
    ///
    /// # Errors
    /// If there are fewer prompts.
    pub(super) fn one(&self, index: usize) -> Result<Self> {
        Ok(Self { keys: self.keys.narrow(0, index, 1)?, values: self.values.narrow(0, index, 1)? })
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

    /// Keys and values for hidden states `[B, M, K]` of prompts.
    pub(super) fn context_kv(&self, context: &Tensor) -> Result<ContextKv> {
        Ok(ContextKv { keys: self.key.forward(context)?, values: self.value.forward(context)? })
    }

    /// `x + attention(norm(x), context)`, `x`: `[B, N, C]` of an image of `grid` tokens, rows and columns.
    pub(super) fn forward_add(
        &self,
        x: &Tensor,
        norm: &LayerNorm,
        context: &ContextKv,
        grid: [usize; 2],
    ) -> Result<Tensor> {
        let [query] = normed_linears(&self.runtime, x, norm, [&self.query])?;
        self.runtime.token_maps().see_cross_attention(&query, &context.keys, self.heads, grid)?;
        let qkv = [&query, &context.keys, &context.values];
        self.out.forward_add(&attention(&self.runtime, qkv, self.heads, Mask::None)?, x)
    }
}
