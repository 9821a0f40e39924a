//! Operations that a library may have a kernel of its own for, and that are put together from others where it has none.

use std::ops::Range;

use super::tensor::Values;
use super::{Result, Tensor, candle};

/// `softmax(q·kᵀ / √D)·v` in `heads` heads. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`. `causal`: each
/// query attends to the keys up to its own position.
pub(in crate::networks) fn attention(qkv: [&Tensor; 3], heads: usize, causal: bool) -> Result<Tensor> {
    let [Values::Candle(q), Values::Candle(k), Values::Candle(v)] = qkv.map(|x| &x.0);
    Ok(candle::attention::attention([q, k, v], heads, causal)?.into())
}

/// The columns `keys` of `softmax(q·kᵀ / √D)`, mean over the heads. `q`: `[1, N, H·D]`, `k`: `[1, M, H·D]` → `[keys, N]`.
pub(in crate::networks) fn attention_weights(
    qk: [&Tensor; 2],
    heads: usize,
    keys: Range<usize>,
) -> Result<Vec<f32>> {
    let [Values::Candle(q), Values::Candle(k)] = qk.map(|x| &x.0);
    Ok(candle::attention::weights([q, k], heads, keys)?)
}

/// `softmax(q·kᵀ + bias)·v`. `q`, `k`, `v` as for [`attention`]; `bias`: `[1, H, N, M]`, f32.
pub(in crate::networks) fn relative_attention(
    qkv: [&Tensor; 3],
    heads: usize,
    bias: &Tensor,
) -> Result<Tensor> {
    let [Values::Candle(q), Values::Candle(k), Values::Candle(v)] = qkv.map(|x| &x.0);
    let Values::Candle(bias) = &bias.0;
    Ok(candle::attention::with_bias([q, k, v], heads, bias)?.into())
}

/// The group norm of `[B, C, H, W]` by its own moments or given ones, `[B, G, 1]` each, with `weight` and `bias` `[C]`,
/// and with SiLU of the result if wanted.
pub(in crate::networks) fn group_norm(
    x: &Tensor,
    affine: [&Tensor; 2],
    groups: usize,
    eps: f64,
    given: Option<[&Tensor; 2]>,
    with_silu: bool,
) -> Result<Tensor> {
    let Values::Candle(x) = &x.0;
    let [Values::Candle(weight), Values::Candle(bias)] = affine.map(|t| &t.0);
    let given = given.map(|moments| {
        let [Values::Candle(mean), Values::Candle(variance)] = moments.map(|t| &t.0);
        [mean, variance]
    });
    Ok(candle::norm::group_norm(x, [weight, bias], groups, eps, given, with_silu)?.into())
}

impl Tensor {
    /// Mean and variance of each group of channels of each image of `[B, C, H, W]`: `[B, G, 1]` each, f32.
    ///
    /// # Errors
    /// If the channels do not make groups.
    pub(in crate::networks) fn moments(&self, groups: usize) -> Result<[Self; 2]> {
        let Values::Candle(x) = &self.0;
        Ok(candle::norm::moments(x, groups)?.map(Self::from))
    }

    /// `[B, N, H·D] → [B, H, N, D]`.
    ///
    /// # Errors
    /// If these are no tokens.
    pub(in crate::networks) fn split_heads(&self, heads: usize) -> Result<Self> {
        let Values::Candle(x) = &self.0;
        Ok(candle::attention::split_heads(x, heads)?.into())
    }

    /// The convolution of a feature map `[B, I, H, W]` with `weight` `[O, I, k, k]`: `[B, O, H', W']`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn conv2d(&self, weight: &Self, padding: usize, stride: usize) -> Result<Self> {
        let (Values::Candle(x), Values::Candle(weight)) = (&self.0, &weight.0);
        Ok(candle::convolution::conv2d(x, weight, padding, stride)?.into())
    }

    /// Heads `[B, H, N, 2·P]` rotated by angles: `cos`, `sin`: `[N, P]`. `neighbours`: the pairs are neighbouring values,
    /// and otherwise a value of the first half and one of the second.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub(in crate::networks) fn rotated(&self, [cos, sin]: [&Self; 2], neighbours: bool) -> Result<Self> {
        let [Values::Candle(x), Values::Candle(cos), Values::Candle(sin)] = [self, cos, sin].map(|t| &t.0);
        let rotate = if neighbours { candle_nn::rotary_emb::rope_i } else { candle_nn::rotary_emb::rope };
        Ok(rotate(x, cos, sin)?.into())
    }

    /// Rows `[N, C]`, each divided by the root of the mean of its squares, times `weight` `[C]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub(in crate::networks) fn rms_normed(&self, weight: &Self, eps: f64) -> Result<Self> {
        let (Values::Candle(x), Values::Candle(weight)) = (&self.0, &weight.0);
        Ok(candle_nn::ops::rms_norm(x, weight, eps as f32)?.into())
    }

    /// Rows `[.., C]` less their mean, divided by their deviation, times `weight` plus `bias`, `[C]` each.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub(in crate::networks) fn layer_normed(&self, [weight, bias]: [&Self; 2], eps: f64) -> Result<Self> {
        let [Values::Candle(x), Values::Candle(weight), Values::Candle(bias)] =
            [self, weight, bias].map(|t| &t.0);
        Ok(candle::norm::layer_norm(x, [weight, bias], eps)?.into())
    }
}
