//! The denoising network of Chroma: diffusers' `ChromaTransformer2DModel`.
//!
//! FLUX.1 schnell's blocks without their modulation: a small network, the approximator, computes the vectors of all of
//! them from the time.
//!
//! Source: lodestones 2025, <https://huggingface.co/lodestones/Chroma>, in diffusers' arrangement.

mod config;

use candle_core::{Result, Tensor};

use super::embedding::{EmbeddingMlp, sinusoids};
use super::flux::{SingleBlock, THETA};
use super::joint_block::{EPS, JointBlock, JointBlockConfig};
use crate::networks::blocks::linear;
use crate::networks::error::checkpoint;
use crate::networks::ops::{Linear, Modulation, RmsNorm, RotaryEmbedding};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::ChromaConfig;

/// Epsilon of the approximator's norms: PyTorch's default, the distance from 1 to the next f32.
const APPROXIMATOR_EPS: f64 = f32::EPSILON as f64;
/// What a time of 0..=1 and a vector's number are multiplied by before they are embedded.
const NUMBER_SCALE: f64 = 1000.0;

/// Computes the vectors that modulate all blocks.
struct Approximator {
    /// What it is told of each vector but the time, `[vectors, K − K/4]`.
    numbers: Tensor,
    first: Linear,
    layers: Vec<(RmsNorm, EmbeddingMlp)>,
    last: Linear,
    runtime: Runtime,
    /// Values of the time's embedding.
    of_time: usize,
}

impl Approximator {
    fn new(vb: &Parameters, config: &ChromaConfig) -> Result<Self> {
        let (told, hidden) = (config.approximator_num_channels, config.approximator_hidden_dim);
        let runtime = vb.runtime().clone();
        let layer = |i: usize| -> Result<(RmsNorm, EmbeddingMlp)> {
            let weight = vb.pp(format!("norms.{i}")).get(hidden, "weight")?;
            let map = EmbeddingMlp::new(&vb.pp(format!("layers.{i}")), hidden, hidden)?;
            Ok((RmsNorm::new(&runtime, &weight, APPROXIMATOR_EPS)?, map))
        };
        // A guidance scale of 0, which the network was trained with, and the vector's number.
        let nothing = sinusoids(&runtime, 0.0, told / 4)?;
        let number = |number: usize| {
            let number = sinusoids(&runtime, NUMBER_SCALE * number as f64, told / 2)?;
            Tensor::cat(&[&nothing, &number], 1)
        };
        let numbers: Vec<Tensor> = (0..config.vectors()).map(number).collect::<Result<_>>()?;
        Ok(Self {
            numbers: Tensor::cat(&numbers, 0)?,
            first: linear(&vb.pp("in_proj"), told, hidden)?,
            layers: (0..config.approximator_layers).map(layer).collect::<Result<_>>()?,
            last: linear(&vb.pp("out_proj"), hidden, config.width())?,
            runtime,
            of_time: told / 4,
        })
    }

    /// `[vectors, C]` at a time of 0..=1.
    fn forward(&self, time: f64) -> Result<Tensor> {
        let time = sinusoids(&self.runtime, NUMBER_SCALE * time, self.of_time)?;
        let time = time.broadcast_as((self.numbers.dim(0)?, time.dim(1)?))?.contiguous()?;
        let mut x = self.first.forward(&Tensor::cat(&[&time, &self.numbers], 1)?)?;
        for (norm, map) in &self.layers {
            x = (&x + map.forward(&norm.forward(&x)?)?)?;
        }
        self.last.forward(&x)
    }
}

/// The network.
pub struct ChromaTransformer {
    runtime: Runtime,
    image_in: Linear,
    text_in: Linear,
    approximator: Approximator,
    double_blocks: Vec<JointBlock>,
    single_blocks: Vec<SingleBlock>,
    out: Linear,
    config: ChromaConfig,
}

/// What the network makes of a prompt, the same at every step.
pub struct ChromaContext {
    /// `[1, M, C]`.
    tokens: Tensor,
}

