//! The MMDiT block, with separate weights for the text and image streams and joint attention: the block of Stable
//! Diffusion 3 and the double-stream block of FLUX.1, diffusers' `JointTransformerBlock` and `FluxTransformerBlock`.

use super::attention::QkvMaps;
use crate::networks::backend::{Error, Result, Tensor};
use crate::networks::blocks::linear;
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, add_scaled, gelu_tanh};
use crate::networks::{Parameters, Runtime};

/// Epsilon of the layer norms.
pub(super) const EPS: f64 = 1e-6;
/// Width of a feed-forward, as a multiple of a token's.
pub(super) const MLP_RATIO: usize = 4;

/// Names of a stream's query, key and value projections, and of its QK norms.
const IMAGE_MAPS: [&str; 3] = ["to_q", "to_k", "to_v"];
const TEXT_MAPS: [&str; 3] = ["add_q_proj", "add_k_proj", "add_v_proj"];
const IMAGE_NORMS: [&str; 2] = ["norm_q", "norm_k"];
const TEXT_NORMS: [&str; 2] = ["norm_added_q", "norm_added_k"];

/// Sizes and variants of a block.
#[derive(Clone, Copy)]
pub(super) struct JointBlockConfig {
    /// Width of a token.
    pub(super) width: usize,
    /// Attention heads.
    pub(super) heads: usize,
    /// Whether queries and keys have an RMS norm in each head.
    pub(super) qk_norm: bool,
    /// Whether each stream has a layer that computes its modulation from the conditioning vector.
    pub(super) has_own_modulation: bool,
    /// Whether the image stream also has an attention of its own (diffusers' `use_dual_attention`).
    pub(super) has_dual_attention: bool,
    /// Whether the text stream ends with its keys and values, as in the last block (diffusers' `context_pre_only`).
    pub(super) context_pre_only: bool,
}

/// Two linear layers with a GELU between them.
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

/// Indices of the vectors in a stream's modulation: shift, scale and gate of the joint attention, of the feed-forward,
/// and of the image stream's own attention.
const SHIFT: [usize; 3] = [0, 3, 6];
const SCALE: [usize; 3] = [1, 4, 7];
const GATE: [usize; 3] = [2, 5, 8];

/// A stream's layers after the joint attention.
struct PostAttention {
    out: Linear,
    feed_forward: FeedForward,
}

/// The weights of one stream.
struct Stream {
    runtime: Runtime,
    /// From the conditioning vector to the stream's modulation, in blocks that compute it themselves.
    modulation: Option<Linear>,
    qkv: QkvMaps,
    /// `None` for a text stream that ends in this block.
    post_attention: Option<PostAttention>,
    width: usize,
}

impl Stream {
    fn modulation(&self, vector: &Tensor) -> Result<Modulation> {
        let Some(map) = &self.modulation else {
            return Err(Error::Msg("a block without a modulation of its own needs one".to_owned()));
        };
        Modulation::new(&self.runtime, &map.forward(vector)?, self.width)
    }

    /// Indices of shift and scale of the norm before the attention. A stream that ends here has only these two, the
    /// scale first.
    fn first_norm(&self) -> [usize; 2] {
        if self.post_attention.is_some() { [SHIFT[0], SCALE[0]] } else { [1, 0] }
    }

    /// `x` plus the gated output of the joint attention.
    fn add_attention(&self, x: &Tensor, attended: &Tensor, modulation: &Modulation) -> Result<Tensor> {
        let Some(post) = &self.post_attention else { return Ok(x.clone()) };
        add_scaled(&self.runtime, x, &modulation.vector(GATE[0])?, &post.out.forward(attended)?)
    }

    /// `x` plus the gated output of the feed-forward.
    fn add_feed_forward(&self, x: Tensor, modulation: &Modulation) -> Result<Tensor> {
        let Some(post) = &self.post_attention else { return Ok(x) };
        let normed = modulation.norm(SHIFT[1], SCALE[1], EPS)?.forward(&x)?;
        let fed = post.feed_forward.forward(&normed)?;
        add_scaled(&self.runtime, &x, &modulation.vector(GATE[1])?, &fed)
    }
}

/// The block.
pub(super) struct JointBlock {
    image: Stream,
    text: Stream,
    /// The image stream's own attention.
    image_attention: Option<(QkvMaps, Linear)>,
    heads: usize,
}

