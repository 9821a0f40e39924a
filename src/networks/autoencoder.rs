//! Picture ↔ latent: diffusers' `AutoencoderKL` (Rombach et al. 2022).

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::NetworkError;
use super::blocks::{NormConfig, ResnetBlock, conv, conv3x3, group_norm, linear_or_conv1x1};
use super::error::checkpoint;
use super::ops::{Conv2d, GroupNorm, Linear, Mask, Padding, add, attention, from_tokens, to_tokens};
use crate::request::CancelToken;

/// The keys of `vae/config.json` this network follows. Keys left out have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct AutoencoderConfig {
    /// Colour channels in.
    pub in_channels: usize,
    /// Colour channels out.
    pub out_channels: usize,
    /// Channels of a latent.
    pub latent_channels: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// ResNet blocks of each encoder level; the decoder has one more.
    pub layers_per_block: usize,
    /// Norm groups.
    pub norm_num_groups: usize,
    /// Whether a 1×1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1×1 convolution precedes the decoder.
    pub use_post_quant_conv: bool,
    /// Whether the middle has attention.
    pub mid_block_add_attention: bool,
    /// Scale of a latent.
    pub scaling_factor: f64,
    /// Shift of a latent.
    pub shift_factor: Option<f64>,
    /// Activation.
    pub act_fn: String,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            latent_channels: 4,
            block_out_channels: vec![64],
            layers_per_block: 1,
            norm_num_groups: 32,
            use_quant_conv: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
            scaling_factor: 0.18215,
            shift_factor: None,
            act_fn: "silu".to_owned(),
        }
    }
}

impl AutoencoderConfig {
    /// Refuses what this network cannot follow, naming key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        if self.act_fn != "silu" && self.act_fn != "swish" {
            return refuse("act_fn", self.act_fn.clone(), "silu");
        }
        if self.in_channels != 3 || self.out_channels != 3 {
            return refuse("in_channels", self.in_channels.to_string(), "3, red, green and blue");
        }
        if !(1..=8).contains(&self.block_out_channels.len()) {
            return refuse(
                "block_out_channels",
                format!("{:?}", self.block_out_channels),
                "one to eight levels",
            );
        }
        if !(1..=16).contains(&self.layers_per_block) || !(1..=256).contains(&self.latent_channels) {
            return refuse("layers_per_block", self.layers_per_block.to_string(), "1 to 16");
        }
        Ok(())
    }

    /// Picture pixels under the edge of one latent pixel.
    pub fn downscale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

/// diffusers' fixed epsilon of the autoencoder's norms.
const NORM_EPS: f64 = 1e-6;