impl ChromaTransformer {
    /// Builds the network from its weights.
    pub fn new(
        vb: &Parameters,
        config: ChromaConfig,
        cancel: &CancelToken,
    ) -> std::result::Result<Self, NetworkError> {
        config.check()?;
        let (width, heads) = (config.width(), config.num_attention_heads);
        let double = JointBlockConfig {
            width,
            heads,
            norms_heads: true,
            is_modulated_inside: false,
            has_image_attention: false,
            reads_text_only: false,
        };
        let mut double_blocks = Vec::with_capacity(config.num_layers);
        for i in 0..config.num_layers {
            checkpoint(cancel)?;
            double_blocks.push(JointBlock::new(&vb.pp(format!("transformer_blocks.{i}")), double)?);
        }
        let mut single_blocks = Vec::with_capacity(config.num_single_layers);
        for i in 0..config.num_single_layers {
            checkpoint(cancel)?;
            let vb = vb.pp(format!("single_transformer_blocks.{i}"));
            single_blocks.push(SingleBlock::new(&vb, width, heads, false)?);
        }
        Ok(Self {
            runtime: vb.runtime().clone(),
            image_in: linear(&vb.pp("x_embedder"), config.in_channels, width)?,
            text_in: linear(&vb.pp("context_embedder"), config.joint_attention_dim, width)?,
            approximator: Approximator::new(&vb.pp("distilled_guidance_layer"), &config)?,
            double_blocks,
            single_blocks,
            out: linear(&vb.pp("proj_out"), width, config.in_channels)?,
            config,
        })
    }

    /// What the network makes of a prompt's states `[1, M, K]`.
    ///
    /// # Errors
    /// If the width is not the network's.
    pub fn context(&self, states: &Tensor) -> std::result::Result<ChromaContext, NetworkError> {
        Ok(ChromaContext { tokens: self.text_in.forward(states)? })
    }

    /// Where the tokens of a prompt and of a picture of `rows` × `columns` tokens are.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(
        &self,
        context: &ChromaContext,
        grid: [usize; 2],
    ) -> std::result::Result<RotaryEmbedding, NetworkError> {
        let words = context.tokens.dim(1)?;
        Ok(super::flux::positions(&self.runtime, words, grid, self.config.axes_dims_rope, THETA)?)
    }

    /// The flow for the tokens of a noisy picture `[1, L, 4·C]` at a time of 0..=1, which is its share of noise:
    /// `[1, L, 4·C]`.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job was stopped; it is looked at between blocks. If there are not as many
    /// tokens as positions.
    pub fn forward(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &ChromaContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> std::result::Result<Tensor, NetworkError> {
        let vectors = self.approximator.forward(time)?;
        // Those of the single blocks come first, then the images' of the double blocks, then the texts'.
        let modulation = |first: usize, count: usize| {
            Modulation::new(&self.runtime, &vectors.narrow(0, first, count)?, self.config.width())
        };
        let of_images = 3 * self.single_blocks.len();
        let of_texts = of_images + 6 * self.double_blocks.len();
        let mut text = context.tokens.clone();
        let mut image = self.image_in.forward(tokens)?;
        for (i, block) in self.double_blocks.iter().enumerate() {
            checkpoint(cancel)?;
            let modulations = [modulation(of_texts + 6 * i, 6)?, modulation(of_images + 6 * i, 6)?];
            [text, image] = block.forward_modulated([&text, &image], &modulations, Some(positions))?;
        }
        let words = text.dim(1)?;
        let mut x = Tensor::cat(&[text, image], 1)?;
        for (i, block) in self.single_blocks.iter().enumerate() {
            checkpoint(cancel)?;
            x = block.forward_modulated(&x, &modulation(3 * i, 3)?, positions)?;
        }
        let image = x.narrow(1, words, x.dim(1)? - words)?;
        let last = modulation(self.config.vectors() - 2, 2)?;
        Ok(self.out.forward(&last.norm(0, 1, EPS)?.forward(&image)?)?)
    }
}
