//! The mid block of encoder and decoder, at the latent's resolution.

use super::{AutoencoderConfig, NORM_EPS};
use crate::networks::backend::{self, Tensor};
use crate::networks::blocks::{NormConfig, ResnetBlock, group_norm, linear_or_conv1x1};
use crate::networks::error::check_cancelled;
use crate::networks::ops::{GroupNorm, Linear, Mask, attention, from_tokens, to_tokens};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

/// Single-head self-attention over all pixels, with a residual connection.
struct SelfAttention2d {
    runtime: Runtime,
    norm: GroupNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl SelfAttention2d {
    fn new(vb: &Parameters, channels: usize, groups: usize) -> Result<Self, NetworkError> {
        // Files from before diffusers 0.15 have other names.
        let old = vb.contains_tensor("query.weight");
        let names =
            if old { ["query", "key", "value", "proj_attn"] } else { ["to_q", "to_k", "to_v", "to_out.0"] };
        let map = |name: &str| linear_or_conv1x1(&vb.pp(name), channels, channels);
        Ok(Self {
            runtime: vb.runtime().clone(),
            norm: group_norm(&vb.pp("group_norm"), channels, groups, NORM_EPS)?,
            query: map(names[0])?,
            key: map(names[1])?,
            value: map(names[2])?,
            out: map(names[3])?,
        })
    }

    fn forward(&self, x: &Tensor) -> backend::Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        // Scoped, so that queries, keys and values are freed before the output projection.
        let attended = {
            let tokens = to_tokens(&self.norm.forward(x)?)?;
            let (query, key) = (self.query.forward(&tokens)?, self.key.forward(&tokens)?);
            let value = self.value.forward(&tokens)?;
            drop(tokens);
            attention(&self.runtime, [&query, &key, &value], 1, Mask::None)?
        };
        from_tokens(&self.out.forward_add(&attended, &to_tokens(x)?)?, height, width)
    }
}

/// The mid block of encoder and decoder: a ResNet block, self-attention, a ResNet block.
pub(super) struct MidBlock {
    first: ResnetBlock,
    attention: Option<SelfAttention2d>,
    second: ResnetBlock,
}

impl MidBlock {
    pub(super) fn new(
        vb: &Parameters,
        channels: usize,
        config: &AutoencoderConfig,
    ) -> Result<Self, NetworkError> {
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let attention = config
            .mid_block_add_attention
            .then(|| SelfAttention2d::new(&vb.pp("attentions.0"), channels, norm.groups))
            .transpose()?;
        Ok(Self {
            first: ResnetBlock::new(&vb.pp("resnets.0"), channels, channels, None, norm)?,
            attention,
            second: ResnetBlock::new(&vb.pp("resnets.1"), channels, channels, None, norm)?,
        })
    }

    /// `[B, C, H, W] → [B, C, H, W]`.
    pub(super) fn forward(&self, mut x: Tensor, cancel: &CancelToken) -> Result<Tensor, NetworkError> {
        x = self.first.forward(x, None)?;
        if let Some(attention) = &self.attention {
            check_cancelled(cancel)?;
            x = attention.forward(&x)?;
        }
        check_cancelled(cancel)?;
        Ok(self.second.forward(x, None)?)
    }

    /// The most values that [`Self::forward`] holds at once, for `[1, C, H, W]`: with attention `x`, queries, keys,
    /// values, the kernel's packed copies of keys and values, and the result.
    pub(super) fn peak_values(&self, [height, width]: [usize; 2]) -> usize {
        let maps = if self.attention.is_some() { 7 } else { 3 };
        maps * self.first.channels()[0] * height * width
    }
}
