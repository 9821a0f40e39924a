//! The denoising network of Stable Diffusion: diffusers' `UNet2DConditionModel`.
//!
//! Source: Ronneberger et al. 2015 and Rombach et al. 2022, as implemented in diffusers.

mod config;

use super::blocks::{NormConfig, ResnetBlock, conv, conv3x3, group_norm, linear};
use super::cross_attention::ContextKv;
use super::error::check_cancelled;
use super::ops::{
    Conv2d, Epilogue, GroupNorm, Linear, NormSilu, Padding, concat_channels, expand_batch, silu,
};
use super::transformer::{SpatialTransformer, TransformerConfig};
use super::{NetworkError, Parameters, Runtime};
use crate::networks::backend::{self, DType, Device, Tensor};
use crate::request::CancelToken;

pub use config::{PerLevel, UNetConfig};

/// Blocks of one resolution level, on the downsampling or the upsampling path.
struct Level {
    resnets: Vec<ResnetBlock>,
    /// Empty, or one for each ResNet block.
    attentions: Vec<SpatialTransformer>,
    /// The downsampling or upsampling convolution to the next level.
    resample: Option<Conv2d>,
}

/// The mid block.
struct MidBlock {
    resnets: [ResnetBlock; 2],
    attention: SpatialTransformer,
}

/// Tensors that depend on the prompts only and are computed once for all steps: the cross-attention keys and values,
/// and the embedding of SDXL's added conditioning.
pub struct ContextCache {
    /// For each block of each transformer, in execution order.
    transformers: Vec<Vec<ContextKv>>,
    /// The embedding that is added to the time embedding, `[B, T]`, in networks with added conditioning.
    added: Option<Tensor>,
}

impl ContextCache {
    /// That of the prompt with this index, as a batch of 1.
    ///
    /// # Errors
    /// If there are fewer prompts.
    pub fn one(&self, index: usize) -> Result<Self, NetworkError> {
        let of_blocks = |blocks: &Vec<ContextKv>| blocks.iter().map(|kv| kv.one(index)).collect();
        let transformers = self.transformers.iter().map(of_blocks).collect::<backend::Result<_>>()?;
        let added = self.added.as_ref().map(|added| added.narrow(0, index, 1)).transpose()?;
        Ok(Self { transformers, added })
    }
}

/// The convolution of `x` `[B, C, H, W]` after nearest-neighbour upsampling to `size`, height and width (diffusers'
/// `forward_upsample_size`), or by 2 without one.
fn upsampled(conv: &Conv2d, x: &Tensor, size: Option<[usize; 2]>) -> backend::Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    match size {
        Some([to_height, to_width]) if [to_height, to_width] != [2 * height, 2 * width] => {
            conv.forward(&x.contiguous()?.resized(to_height, to_width)?)
        }
        _ => conv.forward_upsampled(x),
    }
}

/// The network.
pub struct UNet {
    runtime: Runtime,
    conv_in: Conv2d,
    time_linear1: Linear,
    time_linear2: Linear,
    /// The two linear layers of the added conditioning (diffusers' `add_embedding`).
    addition: Option<[Linear; 2]>,
    down: Vec<Level>,
    mid_block: Option<MidBlock>,
    up: Vec<Level>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UNetConfig,
}

