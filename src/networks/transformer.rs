//! The UNet's transformer over a feature map: diffusers' `Transformer2DModel`.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::blocks::{group_norm, layer_norm, linear, linear_no_bias, linear_or_conv1x1};
use super::ops::{
    GatedFeedForward, GroupNorm, LayerNorm, Linear, Mask, attention, from_tokens, normed_linears, to_tokens,
};

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn new(vb: &VarBuilder<'_>, width: usize, context_width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            query: linear_no_bias(&vb.pp("to_q"), width, width)?,
            key: linear_no_bias(&vb.pp("to_k"), context_width, width)?,
            value: linear_no_bias(&vb.pp("to_v"), context_width, width)?,
            out: linear(&vb.pp("to_out.0"), width, width)?,
            heads,
        })
    }

    /// Attention of `norm(x)`, `x`: `[B, N, C]`, over itself, added to `x`.
    fn over_itself(&self, x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        let [query, key, value] = normed_linears(x, norm, [&self.query, &self.key, &self.value])?;
        self.out.forward_add(&attention(&query, &key, &value, self.heads, Mask::None)?, x)
    }

    /// Attention of `norm(x)`, `x`: `[B, N, C]`, over `context` `[B, M, K]`, added to `x`.
    fn over_context(&self, x: &Tensor, norm: &LayerNorm, context: &Tensor) -> Result<Tensor> {
        let [query] = normed_linears(x, norm, [&self.query])?;
        let (key, value) = (self.key.forward(context)?, self.value.forward(context)?);
        self.out.forward_add(&attention(&query, &key, &value, self.heads, Mask::None)?, x)
    }
}

/// Self-attention, attention over the prompt, and a gated feed-forward (`BasicTransformerBlock`).
struct Block {
    norm1: LayerNorm,
    self_attention: Attention,
    norm2: LayerNorm,
    cross_attention: Attention,
    feed_forward: GatedFeedForward,
}

/// diffusers' feed-forward is four times as wide.
const FEED_FORWARD: usize = 4;
/// PyTorch's default for layer norms.
const LAYER_NORM_EPS: f64 = 1e-5;

impl Block {
    fn new(vb: &VarBuilder<'_>, width: usize, context_width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            norm1: layer_norm(&vb.pp("norm1"), width, LAYER_NORM_EPS)?,
            self_attention: Attention::new(&vb.pp("attn1"), width, width, heads)?,
            norm2: layer_norm(&vb.pp("norm2"), width, LAYER_NORM_EPS)?,
            cross_attention: Attention::new(&vb.pp("attn2"), width, context_width, heads)?,
            feed_forward: GatedFeedForward::new(
                layer_norm(&vb.pp("norm3"), width, LAYER_NORM_EPS)?,
                linear(&vb.pp("ff.net.0.proj"), width, 2 * FEED_FORWARD * width)?,
                linear(&vb.pp("ff.net.2"), FEED_FORWARD * width, width)?,
            )?,
        })
    }

    fn forward(&self, tokens: &Tensor, context: &Tensor) -> Result<Tensor> {
        let tokens = self.self_attention.over_itself(tokens, &self.norm1)?;
        let tokens = self.cross_attention.over_context(&tokens, &self.norm2, context)?;
        self.feed_forward.forward_add(&tokens)
    }
}

/// Blocks of attention between a projection in and one out, around a residual.
pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    project_in: Linear,
    blocks: Vec<Block>,
    project_out: Linear,
}

/// Sizes of a transformer.
#[derive(Clone, Copy)]
pub(super) struct TransformerConfig {
    pub(super) heads: usize,
    pub(super) context_width: usize,
    pub(super) depth: usize,
    pub(super) groups: usize,
}

/// diffusers' fixed epsilon of this norm.
const GROUP_NORM_EPS: f64 = 1e-6;

impl SpatialTransformer {
    pub(super) fn new(vb: &VarBuilder<'_>, width: usize, config: TransformerConfig) -> Result<Self> {
        let blocks = (0..config.depth)
            .map(|i| {
                let vb = vb.pp(format!("transformer_blocks.{i}"));
                Block::new(&vb, width, config.context_width, config.heads)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            norm: group_norm(&vb.pp("norm"), width, config.groups, GROUP_NORM_EPS)?,
            // Linear in newer models, a 1×1 convolution in older ones: the same map.
            project_in: linear_or_conv1x1(&vb.pp("proj_in"), width, width)?,
            blocks,
            project_out: linear_or_conv1x1(&vb.pp("proj_out"), width, width)?,
        })
    }

    /// `x`: `[B, C, H, W]`, `context`: `[B, M, K]`.
    pub(super) fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let mut tokens = self.project_in.forward(&to_tokens(&self.norm.forward(x)?)?)?;
        for block in &self.blocks {
            tokens = block.forward(&tokens, context)?;
        }
        from_tokens(&self.project_out.forward_add(&tokens, &to_tokens(x)?)?, height, width)
    }
}
