//! The denoising network of Stable Diffusion: diffusers' `UNet2DConditionModel`.
//!
//! Source: Ronneberger et al. 2015 and Rombach et al. 2022, in diffusers' arrangement.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::NetworkError;
use super::blocks::{NormConfig, ResnetBlock, conv, conv3x3, group_norm, linear};
use super::cross_attention::Attended;
use super::error::checkpoint;
use super::ops::{Added, Conv2d, GroupNorm, Linear, NormSilu, Padding, concat_channels, for_pictures, silu};
use super::transformer::{SpatialTransformer, TransformerConfig};
use crate::request::CancelToken;

/// One number for all levels, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged)]
pub enum PerLevel {
    /// For all.
    One(usize),
    /// For each, from the largest feature map to the smallest.
    Each(Vec<usize>),
}

impl PerLevel {
    fn at(&self, level: usize) -> Option<usize> {
        match self {
            Self::One(value) => Some(*value),
            Self::Each(values) => values.get(level).copied(),
        }
    }
}

/// The keys of `unet/config.json` this network follows. Keys left out have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct UNetConfig {
    /// Latent channels (9 with an inpainting mask).
    pub in_channels: usize,
    /// Latent channels of the prediction.
    pub out_channels: usize,
    /// Edge of the latent it was trained on.
    pub sample_size: PerLevel,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// ResNet blocks of each level.
    pub layers_per_block: PerLevel,
    /// Kind of each level going down.
    pub down_block_types: Vec<String>,
    /// Kind of each level going up.
    pub up_block_types: Vec<String>,
    /// Kind of the middle.
    pub mid_block_type: Option<String>,
    /// Width of the prompt's embedding.
    pub cross_attention_dim: usize,
    /// The number of heads, in spite of its name (a bug diffusers keeps for its files).
    pub attention_head_dim: PerLevel,
    /// The number of heads where it is given.
    pub num_attention_heads: Option<PerLevel>,
    /// Transformer blocks of each attention.
    pub transformer_layers_per_block: PerLevel,
    /// Norm groups.
    pub norm_num_groups: usize,
    /// Norm epsilon.
    pub norm_eps: f64,
    /// Whether cosines come before sines in the time embedding.
    pub flip_sin_to_cos: bool,
    /// Shift of the time embedding's frequencies.
    pub freq_shift: f64,
    /// Zeros around the downsampling convolutions.
    pub downsample_padding: usize,
    /// Activation.
    pub act_fn: String,
    /// SDXL's further conditioning; not supported yet.
    pub addition_embed_type: Option<String>,
    /// Class labels; not supported.
    pub class_embed_type: Option<String>,
    /// LCM's embedding of the guidance scale; not supported.
    pub time_cond_proj_dim: Option<usize>,
    /// How the time enters; only `default` is supported.
    pub resnet_time_scale_shift: String,
    /// Attention over the prompt alone; not supported.
    pub only_cross_attention: bool,
    /// Two attentions over two prompts; not supported.
    pub dual_cross_attention: bool,
}

impl Default for UNetConfig {
    fn default() -> Self {
        let kinds = |names: [&str; 4]| names.map(str::to_owned).to_vec();
        let [attention_down, plain_down] = ["CrossAttnDownBlock2D", "DownBlock2D"];
        let [attention_up, plain_up] = ["CrossAttnUpBlock2D", "UpBlock2D"];
        Self {
            in_channels: 4,
            out_channels: 4,
            sample_size: PerLevel::One(64),
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerLevel::One(2),
            down_block_types: kinds([attention_down, attention_down, attention_down, plain_down]),
            up_block_types: kinds([plain_up, attention_up, attention_up, attention_up]),
            mid_block_type: Some("UNetMidBlock2DCrossAttn".to_owned()),
            cross_attention_dim: 1280,
            attention_head_dim: PerLevel::One(8),
            num_attention_heads: None,
            transformer_layers_per_block: PerLevel::One(1),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            downsample_padding: 1,
            act_fn: "silu".to_owned(),
            addition_embed_type: None,
            class_embed_type: None,
            time_cond_proj_dim: None,
            resnet_time_scale_shift: "default".to_owned(),
            only_cross_attention: false,
            dual_cross_attention: false,
        }
    }
}