impl UNet {
    /// Builds the network from its weights.
    pub fn new(vb: &Parameters, config: UNetConfig, cancel: &CancelToken) -> Result<Self, NetworkError> {
        config.check()?;
        let channels = &config.block_out_channels;
        let levels = channels.len();
        let time_width = Some(4 * channels[0]);
        let norm = NormConfig { groups: config.norm_num_groups, eps: config.norm_eps };
        // `check` made sure that every level has its values.
        let transformer = |level: usize| TransformerConfig {
            heads: config.heads(level).unwrap_or(1),
            context_width: config.cross_attention_dim,
            depth: config.transformer_layers_per_block.at(level).unwrap_or(1),
            groups: config.norm_num_groups,
        };
        let layers = |level: usize| config.layers_per_block.at(level).unwrap_or(1);
        let mut down = Vec::with_capacity(levels);
        let mut inputs = channels[0];
        // Channels of each skip connection.
        let mut skips = vec![inputs];
        for (level, &outputs) in channels.iter().enumerate() {
            check_cancelled(cancel)?;
            let vb = vb.pp(format!("down_blocks.{level}"));
            let mut blocks = Level { resnets: Vec::new(), attentions: Vec::new(), resample: None };
            for i in 0..layers(level) {
                blocks.resnets.push(ResnetBlock::new(
                    &vb.pp(format!("resnets.{i}")),
                    inputs,
                    outputs,
                    time_width,
                    norm,
                )?);
                if config.down_block_types[level].starts_with("CrossAttn") {
                    let vb = vb.pp(format!("attentions.{i}"));
                    blocks.attentions.push(SpatialTransformer::new(&vb, outputs, transformer(level))?);
                }
                inputs = outputs;
                skips.push(outputs);
            }
            if level + 1 < levels {
                let vb = vb.pp("downsamplers.0.conv");
                // With a padding of 0 diffusers pads one row below and one column to the right.
                let padding = match config.downsample_padding {
                    0 => Padding::BottomRight,
                    pixels => Padding::Same(pixels),
                };
                blocks.resample = Some(conv(&vb, [outputs, outputs, 3], 2, padding)?);
                skips.push(outputs);
            }
            down.push(blocks);
        }
        let last = channels[levels - 1];
        let mid_block = if config.mid_block_type.is_some() {
            let vb = vb.pp("mid_block");
            let resnet = |i| ResnetBlock::new(&vb.pp(format!("resnets.{i}")), last, last, time_width, norm);
            let attention = SpatialTransformer::new(&vb.pp("attentions.0"), last, transformer(levels - 1))?;
            Some(MidBlock { resnets: [resnet(0)?, resnet(1)?], attention })
        } else {
            None
        };
        let mut up = Vec::with_capacity(levels);
        let mut inputs = last;
        for index in 0..levels {
            check_cancelled(cancel)?;
            let level = levels - 1 - index;
            let vb = vb.pp(format!("up_blocks.{index}"));
            let outputs = channels[level];
            let mut blocks = Level { resnets: Vec::new(), attentions: Vec::new(), resample: None };
            for i in 0..=layers(level) {
                let skip = skips.pop().unwrap_or(outputs);
                let vb_resnet = vb.pp(format!("resnets.{i}"));
                blocks.resnets.push(ResnetBlock::new(&vb_resnet, inputs + skip, outputs, time_width, norm)?);
                if config.up_block_types[index].starts_with("CrossAttn") {
                    let vb = vb.pp(format!("attentions.{i}"));
                    blocks.attentions.push(SpatialTransformer::new(&vb, outputs, transformer(level))?);
                }
                inputs = outputs;
            }
            if level > 0 {
                blocks.resample = Some(conv3x3(&vb.pp("upsamplers.0.conv"), outputs, outputs)?);
            }
            up.push(blocks);
        }
        let width = 4 * channels[0];
        let addition = match config.addition_widths() {
            Some([taken, _]) => {
                let vb = vb.pp("add_embedding");
                Some([linear(&vb.pp("linear_1"), taken, width)?, linear(&vb.pp("linear_2"), width, width)?])
            }
            None => None,
        };
        Ok(Self {
            runtime: vb.runtime().clone(),
            conv_in: conv3x3(&vb.pp("conv_in"), config.in_channels, channels[0])?,
            time_linear1: linear(&vb.pp("time_embedding.linear_1"), channels[0], 4 * channels[0])?,
            time_linear2: linear(&vb.pp("time_embedding.linear_2"), 4 * channels[0], 4 * channels[0])?,
            addition,
            down,
            mid_block,
            up,
            norm_out: group_norm(&vb.pp("conv_norm_out"), channels[0], norm.groups, norm.eps)?,
            conv_out: conv3x3(&vb.pp("conv_out"), channels[0], config.out_channels)?,
            config,
        })
    }

    /// The sinusoidal embedding of a number, `width` values, computed in f64 whatever the dtype (bf16 cannot represent
    /// 999).
    fn sinusoids(&self, value: f64, width: usize) -> Vec<f32> {
        let half = width / 2;
        let angle = |i: usize| {
            let exponent = -(10_000.0_f64.ln()) * i as f64 / (half as f64 - self.config.freq_shift);
            value * exponent.exp()
        };
        let sines = (0..half).map(|i| angle(i).sin() as f32);
        let cosines = (0..half).map(|i| angle(i).cos() as f32);
        if self.config.flip_sin_to_cos {
            cosines.chain(sines).collect()
        } else {
            sines.chain(cosines).collect()
        }
    }

    /// The sinusoidal embedding of a timestep, before its two linear layers, `[1, C]`.
    fn time_embedding(&self, timestep: f64, dtype: DType, device: &Device) -> backend::Result<Tensor> {
        let width = self.config.block_out_channels[0];
        Tensor::from_vec(self.sinusoids(timestep, width), (1, width), device)?.to_dtype(dtype)
    }

