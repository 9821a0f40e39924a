//! Picture ↔ latent: diffusers' `AutoencoderKL` (Rombach et al. 2022) and `AutoencoderKLFlux2`.

mod config;
mod latent_norm;
mod layers;
mod mid_block;
mod region;
#[cfg(test)]
mod tests;
mod tiles;

use super::blocks::{NormConfig, ResnetBlock, conv, conv3x3, group_norm};
use super::error::check_cancelled;
use super::ops::{Conv2d, Epilogue, GroupNorm, NormSilu, Padding};
use super::{NetworkError, Parameters};
use crate::networks::backend::{self, Tensor};
use crate::request::CancelToken;
use latent_norm::LatentNorm;
use layers::Layer;
use mid_block::MidBlock;
use tiles::Sample;

pub use config::AutoencoderConfig;
pub use tiles::MemoryLimits;

/// diffusers' fixed epsilon of the autoencoder's norms.
const NORM_EPS: f64 = 1e-6;

/// Picture to latent.
struct Encoder {
    layers: Vec<Layer>,
    mid_block: MidBlock,
    norm: GroupNorm,
    conv_out: Conv2d,
    quant: Option<Conv2d>,
}

/// Latent to picture.
struct Decoder {
    post_quant: Option<Conv2d>,
    conv_in: Conv2d,
    mid_block: MidBlock,
    layers: Vec<Layer>,
}

/// Encoder and decoder.
pub struct Autoencoder {
    encoder: Encoder,
    decoder: Decoder,
    /// The norm of FLUX.2's and of Playground's latents.
    latent_norm: Option<LatentNorm>,
}

/// The ResNet blocks of one level, appended to `layers`.
fn push_resnets(
    layers: &mut Vec<Layer>,
    vb: &Parameters,
    count: usize,
    [inputs, outputs]: [usize; 2],
    norm: NormConfig,
) -> Result<(), NetworkError> {
    for i in 0..count {
        let inputs = if i == 0 { inputs } else { outputs };
        let vb = vb.pp(format!("resnets.{i}"));
        layers.push(Layer::Resnet(Box::new(ResnetBlock::new(&vb, inputs, outputs, None, norm)?)));
    }
    Ok(())
}

fn conv1x1(vb: &Parameters, channels: usize) -> backend::Result<Conv2d> {
    conv(vb, [channels, channels, 1], 1, Padding::Same(0))
}

impl Encoder {
    fn new(vb: &Parameters, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        let (quant_vb, vb) = (vb.pp("quant_conv"), vb.pp("encoder"));
        let channels = &config.block_out_channels;
        let last = channels[channels.len() - 1];
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let mut layers = vec![Layer::Conv(conv3x3(&vb.pp("conv_in"), config.in_channels, channels[0])?)];
        let mut inputs = channels[0];
        for (level, &outputs) in channels.iter().enumerate() {
            let vb = vb.pp(format!("down_blocks.{level}"));
            push_resnets(&mut layers, &vb, config.layers_per_block, [inputs, outputs], norm)?;
            if level + 1 < channels.len() {
                let vb = vb.pp("downsamplers.0.conv");
                layers.push(Layer::Down(conv(&vb, [outputs, outputs, 3], 2, Padding::BottomRight)?));
            }
            inputs = outputs;
        }
        let moments = 2 * config.latent_channels;
        Ok(Self {
            layers,
            mid_block: MidBlock::new(&vb.pp("mid_block"), last, config)?,
            norm: group_norm(&vb.pp("conv_norm_out"), last, norm.groups, NORM_EPS)?,
            conv_out: conv3x3(&vb.pp("conv_out"), last, moments)?,
            quant: config.use_quant_conv.then(|| conv1x1(&quant_vb, moments)).transpose()?,
        })
    }
}