impl UNetConfig {
    /// Refuses what this network cannot follow, naming key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        let levels = self.block_out_channels.len();
        if levels == 0 || levels != self.down_block_types.len() || levels != self.up_block_types.len() {
            return refuse(
                "block_out_channels",
                format!("{:?}", self.block_out_channels),
                "one for each level",
            );
        }
        if let Some(kind) = self.down_block_types.iter().find(|k| !is_one_of(k, "Down")) {
            return refuse("down_block_types", kind.clone(), "CrossAttnDownBlock2D, DownBlock2D");
        }
        if let Some(kind) = self.up_block_types.iter().find(|k| !is_one_of(k, "Up")) {
            return refuse("up_block_types", kind.clone(), "CrossAttnUpBlock2D, UpBlock2D");
        }
        if let Some(kind) = self.mid_block_type.as_ref().filter(|k| *k != "UNetMidBlock2DCrossAttn") {
            return refuse("mid_block_type", kind.clone(), "UNetMidBlock2DCrossAttn");
        }
        for (key, value) in
            [("addition_embed_type", &self.addition_embed_type), ("class_embed_type", &self.class_embed_type)]
        {
            if let Some(value) = value {
                return refuse(key, value.clone(), "none; SDXL is not supported yet");
            }
        }
        if let Some(width) = self.time_cond_proj_dim {
            return refuse("time_cond_proj_dim", width.to_string(), "none");
        }
        if self.act_fn != "silu" && self.act_fn != "swish" {
            return refuse("act_fn", self.act_fn.clone(), "silu");
        }
        if self.resnet_time_scale_shift != "default" {
            return refuse("resnet_time_scale_shift", self.resnet_time_scale_shift.clone(), "default");
        }
        if self.only_cross_attention || self.dual_cross_attention {
            return refuse("only_cross_attention", "true".to_owned(), "false");
        }
        for level in 0..levels {
            let (layers, heads) = (self.layers_per_block.at(level), self.heads(level));
            let depth = self.transformer_layers_per_block.at(level);
            let channels = self.block_out_channels[level];
            let fits = heads.is_some_and(|h| h > 0 && channels.is_multiple_of(h));
            if !fits || layers.is_none_or(|l| l == 0 || l > 16) || depth.is_none_or(|d| d > 64) {
                return refuse(
                    "attention_head_dim",
                    format!("{:?}", self.attention_head_dim),
                    "heads that divide",
                );
            }
        }
        Ok(())
    }

    fn heads(&self, level: usize) -> Option<usize> {
        self.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim).at(level)
    }

    /// Both edges of a latent are multiples of this.
    pub fn latent_multiple(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

fn is_one_of(kind: &str, direction: &str) -> bool {
    kind == format!("{direction}Block2D") || kind == format!("CrossAttn{direction}Block2D")
}

/// Blocks of one level, going down or up.
struct Level {
    resnets: Vec<ResnetBlock>,
    /// Empty or one for each ResNet block.
    attentions: Vec<SpatialTransformer>,
    /// The way to the next level.
    resample: Option<Conv2d>,
}

/// What every attention over prompts attends to: the same at every step.
pub struct Prompts {
    /// For each block of each transformer, in the order in which the network gets there.
    attended: Vec<Vec<Attended>>,
}

impl Prompts {
    /// One of them, by its number.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn one(&self, number: usize) -> Result<Self, NetworkError> {
        let one = |attended: &Attended| attended.narrow(number..number + 1);
        let of_blocks = |blocks: &Vec<Attended>| blocks.iter().map(one).collect();
        Ok(Self { attended: self.attended.iter().map(of_blocks).collect::<candle_core::Result<_>>()? })
    }
}

/// The network.
pub struct UNet {
    conv_in: Conv2d,
    time_linear1: Linear,
    time_linear2: Linear,
    down: Vec<Level>,
    mid_resnets: [ResnetBlock; 2],
    mid_attention: SpatialTransformer,
    up: Vec<Level>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
    config: UNetConfig,
}

