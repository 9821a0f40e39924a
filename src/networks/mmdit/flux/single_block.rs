//! FLUX.1's single-stream block.

use crate::networks::backend::{Error, Result, Tensor};
use crate::networks::blocks::linear;
use crate::networks::mmdit::attention::QkvMaps;
use crate::networks::mmdit::joint_block::{EPS, MLP_RATIO};
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, add_scaled, gelu_tanh, normed_linears};
use crate::networks::{Parameters, Runtime};

/// A block with one stream of text and image tokens and parallel attention and feed-forward: diffusers'
/// `FluxSingleTransformerBlock`.
pub(in crate::networks::mmdit) struct SingleBlock {
    runtime: Runtime,
    /// From the conditioning vector to shift, scale and gate, in blocks that compute them themselves.
    modulation: Option<Linear>,
    qkv: QkvMaps,
    expand: Linear,
    out: Linear,
    heads: usize,
    width: usize,
}

impl SingleBlock {
    pub(in crate::networks::mmdit) fn new(
        vb: &Parameters,
        width: usize,
        heads: usize,
        has_own_modulation: bool,
    ) -> Result<Self> {
        let hidden = MLP_RATIO * width;
        let (maps, norms) = (["to_q", "to_k", "to_v"], ["norm_q", "norm_k"]);
        let modulation = || linear(&vb.pp("norm.linear"), width, 3 * width);
        Ok(Self {
            runtime: vb.runtime().clone(),
            modulation: has_own_modulation.then(modulation).transpose()?,
            qkv: QkvMaps::new(&vb.pp("attn"), maps, Some(norms), [width, width / heads])?,
            expand: linear(&vb.pp("proj_mlp"), width, hidden)?,
            out: linear(&vb.pp("proj_out"), width + hidden, width)?,
            heads,
            width,
        })
    }

    /// `[1, N, C] → [1, N, C]`; `vector`: the conditioning, `[1, C]`.
    pub(super) fn forward(&self, x: &Tensor, vector: &Tensor, rotary: &RotaryEmbedding) -> Result<Tensor> {
        let Some(map) = &self.modulation else {
            return Err(Error::Msg("a block without a modulation of its own needs one".to_owned()));
        };
        let modulation = Modulation::new(&self.runtime, &map.forward(vector)?, self.width)?;
        self.forward_modulated(x, &modulation, rotary)
    }

    /// The same with given shift, scale and gate.
    pub(in crate::networks::mmdit) fn forward_modulated(
        &self,
        x: &Tensor,
        modulation: &Modulation,
        rotary: &RotaryEmbedding,
    ) -> Result<Tensor> {
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
