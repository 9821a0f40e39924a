//! Picture ↔ latent: diffusers' `AutoencoderKL` (Rombach et al. 2022).

mod config;
mod middle;
mod region;
mod steps;
#[cfg(test)]
mod tests;
mod tiles;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::NetworkError;
use super::blocks::{NormConfig, ResnetBlock, conv, conv3x3, group_norm};
use super::error::checkpoint;
use super::ops::{Added, Conv2d, GroupNorm, NormSilu, Padding};
use crate::request::CancelToken;
use middle::Middle;
use steps::Step;
use tiles::Sample;

pub use config::AutoencoderConfig;
pub use tiles::MemoryLimits;

/// diffusers' fixed epsilon of the autoencoder's norms.
const NORM_EPS: f64 = 1e-6;

/// Picture to latent.
struct Encoder {
    steps: Vec<Step>,
    middle: Middle,
    norm: GroupNorm,
    conv_out: Conv2d,
    quant: Option<Conv2d>,
}

/// Latent to picture.
struct Decoder {
    post_quant: Option<Conv2d>,
    conv_in: Conv2d,
    middle: Middle,
    steps: Vec<Step>,
}

/// Encoder and decoder.
pub struct Autoencoder {
    encoder: Encoder,
    decoder: Decoder,
}

/// The ResNet blocks of one level, appended to `steps`.
fn push_resnets(
    steps: &mut Vec<Step>,
    vb: &VarBuilder<'_>,
    count: usize,
    [inputs, outputs]: [usize; 2],
    norm: NormConfig,
) -> Result<(), NetworkError> {
    for i in 0..count {
        let inputs = if i == 0 { inputs } else { outputs };
        let vb = vb.pp(format!("resnets.{i}"));
        steps.push(Step::Resnet(Box::new(ResnetBlock::new(&vb, inputs, outputs, None, norm)?)));
    }
    Ok(())
}

fn conv1x1(vb: &VarBuilder<'_>, channels: usize) -> candle_core::Result<Conv2d> {
    conv(vb, [channels, channels, 1], 1, Padding::Same(0))
}

impl Encoder {
    fn new(vb: &VarBuilder<'_>, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        let (quant_vb, vb) = (vb.pp("quant_conv"), vb.pp("encoder"));
        let channels = &config.block_out_channels;
        let last = channels[channels.len() - 1];
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let mut steps = vec![Step::Conv(conv3x3(&vb.pp("conv_in"), config.in_channels, channels[0])?)];
        let mut inputs = channels[0];
        for (level, &outputs) in channels.iter().enumerate() {
            let vb = vb.pp(format!("down_blocks.{level}"));
            push_resnets(&mut steps, &vb, config.layers_per_block, [inputs, outputs], norm)?;
            if level + 1 < channels.len() {
                let vb = vb.pp("downsamplers.0.conv");
                steps.push(Step::Down(conv(&vb, [outputs, outputs, 3], 2, Padding::BottomRight)?));
            }
            inputs = outputs;
        }
        let moments = 2 * config.latent_channels;
        Ok(Self {
            steps,
            middle: Middle::new(&vb.pp("mid_block"), last, config)?,
            norm: group_norm(&vb.pp("conv_norm_out"), last, norm.groups, NORM_EPS)?,
            conv_out: conv3x3(&vb.pp("conv_out"), last, moments)?,
            quant: config.use_quant_conv.then(|| conv1x1(&quant_vb, moments)).transpose()?,
        })
    }
}

impl Decoder {
    fn new(vb: &VarBuilder<'_>, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        let (post_quant_vb, vb) = (vb.pp("post_quant_conv"), vb.pp("decoder"));
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let mut steps = Vec::new();
        let mut inputs = last;
        for (level, &outputs) in channels.iter().rev().enumerate() {
            let vb = vb.pp(format!("up_blocks.{level}"));
            push_resnets(&mut steps, &vb, config.layers_per_block + 1, [inputs, outputs], norm)?;
            if level + 1 < channels.len() {
                steps.push(Step::Up(conv3x3(&vb.pp("upsamplers.0.conv"), outputs, outputs)?));
            }
            inputs = outputs;
        }
        let norm_out = group_norm(&vb.pp("conv_norm_out"), first, norm.groups, NORM_EPS)?;
        steps.push(Step::NormConv(norm_out, conv3x3(&vb.pp("conv_out"), first, config.out_channels)?));
        let latent = config.latent_channels;
        Ok(Self {
            post_quant: config.use_post_quant_conv.then(|| conv1x1(&post_quant_vb, latent)).transpose()?,
            conv_in: conv3x3(&vb.pp("conv_in"), latent, last)?,
            middle: Middle::new(&vb.pp("mid_block"), last, config)?,
            steps,
        })
    }
}

/// Bytes that the middle takes for `latent_size` maps like `x`, height and width.
fn middle_bytes(middle: &Middle, x: &Tensor, latent_size: [usize; 2]) -> Result<u64, NetworkError> {
    Ok((middle.peak_values(latent_size) * x.dim(0)? * x.dtype().size_in_bytes()) as u64)
}

impl Autoencoder {
    /// Builds the network from its weights.
    pub fn new(vb: &VarBuilder<'_>, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        config.check()?;
        Ok(Self { encoder: Encoder::new(vb, config)?, decoder: Decoder::new(vb, config)? })
    }

    /// The posterior's mean and log-variance of a picture `[B, 3, H, W]` in −1..=1, each
    /// `[B, C, H/f, W/f]` in VAE space. H and W are multiples of f.
    pub fn encode(
        &self,
        picture: &Tensor,
        limits: MemoryLimits,
        cancel: &CancelToken,
    ) -> Result<[Tensor; 2], NetworkError> {
        let Encoder { steps, middle, norm, conv_out, quant } = &self.encoder;
        let (_, _, height, width) = picture.dims4()?;
        let latent_size = steps::sizes(steps, [height, width])[steps.len()];
        let held = middle_bytes(middle, picture, latent_size)?;
        let mut x = tiles::forward(steps, picture, limits, held, Sample::Squares, cancel)?;
        checkpoint(cancel)?;
        x = middle.forward(x, cancel)?;
        x = conv_out.forward_normed(&x, NormSilu::new(norm, None), Added::Nothing)?;
        if let Some(quant) = quant {
            x = quant.forward(&x)?;
        }
        let channels = x.dim(1)? / 2;
        Ok([x.narrow(1, 0, channels)?, x.narrow(1, channels, channels)?])
    }

    /// The picture `[B, 3, H·f, W·f]`, about −1..=1, of a latent `[B, C, H, W]` in VAE space.
    pub fn decode(
        &self,
        latent: &Tensor,
        limits: MemoryLimits,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let Decoder { post_quant, conv_in, middle, steps } = &self.decoder;
        let mut x = match post_quant {
            Some(post_quant) => post_quant.forward(latent)?,
            None => latent.clone(),
        };
        checkpoint(cancel)?;
        x = middle.forward(conv_in.forward(&x)?, cancel)?;
        let (_, _, height, width) = latent.dims4()?;
        let held = middle_bytes(middle, latent, [height, width])?;
        tiles::forward(steps, &x, limits, held, Sample::Pixels, cancel)
    }
}