impl JointBlock {
    pub(super) fn new(vb: &Parameters, config: JointBlockConfig) -> Result<Self> {
        let JointBlockConfig { width, heads, qk_norm, has_dual_attention, .. } = config;
        let size = [width, width / heads];
        let attention = vb.pp("attn");
        let modulation =
            |norm: &str, vectors: usize| linear(&vb.pp(norm).pp("linear"), width, vectors * width);
        let stream = |norm: &str, vectors: usize, maps, norms, post: Option<[&str; 2]>| {
            let post = post.map(|[out, feed_forward]| {
                let (out, feed_forward) = (attention.pp(out), vb.pp(feed_forward));
                Ok::<_, Error>(PostAttention {
                    out: linear(&out, width, width)?,
                    feed_forward: FeedForward::new(&feed_forward, width)?,
                })
            });
            Ok::<_, Error>(Stream {
                runtime: vb.runtime().clone(),
                modulation: config.has_own_modulation.then(|| modulation(norm, vectors)).transpose()?,
                qkv: QkvMaps::new(&attention, maps, qk_norm.then_some(norms), size)?,
                post_attention: post.transpose()?,
                width,
            })
        };
        let image_vectors = if has_dual_attention { 9 } else { 6 };
        let (text_vectors, text_post) =
            if config.context_pre_only { (2, None) } else { (6, Some(["to_add_out", "ff_context"])) };
        let own = vb.pp("attn2");
        let image_attention = || -> Result<(QkvMaps, Linear)> {
            let maps = QkvMaps::new(&own, IMAGE_MAPS, qk_norm.then_some(IMAGE_NORMS), size)?;
            Ok((maps, linear(&own.pp("to_out.0"), width, width)?))
        };
        Ok(Self {
            image: stream("norm1", image_vectors, IMAGE_MAPS, IMAGE_NORMS, Some(["to_out.0", "ff"]))?,
            text: stream("norm1_context", text_vectors, TEXT_MAPS, TEXT_NORMS, text_post)?,
            image_attention: has_dual_attention.then(image_attention).transpose()?,
            heads,
        })
    }

    /// Text `[1, M, C]` and image `[1, L, C]` → the same. `vector`: the conditioning, `[1, C]`; `rotary`: of all
    /// tokens, text first, in networks with rotary embedding.
    pub(super) fn forward(
        &self,
        [text, image]: [&Tensor; 2],
        vector: &Tensor,
        rotary: Option<&RotaryEmbedding>,
    ) -> Result<[Tensor; 2]> {
        let modulations = [self.text.modulation(vector)?, self.image.modulation(vector)?];
        self.forward_modulated([text, image], &modulations, rotary)
    }

    /// The same with given modulations of text and image.
    pub(super) fn forward_modulated(
        &self,
        [text, image]: [&Tensor; 2],
        [of_text, of_image]: &[Modulation; 2],
        rotary: Option<&RotaryEmbedding>,
    ) -> Result<[Tensor; 2]> {
        let qkv = |stream: &Stream, x: &Tensor, modulation: &Modulation| {
            let [shift, scale] = stream.first_norm();
            stream.qkv.forward(x, &modulation.norm(shift, scale, EPS)?)
        };
        let joint = qkv(&self.text, text, of_text)?.join(&qkv(&self.image, image, of_image)?)?;
        let attended = joint.attend(&self.image.runtime, self.heads, rotary)?;
        drop(joint);
        let (text_tokens, image_tokens) = (text.dim(1)?, image.dim(1)?);
        let text = self.text.add_attention(text, &attended.narrow(1, 0, text_tokens)?, of_text)?;
        let mut x =
            self.image.add_attention(image, &attended.narrow(1, text_tokens, image_tokens)?, of_image)?;
        if let Some((qkv, out)) = &self.image_attention {
            let qkv = qkv.forward(image, &of_image.norm(SHIFT[2], SCALE[2], EPS)?)?;
            let attended = out.forward(&qkv.attend(&self.image.runtime, self.heads, None)?)?;
            x = add_scaled(&self.image.runtime, &x, &of_image.vector(GATE[2])?, &attended)?;
        }
        Ok([self.text.add_feed_forward(text, of_text)?, self.image.add_feed_forward(x, of_image)?])
    }
}
