//! The UNet's transformer over a feature map: diffusers' `Transformer2DModel`.

use std::ops::Range;

use candle_core::{Error, Result, Tensor};
use candle_nn::VarBuilder;

use super::blocks::{group_norm, layer_norm, linear, linear_no_bias, linear_or_conv1x1};
use super::cross_attention::{Attended, CrossAttention};
use super::ops::{
    GatedFeedForward, GroupNorm, LayerNorm, Linear, Mask, attention, for_pictures, from_tokens, in_bands,
    normed_linears, to_tokens,
};

struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl SelfAttention {
    fn new(vb: &VarBuilder<'_>, width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            query: linear_no_bias(&vb.pp("to_q"), width, width)?,
            key: linear_no_bias(&vb.pp("to_k"), width, width)?,
            value: linear_no_bias(&vb.pp("to_v"), width, width)?,
            out: linear(&vb.pp("to_out.0"), width, width)?,
            heads,
        })
    }

    /// Attention of `norm(x)`, `x`: `[B, N, C]`, over itself, before the map out.
    fn forward(&self, x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        let [query, key, value] = normed_linears(x, norm, [&self.query, &self.key, &self.value])?;
        attention(&query, &key, &value, self.heads, Mask::None)
    }
}

/// Self-attention, attention over the prompt, and a gated feed-forward (`BasicTransformerBlock`).
struct Block {
    norm1: LayerNorm,
    self_attention: SelfAttention,
    norm2: LayerNorm,
    cross_attention: CrossAttention,
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
            self_attention: SelfAttention::new(&vb.pp("attn1"), width, heads)?,
            norm2: layer_norm(&vb.pp("norm2"), width, LAYER_NORM_EPS)?,
            cross_attention: CrossAttention::new(&vb.pp("attn2"), width, context_width, heads)?,
            feed_forward: GatedFeedForward::new(
                layer_norm(&vb.pp("norm3"), width, LAYER_NORM_EPS)?,
                linear(&vb.pp("ff.net.0.proj"), width, 2 * FEED_FORWARD * width)?,
                linear(&vb.pp("ff.net.2"), FEED_FORWARD * width, width)?,
            )?,
        })
    }

    /// `finish(block(tokens), residual)`: `tokens` and `residual` `[B, N, C]` or of one picture for all B prompts →
    /// `[B, N, C]`.
    fn forward(
        &self,
        [tokens, residual]: [&Tensor; 2],
        attended: &Attended,
        finish: impl Fn(Tensor, &Tensor) -> Result<Tensor> + Sync,
    ) -> Result<Tensor> {
        let from_itself = self.self_attention.forward(tokens, &self.norm1)?;
        let [from_itself, tokens, residual] =
            [&from_itself, tokens, residual].map(|x| for_pictures(x, attended.prompts()?));
        let [from_itself, tokens, residual] = [from_itself?, tokens?, residual?];
        // From here on every token is on its own.
        let rest = |pictures: Range<usize>, [from_itself, tokens, residual]: [Tensor; 3]| {
            let tokens = self.self_attention.out.forward_add(&from_itself, &tokens)?;
            let tokens = self.cross_attention.over(&tokens, &self.norm2, &attended.narrow(pictures)?)?;
            finish(self.feed_forward.forward_add(&tokens)?, &residual)
        };
        in_bands([&from_itself, &tokens, &residual], tokens.dim(2)?, rest)
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

    /// What each block attends to in prompts `[B, M, K]`.
    pub(super) fn attended(&self, context: &Tensor) -> Result<Vec<Attended>> {
        self.blocks.iter().map(|block| block.cross_attention.attended(context)).collect()
    }

    /// `x`: `[B, C, H, W]` or of one picture for all, with what each block attends to → `[B, C, H, W]`.
    pub(super) fn forward(&self, x: &Tensor, attended: &[Attended]) -> Result<Tensor> {
        if attended.len() != self.blocks.len() {
            let (found, blocks) = (attended.len(), self.blocks.len());
            return Err(Error::Msg(format!("prompts of {found} blocks for a transformer of {blocks}")));
        }
        let (_, _, height, width) = x.dims4()?;
        let residual = to_tokens(x)?;
        let mut tokens = self.project_in.forward(&to_tokens(&self.norm.forward(x)?)?)?;
        for (i, (block, attended)) in self.blocks.iter().zip(attended).enumerate() {
            let is_last = i + 1 == self.blocks.len();
            let finish = |tokens: Tensor, residual: &Tensor| {
                if is_last { self.project_out.forward_add(&tokens, residual) } else { Ok(tokens) }
            };
            tokens = block.forward([&tokens, &residual], attended, finish)?;
        }
        from_tokens(&tokens, height, width)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::super::ops::threads;
    use super::*;

    fn made_up(shape: &[usize]) -> Tensor {
        let values = (0..shape.iter().product()).map(|i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0);
        Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }

    fn transformer() -> SpatialTransformer {
        let made = VarMap::new();
        let vb = VarBuilder::from_varmap(&made, DType::F32, &Device::Cpu);
        let config = TransformerConfig { heads: 2, context_width: 6, depth: 2, groups: 4 };
        // The first finds out what weights there are, all zeros.
        SpatialTransformer::new(&vb, 16, config).unwrap();
        for weight in made.all_vars() {
            weight.set(&(made_up(weight.dims()) * 0.3).unwrap()).unwrap();
        }
        SpatialTransformer::new(&vb, 16, config).unwrap()
    }

    fn attended(transformer: &SpatialTransformer, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        transformer.forward(x, &transformer.attended(context)?)
    }

    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
    }

    /// Enough tokens for bands of both, and too few of one for two threads; with another context for each picture.
    #[test]
    fn pictures_together_are_as_each_alone() {
        threads::set_count(Some(2));
        let transformer = transformer();
        let (x, context) = (made_up(&[2, 16, 20, 30]), made_up(&[2, 5, 6]));
        let together = attended(&transformer, &x, &context).unwrap();
        for picture in 0..2 {
            let one = |all: &Tensor| all.narrow(0, picture, 1).unwrap();
            let alone = attended(&transformer, &one(&x), &one(&context)).unwrap();
            let distance = distance(&one(&together), &alone);
            assert!(distance < 1e-4, "picture {picture}: {distance}");
        }
        threads::set_count(None);
    }

    #[test]
    fn one_picture_goes_with_every_context_and_three_do_not_go_with_two() {
        let transformer = transformer();
        let (x, context) = (made_up(&[1, 16, 6, 5]), made_up(&[2, 5, 6]));
        let wanted = attended(&transformer, &Tensor::cat(&[&x, &x], 0).unwrap(), &context).unwrap();
        let one = |all: &Tensor, picture| all.narrow(0, picture, 1).unwrap();
        let difference = distance(&one(&wanted, 0), &one(&wanted, 1));
        assert!(difference > 1e-3, "{difference}");
        assert!(distance(&attended(&transformer, &x, &context).unwrap(), &wanted) < 1e-5);
        let error = attended(&transformer, &made_up(&[3, 16, 6, 5]), &context).unwrap_err();
        assert!(error.to_string().contains("a batch of 3 cannot stand for one of 2"), "{error}");
        let attended = transformer.attended(&context).unwrap();
        let error = transformer.forward(&x, &attended[..1]).unwrap_err();
        assert!(error.to_string().contains("prompts of 1 blocks for a transformer of 2"), "{error}");
    }
}
