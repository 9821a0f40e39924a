//! The block of Z-Image's transformer: diffusers' `ZImageTransformerBlock`.

use super::ZImageConfig;
use crate::networks::backend::{Result, Tensor};
use crate::networks::blocks::{linear, linear_no_bias};
use crate::networks::mmdit::attention::QkvMaps;
use crate::networks::ops::{Linear, Modulation, RmsNorm, RotaryEmbedding, add_scaled, silu_gated};
use crate::networks::{Parameters, Runtime};

/// Attention and feed-forward, each between two norms and with a residual connection.
pub(super) struct Block {
    runtime: Runtime,
    /// From the time embedding to scale and gate of the attention, then of the feed-forward.
    modulation: Option<Linear>,
    qkv: QkvMaps,
    out: Linear,
    gate: Linear,
    expand: Linear,
    contract: Linear,
    /// Before and after the attention.
    attention_norms: [RmsNorm; 2],
    /// Before and after the feed-forward.
    feed_forward_norms: [RmsNorm; 2],
    heads: usize,
    width: usize,
}

impl Block {
    pub(super) fn new(vb: &Parameters, config: &ZImageConfig, is_modulated: bool) -> Result<Self> {
        let (width, hidden) = (config.dim, config.hidden());
        let norm =
            |name: &str| RmsNorm::new(vb.runtime(), &vb.pp(name).get(width, "weight")?, config.norm_eps);
        let (attention, feed_forward) = (vb.pp("attention"), vb.pp("feed_forward"));
        let modulation = is_modulated
            .then(|| linear(&vb.pp("adaLN_modulation.0"), config.modulation(), 4 * width))
            .transpose()?;
        Ok(Self {
            runtime: vb.runtime().clone(),
            modulation,
            qkv: QkvMaps::without_biases(
                &attention,
                ["to_q", "to_k", "to_v"],
                ["norm_q", "norm_k"],
                [width, config.head()],
                QK_EPS,
            )?,
            out: linear_no_bias(&attention.pp("to_out.0"), width, width)?,
            gate: linear_no_bias(&feed_forward.pp("w1"), width, hidden)?,
            expand: linear_no_bias(&feed_forward.pp("w3"), width, hidden)?,
            contract: linear_no_bias(&feed_forward.pp("w2"), hidden, width)?,
            attention_norms: [norm("attention_norm1")?, norm("attention_norm2")?],
            feed_forward_norms: [norm("ffn_norm1")?, norm("ffn_norm2")?],
            heads: config.n_heads,
            width,
        })
    }

    /// `[1, N, C] → [1, N, C]`; `time`: the time embedding, `[1, T]`, in blocks with modulation.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        time: Option<&Tensor>,
        rotary: &RotaryEmbedding,
    ) -> Result<Tensor> {
        let modulation = match (&self.modulation, time) {
            (Some(map), Some(time)) => Some(Modulation::new(&self.runtime, &map.forward(time)?, self.width)?),
            _ => None,
        };
        let scaled = |x: Tensor, index: usize| match &modulation {
            Some(modulation) => x.broadcast_mul(&(modulation.vector(index)? + 1.0)?),
            None => Ok(x),
        };
        let added = |x: &Tensor, y: &Tensor, index: usize| match &modulation {
            Some(modulation) => add_scaled(&self.runtime, x, &modulation.vector(index)?.tanh()?, y),
            None => x + y,
        };
        let [before, after] = &self.attention_norms;
        let attended = self.qkv.of_normed(&scaled(before.forward(x)?, 0)?)?.attend(
            &self.runtime,
            self.heads,
            Some(rotary),
        )?;
        let x = added(x, &after.forward(&self.out.forward(&attended)?)?, 1)?;
        let [before, after] = &self.feed_forward_norms;
        let normed = scaled(before.forward(&x)?, 2)?;
        let (gate, up) = (self.gate.forward(&normed)?, self.expand.forward(&normed)?);
        let fed = self.contract.forward(&silu_gated(&self.runtime, &gate, &up)?)?;
        added(&x, &after.forward(&fed)?, 3)
    }
}

/// Epsilon of the QK norms.
const QK_EPS: f64 = 1e-5;
