//! The UNet's spatial transformer: diffusers' `Transformer2DModel`.

use super::blocks::{group_norm, layer_norm, linear, linear_no_bias, linear_or_conv1x1};
use super::cross_attention::{ContextKv, CrossAttention};
use super::ops::{
    GatedFeedForward, GroupNorm, LayerNorm, Linear, Mask, attention, expand_batch, from_tokens,
    normed_linears, to_tokens,
};
use super::{Parameters, Runtime};
use crate::networks::backend::{Error, Result, Tensor};

struct SelfAttention {
    runtime: Runtime,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl SelfAttention {
    fn new(vb: &Parameters, width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            runtime: vb.runtime().clone(),
            query: linear_no_bias(&vb.pp("to_q"), width, width)?,
            key: linear_no_bias(&vb.pp("to_k"), width, width)?,
            value: linear_no_bias(&vb.pp("to_v"), width, width)?,
            out: linear(&vb.pp("to_out.0"), width, width)?,
            heads,
        })
    }

    /// `x + attention(norm(x))`, `x`: `[B, N, C]`.
    fn forward_add(&self, x: &Tensor, norm: &LayerNorm) -> Result<Tensor> {
        let linears = [&self.query, &self.key, &self.value];
        let [query, key, value] = normed_linears(&self.runtime, x, norm, linears)?;
        let attended = attention(&self.runtime, [&query, &key, &value], self.heads, Mask::None)?;
        self.out.forward_add(&attended, x)
    }
}

/// Self-attention, cross-attention to the prompt, and a GEGLU feed-forward (`BasicTransformerBlock`).
struct Block {
    norm1: LayerNorm,
    self_attention: SelfAttention,
    norm2: LayerNorm,
    cross_attention: CrossAttention,
    feed_forward: GatedFeedForward,
}

/// Width of diffusers' feed-forward, as a multiple of a token's.
const FEED_FORWARD: usize = 4;
/// PyTorch's default for layer norms.
const LAYER_NORM_EPS: f64 = 1e-5;

impl Block {
    fn new(vb: &Parameters, width: usize, context_width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            norm1: layer_norm(&vb.pp("norm1"), width, LAYER_NORM_EPS)?,
            self_attention: SelfAttention::new(&vb.pp("attn1"), width, heads)?,
            norm2: layer_norm(&vb.pp("norm2"), width, LAYER_NORM_EPS)?,
            cross_attention: CrossAttention::new(&vb.pp("attn2"), width, context_width, heads)?,
            feed_forward: GatedFeedForward::new(
                vb.runtime(),
                layer_norm(&vb.pp("norm3"), width, LAYER_NORM_EPS)?,
                linear(&vb.pp("ff.net.0.proj"), width, 2 * FEED_FORWARD * width)?,
                linear(&vb.pp("ff.net.2"), FEED_FORWARD * width, width)?,
            )?,
        })
    }

    /// `x`: `[B, N, C]`, or `[1, N, C]` for all B prompts → `[B, N, C]`; `grid`: its rows and columns.
    fn forward(&self, x: &Tensor, context: &ContextKv, grid: [usize; 2]) -> Result<Tensor> {
        let x = self.self_attention.forward_add(x, &self.norm1)?;
        let x = expand_batch(&x, context.batch()?)?;
        let x = self.cross_attention.forward_add(&x, &self.norm2, context, grid)?;
        self.feed_forward.forward_add(&x)
    }
}

/// Transformer blocks between an input and an output projection, with a residual connection.
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

/// Epsilon of the group norm, fixed in diffusers.
const GROUP_NORM_EPS: f64 = 1e-6;

impl SpatialTransformer {
    pub(super) fn new(vb: &Parameters, width: usize, config: TransformerConfig) -> Result<Self> {
        let blocks = (0..config.depth)
            .map(|i| {
                let vb = vb.pp(format!("transformer_blocks.{i}"));
                Block::new(&vb, width, config.context_width, config.heads)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            norm: group_norm(&vb.pp("norm"), width, config.groups, GROUP_NORM_EPS)?,
            // Linear in newer models, a 1×1 convolution in older ones: the same operation.
            project_in: linear_or_conv1x1(&vb.pp("proj_in"), width, width)?,
            blocks,
            project_out: linear_or_conv1x1(&vb.pp("proj_out"), width, width)?,
        })
    }

    /// Each block's cross-attention keys and values for hidden states `[B, M, K]` of prompts.
    pub(super) fn context_kv(&self, context: &Tensor) -> Result<Vec<ContextKv>> {
        self.blocks.iter().map(|block| block.cross_attention.context_kv(context)).collect()
    }