    /// The embedding of SDXL's added conditioning, `[B, T]`, from pooled embeddings `[B, P]` and `sizes` in pixels;
    /// `None` in networks without it. Source: Podell et al. 2023, <https://arxiv.org/abs/2307.01952>.
    fn added(&self, pooled: Option<&Tensor>, sizes: &[f64]) -> backend::Result<Option<Tensor>> {
        let (Some([first, second]), Some([_, each])) = (&self.addition, self.config.addition_widths()) else {
            return Ok(None);
        };
        let Some(pooled) = pooled else {
            return Err(backend::Error::Msg("the UNet takes a pooled embedding and got none".to_owned()));
        };
        let row: Vec<f32> = sizes.iter().flat_map(|size| self.sinusoids(*size, each)).collect();
        let row =
            Tensor::from_vec(row, (1, sizes.len() * each), pooled.device())?.to_dtype(pooled.dtype())?;
        let input = Tensor::cat(&[pooled, &expand_batch(&row, pooled.dim(0)?)?], 1)?;
        Ok(Some(second.forward(&silu(&self.runtime, &first.forward(&input)?)?)?))
    }

    /// Computes the [`ContextCache`] of prompts from their hidden states `context` `[B, M, K]` and, in networks with
    /// added conditioning, their `pooled` embeddings `[B, P]` and the size conditioning `sizes` in pixels.
    ///
    /// # Errors
    /// If the widths are not the network's.
    pub fn context_cache(
        &self,
        context: &Tensor,
        pooled: Option<&Tensor>,
        sizes: &[f64],
    ) -> Result<ContextCache, NetworkError> {
        let down = self.down.iter().flat_map(|level| &level.attentions);
        let up = self.up.iter().flat_map(|level| &level.attentions);
        let transformers = down
            .chain(self.mid_block.iter().map(|mid_block| &mid_block.attention))
            .chain(up)
            .map(|transformer| transformer.context_kv(context))
            .collect::<backend::Result<_>>()?;
        Ok(ContextCache { transformers, added: self.added(pooled, sizes)? })
    }

    /// The network's output for `sample` `[B, C, H, W]` at a timestep, with B prompts: `[B, C_out, H, W]`.
    ///
    /// A sample of batch 1 is used for all prompts: what precedes the first cross-attention, the first self-attention
    /// included, is then computed only once. With added conditioning, which differs by prompt, that is the first
    /// convolution alone.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, which is checked between blocks. If the batch of `sample`
    /// is neither 1 nor B.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        context: &ContextCache,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let added = context.added.as_ref();
        let mut context = context.transformers.iter();
        let mut attend = |transformer: &SpatialTransformer, x: &Tensor| {
            transformer.forward(x, context.next().map_or(&[], Vec::as_slice))
        };
        let time = self.time_embedding(timestep, sample.dtype(), &sample.device())?;
        let mut time =
            self.time_linear2.forward(&silu(&self.runtime, &self.time_linear1.forward(&time)?)?)?;
        let mut x = self.conv_in.forward(sample)?;
        if let Some(added) = added {
            time = added.broadcast_add(&time)?;
            x = expand_batch(&x, time.dim(0)?)?;
        }
        let mut skips = vec![x.clone()];
        for level in &self.down {
            for (i, resnet) in level.resnets.iter().enumerate() {
                check_cancelled(cancel)?;
                x = resnet.forward(x, Some(&time))?;
                if let Some(attention) = level.attentions.get(i) {
                    x = attend(attention, &x)?;
                }
                skips.push(x.clone());
            }
            if let Some(resample) = &level.resample {
                x = resample.forward(&x)?;
                skips.push(x.clone());
            }
        }
        check_cancelled(cancel)?;
        if let Some(MidBlock { resnets: [first, second], attention }) = &self.mid_block {
            x = first.forward(x, Some(&time))?;
            x = attend(attention, &x)?;
            x = second.forward(x, Some(&time))?;
        }
        for level in &self.up {
            for (i, resnet) in level.resnets.iter().enumerate() {
                check_cancelled(cancel)?;
                if let Some(skip) = skips.pop() {
                    x = concat_channels(&x, &expand_batch(&skip, x.dim(0)?)?)?;
                }
                x = resnet.forward(x, Some(&time))?;
                if let Some(attention) = level.attentions.get(i) {
                    x = attend(attention, &x)?;
                }
            }
            if let Some(resample) = &level.resample {
                // The size of the skip connection, which need not be twice this one's.
                let size = skips.last().map(Tensor::dims4).transpose()?;
                x = upsampled(resample, &x, size.map(|(_, _, height, width)| [height, width]))?;
            }
        }
        Ok(self.conv_out.forward_normed(&x, NormSilu::new(&self.norm_out, None), Epilogue::None)?)
    }
}
