//! The block of FLUX.3's transformer, of one stream or of several with the same weights: attention and feed-forward run
//! in parallel on one norm. diffusers' `Flux3ModeTransformerBlock` and `Flux3SingleTransformerBlock`.

use super::Flux3Config;
use crate::networks::backend::{Result, Tensor};
use crate::networks::blocks::linear_no_bias;
use crate::networks::mmdit::attention::QkvMaps;
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, add_scaled, silu_gated};
use crate::networks::{Parameters, Runtime};

/// The block.
pub(super) struct Block {
    runtime: Runtime,
    qkv: QkvMaps,
    out: Linear,
    expand: Linear,
    contract: Linear,
    heads: usize,
    eps: f64,
}

impl Block {
    pub(super) fn new(vb: &Parameters, config: &Flux3Config) -> Result<Self> {
        let (width, hidden) = (config.width(), config.hidden_width());
        let (attention, feed_forward) = (vb.pp("attn"), vb.pp("ff"));
        let (maps, norms) = (["to_q", "to_k", "to_v"], ["norm_q", "norm_k"]);
        let size = [width, config.attention_head_dim];
        Ok(Self {
            runtime: vb.runtime().clone(),
            qkv: QkvMaps::without_biases(&attention, maps, norms, size, config.eps)?,
            out: linear_no_bias(&attention.pp("to_out.0"), width, width)?,
            expand: linear_no_bias(&feed_forward.pp("linear_in"), width, 2 * hidden)?,
            contract: linear_no_bias(&feed_forward.pp("linear_out"), hidden, width)?,
            heads: config.num_attention_heads,
            eps: config.eps,
        })
    }

    /// The streams' tokens, `[1, N, C]` each, that attend to each other. `modulations`: shift, scale and gate of each
    /// stream; `rotary`: of all tokens, in the order of the streams.
    pub(super) fn forward<const STREAMS: usize>(
        &self,
        streams: &[Tensor; STREAMS],
        modulations: [&Modulation; STREAMS],
        rotary: &RotaryEmbedding,
    ) -> Result<[Tensor; STREAMS]> {
        let mut normed = Vec::with_capacity(STREAMS);
        for (x, modulation) in streams.iter().zip(modulations) {
            normed.push(modulation.norm(0, 1, self.eps)?.forward(x)?);
        }
        let normed = Tensor::cat(&normed, 1)?;
        let attended = self.qkv.of_normed(&normed)?.attend(&self.runtime, self.heads, Some(rotary))?;
        let hidden = self.expand.forward(&normed)?;
        drop(normed);
        let half = hidden.dim(2)? / 2;
        let hidden = silu_gated(&self.runtime, &hidden.narrow(2, 0, half)?, &hidden.narrow(2, half, half)?)?;
        let out = self.contract.forward_add(&hidden, &self.out.forward(&attended)?)?;
        let mut from = 0;
        let mut sums = streams.clone();
        for (x, modulation) in sums.iter_mut().zip(modulations) {
            let tokens = x.dim(1)?;
            let of_stream = out.narrow(1, from, tokens)?.contiguous()?;
            *x = add_scaled(&self.runtime, x, &modulation.vector(2)?, &of_stream)?;
            from += tokens;
        }
        Ok(sums)
    }
}