    /// `x`: `[B, C, H, W]`, or `[1, C, H, W]` for all B prompts; `context`: each block's keys and values of B prompts →
    /// `[B, C, H, W]`.
    ///
    /// # Errors
    /// If `context` is not one for each block, or the batch of `x` is neither 1 nor B.
    pub(super) fn forward(&self, x: &Tensor, context: &[ContextKv]) -> Result<Tensor> {
        if context.len() != self.blocks.len() {
            let (found, blocks) = (context.len(), self.blocks.len());
            return Err(Error::Msg(format!("prompts of {found} blocks for a transformer of {blocks}")));
        }
        let (_, _, height, width) = x.dims4()?;
        let residual = to_tokens(x)?;
        let mut tokens = self.project_in.forward(&to_tokens(&self.norm.forward(x)?)?)?;
        for (block, context) in self.blocks.iter().zip(context) {
            tokens = block.forward(&tokens, context, [height, width])?;
        }
        let residual = expand_batch(&residual, tokens.dim(0)?)?;
        from_tokens(&self.project_out.forward_add(&tokens, &residual)?, height, width)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::networks::backend::Device;

    use super::*;
    use crate::weights::{StoredTensor, TensorMap};

    fn synthetic(shape: &[usize]) -> Tensor {
        let values = (0..shape.iter().product()).map(|i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0);
        Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }

    /// Synthetic weights of a transformer of width 16 for contexts of width 6.
    fn weights(depth: usize) -> TensorMap {
        let mut weights = TensorMap::default();
        let mut add = |name: String, shape: &[usize]| {
            let values: Vec<f32> = (synthetic(shape) * 0.3).unwrap().to_values().unwrap();
            weights.insert(name, StoredTensor::from_f32(shape, &values));
        };
        let mut both = |name: &str, weight: &[usize]| {
            add(format!("{name}.weight"), weight);
            add(format!("{name}.bias"), &weight[..1]);
        };
        both("norm", &[16]);
        both("proj_in", &[16, 16]);
        both("proj_out", &[16, 16]);
        for block in (0..depth).map(|i| format!("transformer_blocks.{i}")) {
            for norm in ["norm1", "norm2", "norm3"] {
                both(&format!("{block}.{norm}"), &[16]);
            }
            both(&format!("{block}.ff.net.0.proj"), &[128, 16]);
            both(&format!("{block}.ff.net.2"), &[16, 64]);
            for (attention, context) in [("attn1", 16), ("attn2", 6)] {
                let name = format!("{block}.{attention}");
                both(&format!("{name}.to_out.0"), &[16, 16]);
                both(&format!("{name}.to_q"), &[16, 16]);
                both(&format!("{name}.to_k"), &[16, context]);
                both(&format!("{name}.to_v"), &[16, context]);
            }
        }
        weights
    }

    fn transformer(threads: usize) -> SpatialTransformer {
        let config = TransformerConfig { heads: 2, context_width: 6, depth: 2, groups: 4 };
        let vb = Parameters::new(Arc::new(weights(config.depth)), &Runtime::processor(Some(threads)));
        SpatialTransformer::new(&vb, 16, config).unwrap()
    }

    fn forward(transformer: &SpatialTransformer, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        transformer.forward(x, &transformer.context_kv(context)?)
    }

    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    /// Enough tokens that each image fills bands of rows, and too few in one image for eight threads; each image has
    /// its own context.
    #[test]
    fn a_batch_gives_what_each_image_gives_alone() {
        for threads in [1, 2, 8] {
            let transformer = transformer(threads);
            let (x, context) = (synthetic(&[2, 16, 20, 30]), synthetic(&[2, 5, 6]));
            let together = forward(&transformer, &x, &context).unwrap();
            for picture in 0..2 {
                let one = |all: &Tensor| all.narrow(0, picture, 1).unwrap();
                let alone = forward(&transformer, &one(&x), &one(&context)).unwrap();
                let distance = distance(&one(&together), &alone);
                assert!(distance < 1e-4, "picture {picture} with {threads} threads: {distance}");
            }
        }
    }

    #[test]
    fn one_image_serves_all_contexts_and_three_do_not_match_two() {
        let transformer = transformer(1);
        let (x, context) = (synthetic(&[1, 16, 6, 5]), synthetic(&[2, 5, 6]));
        let wanted = forward(&transformer, &Tensor::cat(&[&x, &x], 0).unwrap(), &context).unwrap();
        let one = |all: &Tensor, picture| all.narrow(0, picture, 1).unwrap();
        let difference = distance(&one(&wanted, 0), &one(&wanted, 1));
        assert!(difference > 1e-3, "{difference}");
        assert!(distance(&forward(&transformer, &x, &context).unwrap(), &wanted) < 1e-5);
        let error = forward(&transformer, &synthetic(&[3, 16, 6, 5]), &context).unwrap_err();
        assert!(error.to_string().contains("a batch of 3 cannot stand for one of 2"), "{error}");
        let context = transformer.context_kv(&context).unwrap();
        let error = transformer.forward(&x, &context[..1]).unwrap_err();
        assert!(error.to_string().contains("prompts of 1 blocks for a transformer of 2"), "{error}");
    }
}
