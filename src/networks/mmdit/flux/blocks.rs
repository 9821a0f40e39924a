//! The blocks of FLUX.1's transformer.

use candle_core::{Result, Tensor};

use super::FluxConfig;
use crate::networks::blocks::linear;
use crate::networks::mmdit::attention::QkvMaps;
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, add_scaled, gelu_tanh, normed_linears};
use crate::networks::{Parameters, Runtime};

/// Epsilon of the layer norms.
pub(super) const EPS: f64 = 1e-6;
/// How much wider a feed-forward is than a token.
const MLP_RATIO: usize = 4;

/// A feed-forward around a residual, and its norm and gate.
struct FeedForward {
    runtime: Runtime,
    expand: Linear,
    contract: Linear,
}

impl FeedForward {
    fn new(vb: &Parameters, width: usize) -> Result<Self> {
        Ok(Self {
            runtime: vb.runtime().clone(),
            expand: linear(&vb.pp("net.0.proj"), width, MLP_RATIO * width)?,
            contract: linear(&vb.pp("net.2"), MLP_RATIO * width, width)?,
        })
    }

    /// `[1, N, C] → [1, N, C]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.contract.forward(&gelu_tanh(&self.runtime, &self.expand.forward(x)?)?)
    }
}

/// What one stream of a double block has for itself.
struct Stream {
    runtime: Runtime,
    modulation: Linear,
    qkv: QkvMaps,
    out: Linear,
    feed_forward: FeedForward,
    width: usize,
}

/// Numbers of the vectors in a stream's modulation: shift, scale and gate of the attention, then of the feed-forward.
const SHIFT: [usize; 2] = [0, 3];
const SCALE: [usize; 2] = [1, 4];
const GATE: [usize; 2] = [2, 5];

impl Stream {
    fn modulation(&self, vector: &Tensor) -> Result<Modulation> {
        Modulation::new(&self.runtime, &self.modulation.forward(vector)?, self.width)
    }

    /// The residuals of the attention's result and of the feed-forward.
    fn finish(&self, x: &Tensor, attended: &Tensor, modulation: &Modulation) -> Result<Tensor> {
        let attended = self.out.forward(attended)?;
        let x = add_scaled(&self.runtime, x, &modulation.vector(GATE[0])?, &attended)?;
        let normed = modulation.norm(SHIFT[1], SCALE[1], EPS)?.forward(&x)?;
        let fed = self.feed_forward.forward(&normed)?;
        add_scaled(&self.runtime, &x, &modulation.vector(GATE[1])?, &fed)
    }
}

/// A block with weights of their own for text and image, which meet in its attention: diffusers'
/// `FluxTransformerBlock`.
pub(super) struct DoubleBlock {
    image: Stream,
    text: Stream,
    heads: usize,
}

impl DoubleBlock {
    pub(super) fn new(vb: &Parameters, config: &FluxConfig) -> Result<Self> {
        let width = config.width();
        let attention = vb.pp("attn");
        let stream = |norm: &str, maps, norms, out: &str, feed_forward: &str| -> Result<Stream> {
            Ok(Stream {
                runtime: vb.runtime().clone(),
                modulation: linear(&vb.pp(norm).pp("linear"), width, 6 * width)?,
                qkv: QkvMaps::new(&attention, maps, norms, [width, config.attention_head_dim])?,
                out: linear(&attention.pp(out), width, width)?,
                feed_forward: FeedForward::new(&vb.pp(feed_forward), width)?,
                width,
            })
        };
        let (image_maps, text_maps) = (["to_q", "to_k", "to_v"], ["add_q_proj", "add_k_proj", "add_v_proj"]);
        Ok(Self {
            image: stream("norm1", image_maps, ["norm_q", "norm_k"], "to_out.0", "ff")?,
            text: stream(
                "norm1_context",
                text_maps,
                ["norm_added_q", "norm_added_k"],
                "to_add_out",
                "ff_context",
            )?,
            heads: config.num_attention_heads,
        })
    }

    /// Text `[1, M, C]` and image `[1, L, C]`, each with its residuals; `vector`: `[1, C]`.
    pub(super) fn forward(
        &self,
        [text, image]: [&Tensor; 2],
        vector: &Tensor,
        rotary: &RotaryEmbedding,
    ) -> Result<[Tensor; 2]> {
        let [of_text, of_image] = [self.text.modulation(vector)?, self.image.modulation(vector)?];
        let qkv = |stream: &Stream, x: &Tensor, modulation: &Modulation| {
            stream.qkv.forward(x, &modulation.norm(SHIFT[0], SCALE[0], EPS)?)
        };
        let joint = qkv(&self.text, text, &of_text)?.join(&qkv(&self.image, image, &of_image)?)?;
        let attended = joint.attend(&self.image.runtime, self.heads, rotary)?;
        drop(joint);
        let (words, pixels) = (text.dim(1)?, image.dim(1)?);
        Ok([
            self.text.finish(text, &attended.narrow(1, 0, words)?, &of_text)?,
            self.image.finish(image, &attended.narrow(1, words, pixels)?, &of_image)?,
        ])
    }
}

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
            qkv: QkvMaps::new(&vb.pp("attn"), ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], size)?,
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
        let attended = qkv.attend(&self.runtime, self.heads, rotary)?;
        drop(qkv);
        let hidden = gelu_tanh(&self.runtime, &hidden)?;
        let out = self.out.forward(&Tensor::cat(&[&attended, &hidden], 2)?)?;
        add_scaled(&self.runtime, x, &modulation.vector(2)?, &out)
    }
}