impl UNet {
    /// Builds the network from its weights.
    pub fn new(vb: &VarBuilder<'_>, config: UNetConfig, cancel: &CancelToken) -> Result<Self, NetworkError> {
        config.check()?;
        let channels = &config.block_out_channels;
        let levels = channels.len();
        let time_width = Some(4 * channels[0]);
        let norm = NormConfig { groups: config.norm_num_groups, eps: config.norm_eps };
        // `check` saw that every level has its numbers.
        let transformer = |level: usize| TransformerConfig {
            heads: config.heads(level).unwrap_or(1),
            context_width: config.cross_attention_dim,
            depth: config.transformer_layers_per_block.at(level).unwrap_or(1),
            groups: config.norm_num_groups,
        };
        let layers = |level: usize| config.layers_per_block.at(level).unwrap_or(1);
        let mut down = Vec::with_capacity(levels);
        let mut inputs = channels[0];
        // Channels of each feature map kept for the way up.
        let mut kept = vec![inputs];
        for (level, &outputs) in channels.iter().enumerate() {
            checkpoint(cancel)?;
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
                kept.push(outputs);
            }
            if level + 1 < levels {
                let vb = vb.pp("downsamplers.0.conv");
                let padding = Padding::Same(config.downsample_padding);
                blocks.resample = Some(conv(&vb, [outputs, outputs, 3], 2, padding)?);
                kept.push(outputs);
            }
            down.push(blocks);
        }
        let last = channels[levels - 1];
        let mid = vb.pp("mid_block");
        let mid_resnets = [
            ResnetBlock::new(&mid.pp("resnets.0"), last, last, time_width, norm)?,
            ResnetBlock::new(&mid.pp("resnets.1"), last, last, time_width, norm)?,
        ];
        let mid_attention = SpatialTransformer::new(&mid.pp("attentions.0"), last, transformer(levels - 1))?;
        let mut up = Vec::with_capacity(levels);
        let mut inputs = last;
        for index in 0..levels {
            checkpoint(cancel)?;
            let level = levels - 1 - index;
            let vb = vb.pp(format!("up_blocks.{index}"));
            let outputs = channels[level];
            let mut blocks = Level { resnets: Vec::new(), attentions: Vec::new(), resample: None };
            for i in 0..=layers(level) {
                let skip = kept.pop().unwrap_or(outputs);
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
        Ok(Self {
            conv_in: conv3x3(&vb.pp("conv_in"), config.in_channels, channels[0])?,
            time_linear1: linear(&vb.pp("time_embedding.linear_1"), channels[0], 4 * channels[0])?,
            time_linear2: linear(&vb.pp("time_embedding.linear_2"), 4 * channels[0], 4 * channels[0])?,
            down,
            mid_resnets,
            mid_attention,
            up,
            norm_out: group_norm(&vb.pp("conv_norm_out"), channels[0], norm.groups, norm.eps)?,
            conv_out: conv3x3(&vb.pp("conv_out"), channels[0], config.out_channels)?,
            config,
        })
    }

    /// Sinusoids of a timestep, `[1, C]`, in f32 whatever the weights' format (bf16 cannot hold 999).
    fn time_embedding(&self, timestep: f64, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        let width = self.config.block_out_channels[0];
        let half = width / 2;
        let angle = |i: usize| {
            let exponent = -(10_000.0_f64.ln()) * i as f64 / (half as f64 - self.config.freq_shift);
            timestep * exponent.exp()
        };
        let sines = (0..half).map(|i| angle(i).sin() as f32);
        let cosines = (0..half).map(|i| angle(i).cos() as f32);
        let row: Vec<f32> = if self.config.flip_sin_to_cos {
            cosines.chain(sines).collect()
        } else {
            sines.chain(cosines).collect()
        };
        Tensor::from_vec(row, (1, width), device)?.to_dtype(dtype)
    }

    /// The prompts' embeddings `context` `[B, M, K]` as [`Self::forward`] attends to them.
    ///
    /// # Errors
    /// If their width K is not the network's.
    pub fn prompts(&self, context: &Tensor) -> Result<Prompts, NetworkError> {
        let down = self.down.iter().flat_map(|level| &level.attentions);
        let up = self.up.iter().flat_map(|level| &level.attentions);
        let attended = down
            .chain([&self.mid_attention])
            .chain(up)
            .map(|transformer| transformer.attended(context))
            .collect::<candle_core::Result<_>>()?;
        Ok(Prompts { attended })
    }

    /// The raw prediction for `sample` `[B, C, H, W]` at a timestep, with B prompts: `[B, C_out, H, W]`.
    ///
    /// A sample of one picture goes with every prompt: what comes before the first attention over a prompt is
    /// computed once for all of them, the first attention over the picture itself included.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job was stopped; it is looked at between blocks. If there are several
    /// pictures, and not as many as prompts.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        prompts: &Prompts,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let mut prompts = prompts.attended.iter();
        let mut attend = |transformer: &SpatialTransformer, x: &Tensor| {
            transformer.forward(x, prompts.next().map_or(&[], Vec::as_slice))
        };
        let time = self.time_embedding(timestep, sample.dtype(), sample.device())?;
        let time = self.time_linear2.forward(&silu(&self.time_linear1.forward(&time)?)?)?;
        let mut x = self.conv_in.forward(sample)?;
        let mut kept = vec![x.clone()];
        for level in &self.down {
            for (i, resnet) in level.resnets.iter().enumerate() {
                checkpoint(cancel)?;
                x = resnet.forward(x, Some(&time))?;
                if let Some(attention) = level.attentions.get(i) {
                    x = attend(attention, &x)?;
                }
                kept.push(x.clone());
            }
            if let Some(resample) = &level.resample {
                x = resample.forward(&x)?;
                kept.push(x.clone());
            }
        }
        checkpoint(cancel)?;
        x = self.mid_resnets[0].forward(x, Some(&time))?;
        x = attend(&self.mid_attention, &x)?;
        x = self.mid_resnets[1].forward(x, Some(&time))?;
        for level in &self.up {
            for (i, resnet) in level.resnets.iter().enumerate() {
                checkpoint(cancel)?;
                if let Some(skip) = kept.pop() {
                    x = concat_channels(&x, &for_pictures(&skip, x.dim(0)?)?)?;
                }
                x = resnet.forward(x, Some(&time))?;
                if let Some(attention) = level.attentions.get(i) {
                    x = attend(attention, &x)?;
                }
            }
            if let Some(resample) = &level.resample {
                x = resample.forward_upsampled(&x)?;
            }
        }
        Ok(self.conv_out.forward_normed(&x, NormSilu::new(&self.norm_out, None), Added::Nothing)?)
    }
}