/// One head over all pixels, around a residual.
struct PixelAttention {
    norm: GroupNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl PixelAttention {
    fn new(vb: &VarBuilder<'_>, channels: usize, groups: usize) -> Result<Self, NetworkError> {
        // Names since diffusers 0.15 and before.
        let old = vb.contains_tensor("query.weight");
        let names =
            if old { ["query", "key", "value", "proj_attn"] } else { ["to_q", "to_k", "to_v", "to_out.0"] };
        let map = |name: &str| linear_or_conv1x1(&vb.pp(name), channels, channels);
        Ok(Self {
            norm: group_norm(&vb.pp("group_norm"), channels, groups, NORM_EPS)?,
            query: map(names[0])?,
            key: map(names[1])?,
            value: map(names[2])?,
            out: map(names[3])?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let tokens = to_tokens(&self.norm.forward(x)?)?;
        let (query, key) = (self.query.forward(&tokens)?, self.key.forward(&tokens)?);
        let attended = attention(&query, &key, &self.value.forward(&tokens)?, 1, Mask::None)?;
        add(&from_tokens(&self.out.forward(&attended)?, height, width)?, x)
    }
}

/// The middle of encoder and decoder.
struct Middle {
    first: ResnetBlock,
    attention: Option<PixelAttention>,
    second: ResnetBlock,
}

impl Middle {
    fn new(vb: &VarBuilder<'_>, channels: usize, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let attention = config
            .mid_block_add_attention
            .then(|| PixelAttention::new(&vb.pp("attentions.0"), channels, norm.groups))
            .transpose()?;
        Ok(Self {
            first: ResnetBlock::new(&vb.pp("resnets.0"), channels, channels, None, norm)?,
            attention,
            second: ResnetBlock::new(&vb.pp("resnets.1"), channels, channels, None, norm)?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let mut x = self.first.forward(x, None)?;
        if let Some(attention) = &self.attention {
            x = attention.forward(&x)?;
        }
        self.second.forward(&x, None)
    }
}

/// ResNet blocks of one size and the way to the next.
struct Level {
    resnets: Vec<ResnetBlock>,
    resample: Option<Conv2d>,
}

/// Encoder and decoder.
pub struct Autoencoder {
    encoder_in: Conv2d,
    encoder_levels: Vec<Level>,
    encoder_middle: Middle,
    encoder_norm: GroupNorm,
    encoder_out: Conv2d,
    quant: Option<Conv2d>,
    post_quant: Option<Conv2d>,
    decoder_in: Conv2d,
    decoder_middle: Middle,
    decoder_levels: Vec<Level>,
    decoder_norm: GroupNorm,
    decoder_out: Conv2d,
}

impl Autoencoder {
    /// Builds the network from its weights.
    pub fn new(vb: &VarBuilder<'_>, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        config.check()?;
        let channels = &config.block_out_channels;
        let (first, last, levels) = (channels[0], channels[channels.len() - 1], channels.len());
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let latent = config.latent_channels;
        let encoder = vb.pp("encoder");
        let mut encoder_levels = Vec::with_capacity(levels);
        let mut inputs = first;
        for (level, &outputs) in channels.iter().enumerate() {
            let vb = encoder.pp(format!("down_blocks.{level}"));
            let mut resnets = Vec::new();
            for i in 0..config.layers_per_block {
                resnets.push(ResnetBlock::new(&vb.pp(format!("resnets.{i}")), inputs, outputs, None, norm)?);
                inputs = outputs;
            }
            let resample = (level + 1 < levels)
                .then(|| {
                    let vb = vb.pp("downsamplers.0.conv");
                    conv(&vb, [outputs, outputs, 3], 2, Padding::BottomRight)
                })
                .transpose()?;
            encoder_levels.push(Level { resnets, resample });
        }
        let decoder = vb.pp("decoder");
        let mut decoder_levels = Vec::with_capacity(levels);
        let mut inputs = last;
        for (level, &outputs) in channels.iter().rev().enumerate() {
            let vb = decoder.pp(format!("up_blocks.{level}"));
            let mut resnets = Vec::new();
            for i in 0..=config.layers_per_block {
                resnets.push(ResnetBlock::new(&vb.pp(format!("resnets.{i}")), inputs, outputs, None, norm)?);
                inputs = outputs;
            }
            let resample = (level + 1 < levels)
                .then(|| conv3x3(&vb.pp("upsamplers.0.conv"), outputs, outputs))
                .transpose()?;
            decoder_levels.push(Level { resnets, resample });
        }
        let one_by_one = |name: &str, n: usize| conv(&vb.pp(name), [n, n, 1], 1, Padding::Same(0));
        Ok(Self {
            encoder_in: conv3x3(&encoder.pp("conv_in"), config.in_channels, first)?,
            encoder_levels,
            encoder_middle: Middle::new(&encoder.pp("mid_block"), last, config)?,
            encoder_norm: group_norm(&encoder.pp("conv_norm_out"), last, norm.groups, NORM_EPS)?,
            encoder_out: conv3x3(&encoder.pp("conv_out"), last, 2 * latent)?,
            quant: config.use_quant_conv.then(|| one_by_one("quant_conv", 2 * latent)).transpose()?,
            post_quant: config
                .use_post_quant_conv
                .then(|| one_by_one("post_quant_conv", latent))
                .transpose()?,
            decoder_in: conv3x3(&decoder.pp("conv_in"), latent, last)?,
            decoder_middle: Middle::new(&decoder.pp("mid_block"), last, config)?,
            decoder_levels,
            decoder_norm: group_norm(&decoder.pp("conv_norm_out"), first, norm.groups, NORM_EPS)?,
            decoder_out: conv3x3(&decoder.pp("conv_out"), first, config.out_channels)?,
        })
    }

    /// The posterior's mean and log-variance of a picture `[B, 3, H, W]` in −1..=1, each
    /// `[B, C, H/f, W/f]` in VAE space.
    pub fn encode(&self, picture: &Tensor, cancel: &CancelToken) -> Result<[Tensor; 2], NetworkError> {
        let mut x = self.encoder_in.forward(picture)?;
        for level in &self.encoder_levels {
            for resnet in &level.resnets {
                checkpoint(cancel)?;
                x = resnet.forward(&x, None)?;
            }
            if let Some(resample) = &level.resample {
                x = resample.forward(&x)?;
            }
        }
        checkpoint(cancel)?;
        x = self.encoder_middle.forward(&x)?;
        x = self.encoder_out.forward(&self.encoder_norm.forward_silu(&x)?)?;
        if let Some(quant) = &self.quant {
            x = quant.forward(&x)?;
        }
        let channels = x.dim(1)? / 2;
        Ok([x.narrow(1, 0, channels)?, x.narrow(1, channels, channels)?])
    }

    /// The picture `[B, 3, H·f, W·f]`, about −1..=1, of a latent `[B, C, H, W]` in VAE space.
    pub fn decode(&self, latent: &Tensor, cancel: &CancelToken) -> Result<Tensor, NetworkError> {
        let latent = match &self.post_quant {
            Some(post_quant) => post_quant.forward(latent)?,
            None => latent.clone(),
        };
        let mut x = self.decoder_middle.forward(&self.decoder_in.forward(&latent)?)?;
        for level in &self.decoder_levels {
            for resnet in &level.resnets {
                checkpoint(cancel)?;
                x = resnet.forward(&x, None)?;
            }
            if let Some(resample) = &level.resample {
                x = resample.forward_upsampled(&x)?;
            }
        }
        Ok(self.decoder_out.forward(&self.decoder_norm.forward_silu(&x)?)?)
    }
}
