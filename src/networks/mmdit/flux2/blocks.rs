//! The blocks of FLUX.2's transformer, without biases and without modulation layers: all blocks of a kind share one
//! modulation.

use super::Flux2Config;
use crate::networks::backend::{Result, Tensor};
use crate::networks::blocks::linear_no_bias;
use crate::networks::mmdit::attention::{HeadNorms, QkvMaps};
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, add_scaled, normed_linears, silu_gated};
use crate::networks::{Parameters, Runtime};

/// `silu(gate) · up` of the two halves of `x`, `[1, N, 2·F] → [1, N, F]`.
fn swiglu(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    let width = x.dim(2)? / 2;
    silu_gated(runtime, &x.narrow(2, 0, width)?, &x.narrow(2, width, width)?)
}

/// One stream of a double-stream block: its attention projections and its feed-forward.
struct Stream {
    runtime: Runtime,
    qkv: QkvMaps,
    out: Linear,
    expand: Linear,
    contract: Linear,
    eps: f64,
}

/// Indices into a stream's six modulation vectors: shift, scale and gate of the attention, then of the feed-forward.
const ATTENTION: [usize; 3] = [0, 1, 2];
const FEED_FORWARD: [usize; 3] = [3, 4, 5];

impl Stream {
    fn new(
        vb: &Parameters,
        config: &Flux2Config,
        maps: [&str; 3],
        norms: [&str; 2],
        [out, feed_forward]: [&str; 2],
    ) -> Result<Self> {
        let (width, hidden) = (config.width(), config.hidden_width());
        let (attention, feed_forward) = (vb.pp("attn"), vb.pp(feed_forward));
        let size = [width, config.attention_head_dim];
        Ok(Self {
            runtime: vb.runtime().clone(),
            qkv: QkvMaps::without_biases(&attention, maps, norms, size, config.eps)?,
            out: linear_no_bias(&attention.pp(out), width, width)?,
            expand: linear_no_bias(&feed_forward.pp("linear_in"), width, 2 * hidden)?,
            contract: linear_no_bias(&feed_forward.pp("linear_out"), hidden, width)?,
            eps: config.eps,
        })
    }

    /// Adds the gated attention output and then the gated feed-forward to `x`, `[1, N, C]` each.
    fn add(&self, x: &Tensor, attended: &Tensor, modulation: &Modulation) -> Result<Tensor> {
        let gate = modulation.vector(ATTENTION[2])?;
        let x = add_scaled(&self.runtime, x, &gate, &self.out.forward(attended)?)?;
        let norm = modulation.norm(FEED_FORWARD[0], FEED_FORWARD[1], self.eps)?;
        let [hidden] = normed_linears(&self.runtime, &x, &norm, [&self.expand])?;
        let fed = self.contract.forward(&swiglu(&self.runtime, &hidden)?)?;
        add_scaled(&self.runtime, &x, &modulation.vector(FEED_FORWARD[2])?, &fed)
    }
}

/// A double-stream block: separate weights for text and image, and joint attention. diffusers' `Flux2TransformerBlock`.
pub(super) struct DoubleBlock {
    text: Stream,
    image: Stream,
    heads: usize,
}

impl DoubleBlock {
    pub(super) fn new(vb: &Parameters, config: &Flux2Config) -> Result<Self> {
        let text = ["add_q_proj", "add_k_proj", "add_v_proj"];
        let text_norms = ["norm_added_q", "norm_added_k"];
        let image_norms = ["norm_q", "norm_k"];
        Ok(Self {
            text: Stream::new(vb, config, text, text_norms, ["to_add_out", "ff_context"])?,
            image: Stream::new(vb, config, ["to_q", "to_k", "to_v"], image_norms, ["to_out.0", "ff"])?,
            heads: config.num_attention_heads,
        })
    }

    /// Text `[1, M, C]` and image `[1, L, C]`; `modulations` of text and image, six vectors each.
    pub(super) fn forward(
        &self,
        [text, image]: [&Tensor; 2],
        modulations: &[Modulation; 2],
        rotary: &RotaryEmbedding,
    ) -> Result<[Tensor; 2]> {
        let qkv = |stream: &Stream, x: &Tensor, modulation: &Modulation| {
            stream.qkv.forward(x, &modulation.norm(ATTENTION[0], ATTENTION[1], stream.eps)?)
        };
        let [of_text, of_image] = modulations;
        let joint = qkv(&self.text, text, of_text)?.join(&qkv(&self.image, image, of_image)?)?;
        let attended = joint.attend(&self.image.runtime, self.heads, Some(rotary))?;
        drop(joint);
        let (text_tokens, image_tokens) = (text.dim(1)?, image.dim(1)?);
        Ok([
            self.text.add(text, &attended.narrow(1, 0, text_tokens)?, of_text)?,
            self.image.add(image, &attended.narrow(1, text_tokens, image_tokens)?, of_image)?,
        ])
    }
}

/// A single-stream block: attention and feed-forward in parallel, from one fused projection. diffusers'
/// `Flux2SingleTransformerBlock`.
pub(super) struct SingleBlock {
    runtime: Runtime,
    /// The fused projection to queries, keys, values and the two halves of the feed-forward.
    fused: Linear,
    norms: HeadNorms,
    out: Linear,
    heads: usize,
    width: usize,
    hidden: usize,
    eps: f64,
}

impl SingleBlock {
    pub(super) fn new(vb: &Parameters, config: &Flux2Config) -> Result<Self> {
        let (vb, width, hidden) = (vb.pp("attn"), config.width(), config.hidden_width());
        Ok(Self {
            runtime: vb.runtime().clone(),
            fused: linear_no_bias(&vb.pp("to_qkv_mlp_proj"), width, 3 * width + 2 * hidden)?,
            norms: HeadNorms::new(&vb, ["norm_q", "norm_k"], config.attention_head_dim, config.eps)?,
            out: linear_no_bias(&vb.pp("to_out"), width + hidden, width)?,
            heads: config.num_attention_heads,
            width,
            hidden,
            eps: config.eps,
        })
    }

    /// `[1, N, C] → [1, N, C]`; `modulation`: shift, scale and gate.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        modulation: &Modulation,
        rotary: &RotaryEmbedding,
    ) -> Result<Tensor> {
        let [fused] = normed_linears(&self.runtime, x, &modulation.norm(0, 1, self.eps)?, [&self.fused])?;
        let part = |index: usize| fused.narrow(2, index * self.width, self.width)?.contiguous();
        let qkv = self.norms.forward([part(0)?, part(1)?, part(2)?])?;
        let hidden = swiglu(&self.runtime, &fused.narrow(2, 3 * self.width, 2 * self.hidden)?)?;
        drop(fused);
        let attended = qkv.attend(&self.runtime, self.heads, Some(rotary))?;
        drop(qkv);
        let out = self.out.forward(&Tensor::cat(&[&attended, &hidden], 2)?)?;
        add_scaled(&self.runtime, x, &modulation.vector(2)?, &out)
    }
}
