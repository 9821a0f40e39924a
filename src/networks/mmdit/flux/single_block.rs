//! The block of FLUX.1's transformer that has one stream.

use candle_core::{Result, Tensor};

use super::FluxConfig;
use crate::networks::blocks::linear;
use crate::networks::mmdit::attention::QkvMaps;
use crate::networks::mmdit::joint_block::{EPS, MLP_RATIO};
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, add_scaled, gelu_tanh, normed_linears};
use crate::networks::{Parameters, Runtime};

/// A block with one stream, whose attention and feed-forward run side by side: diffusers'
/// `FluxSingleTransformerBlock`.
pub(super) struct SingleBlock {
    runtime: Runtime,
    modulation: Linear,
    qkv: QkvMaps,
    expand: Linear,
    out: Linear,
    heads: usize,
    width: usize,
}

impl SingleBlock {
    pub(super) fn new(vb: &Parameters, config: &FluxConfig) -> Result<Self> {
        let (width, hidden) = (config.width(), MLP_RATIO * config.width());
        let size = [width, config.attention_head_dim];
        Ok(Self {
            runtime: vb.runtime().clone(),
            modulation: linear(&vb.pp("norm.linear"), width, 3 * width)?,
            qkv: QkvMaps::new(&vb.pp("attn"), ["to_q", "to_k", "to_v"], Some(["norm_q", "norm_k"]), size)?,
            expand: linear(&vb.pp("proj_mlp"), width, hidden)?,
            out: linear(&vb.pp("proj_out"), width + hidden, width)?,
            heads: config.num_attention_heads,
            width,
        })
    }

    /// `[1, N, C] → [1, N, C]`; `vector`: `[1, C]`.
    pub(super) fn forward(&self, x: &Tensor, vector: &Tensor, rotary: &RotaryEmbedding) -> Result<Tensor> {
        let modulation = Modulation::new(&self.runtime, &self.modulation.forward(vector)?, self.width)?;
        let norm = modulation.norm(0, 1, EPS)?;
        let qkv = self.qkv.forward(x, &norm)?;
        let [hidden] = normed_linears(&self.runtime, x, &norm, [&self.expand])?;
        let attended = qkv.attend(&self.runtime, self.heads, Some(rotary))?;
        drop(qkv);
        let hidden = gelu_tanh(&self.runtime, &hidden)?;
        let out = self.out.forward(&Tensor::cat(&[&attended, &hidden], 2)?)?;
        add_scaled(&self.runtime, x, &modulation.vector(2)?, &out)
    }
}