impl Decoder {
    fn new(vb: &Parameters, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        let (post_quant_vb, vb) = (vb.pp("post_quant_conv"), vb.pp("decoder"));
        let channels = config.decoder_block_out_channels.as_ref().unwrap_or(&config.block_out_channels);
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let norm = NormConfig { groups: config.norm_num_groups, eps: NORM_EPS };
        let mut layers = Vec::new();
        let mut inputs = last;
        for (level, &outputs) in channels.iter().rev().enumerate() {
            let vb = vb.pp(format!("up_blocks.{level}"));
            push_resnets(&mut layers, &vb, config.layers_per_block + 1, [inputs, outputs], norm)?;
            if level + 1 < channels.len() {
                layers.push(Layer::Up(conv3x3(&vb.pp("upsamplers.0.conv"), outputs, outputs)?));
            }
            inputs = outputs;
        }
        let norm_out = group_norm(&vb.pp("conv_norm_out"), first, norm.groups, NORM_EPS)?;
        layers.push(Layer::NormConv(norm_out, conv3x3(&vb.pp("conv_out"), first, config.out_channels)?));
        let latent = config.latent_channels;
        Ok(Self {
            post_quant: config.use_post_quant_conv.then(|| conv1x1(&post_quant_vb, latent)).transpose()?,
            conv_in: conv3x3(&vb.pp("conv_in"), latent, last)?,
            mid_block: MidBlock::new(&vb.pp("mid_block"), last, config)?,
            layers,
        })
    }
}

/// Peak bytes of the mid block's activations at `latent_size`, height and width, with the batch and dtype of `x`.
fn middle_bytes(mid_block: &MidBlock, x: &Tensor, latent_size: [usize; 2]) -> Result<u64, NetworkError> {
    Ok((mid_block.peak_values(latent_size) * x.dim(0)? * x.dtype().size_in_bytes()) as u64)
}

impl Autoencoder {
    /// Builds the network from its weights.
    pub fn new(vb: &Parameters, config: &AutoencoderConfig) -> Result<Self, NetworkError> {
        config.check()?;
        let latent_norm = LatentNorm::new(vb, config)?;
        Ok(Self { encoder: Encoder::new(vb, config)?, decoder: Decoder::new(vb, config)?, latent_norm })
    }

    /// The posterior's mean and log-variance of a picture `[B, 3, H, W]` in −1..=1, each
    /// `[B, C, H/f, W/f]` in VAE space. H and W are multiples of f.
    pub fn encode(
        &self,
        picture: &Tensor,
        limits: MemoryLimits,
        cancel: &CancelToken,
    ) -> Result<[Tensor; 2], NetworkError> {
        let Encoder { layers, mid_block, norm, conv_out, quant } = &self.encoder;
        let (_, _, height, width) = picture.dims4()?;
        let latent_size = layers::sizes(layers, [height, width])[layers.len()];
        let held = middle_bytes(mid_block, picture, latent_size)?;
        let mut x = tiles::forward(layers, picture, limits, held, Sample::Squares, cancel)?;
        check_cancelled(cancel)?;
        x = mid_block.forward(x, cancel)?;
        x = conv_out.forward_normed(&x, NormSilu::new(norm, None), Epilogue::None)?;
        if let Some(quant) = quant {
            x = quant.forward(&x)?;
        }
        let channels = x.dim(1)? / 2;
        let posterior = [x.narrow(1, 0, channels)?, x.narrow(1, channels, channels)?];
        match &self.latent_norm {
            Some(norm) => Ok(norm.normalise(posterior)?),
            None => Ok(posterior),
        }
    }

    /// The picture `[B, 3, H·f, W·f]`, about −1..=1, of a latent `[B, C, H, W]` in VAE space.
    pub fn decode(
        &self,
        latent: &Tensor,
        limits: MemoryLimits,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let Decoder { post_quant, conv_in, mid_block, layers } = &self.decoder;
        let mut x = match &self.latent_norm {
            Some(norm) => norm.denormalise(latent)?,
            None => latent.clone(),
        };
        if let Some(post_quant) = post_quant {
            x = post_quant.forward(&x)?;
        }
        check_cancelled(cancel)?;
        x = mid_block.forward(conv_in.forward(&x)?, cancel)?;
        let (_, _, height, width) = latent.dims4()?;
        let held = middle_bytes(mid_block, latent, [height, width])?;
        tiles::forward(layers, &x, limits, held, Sample::Pixels, cancel)
    }
}
