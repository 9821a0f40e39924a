//! The denoising network of Chroma: diffusers' `ChromaTransformer2DModel`.
//!
//! FLUX.1 schnell's blocks without modulation layers: a small network, the approximator, computes the modulation
//! vectors of all blocks from the time.
//!
//! Source: lodestones 2025, <https://huggingface.co/lodestones/Chroma>, as implemented in diffusers.

mod config;

use super::embedding::{EmbeddingMlp, sinusoids};
use super::flux::{SingleBlock, THETA};
use super::joint_block::{EPS, JointBlock, JointBlockConfig};
use crate::networks::backend::{Result, Tensor};
use crate::networks::blocks::linear;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{Linear, Modulation, RmsNorm, RotaryEmbedding};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::ChromaConfig;

/// Epsilon of the approximator's norms: PyTorch's default, the distance from 1 to the next f32.
const APPROXIMATOR_EPS: f64 = f32::EPSILON as f64;
/// Factor of a time of 0..=1 and of a vector's index before the sinusoidal embedding.
const NUMBER_SCALE: f64 = 1000.0;

/// Computes the modulation vectors of all blocks.
struct Approximator {
    /// The part of the input that does not depend on the time: the embeddings of a guidance scale of 0 and of each
    /// vector's index, `[vectors, K − K/4]`.
    fixed_inputs: Tensor,
    first: Linear,
    layers: Vec<(RmsNorm, EmbeddingMlp)>,
    last: Linear,
    runtime: Runtime,
    /// Width of the time's embedding, K/4.
    time_width: usize,
}

impl Approximator {
    fn new(vb: &Parameters, config: &ChromaConfig) -> Result<Self> {
        let (inputs, hidden) = (config.approximator_num_channels, config.approximator_hidden_dim);
        let runtime = vb.runtime().clone();
        let layer = |i: usize| -> Result<(RmsNorm, EmbeddingMlp)> {
            let weight = vb.pp(format!("norms.{i}")).get(hidden, "weight")?;
            let map = EmbeddingMlp::new(&vb.pp(format!("layers.{i}")), hidden, hidden)?;
            Ok((RmsNorm::new(&runtime, &weight, APPROXIMATOR_EPS)?, map))
        };
        // The embedding of a guidance scale of 0, which the network was trained with, and that of the vector's index.
        let no_guidance = sinusoids(&runtime, 0.0, inputs / 4)?;
        let embedding = |index: usize| {
            let index = sinusoids(&runtime, NUMBER_SCALE * index as f64, inputs / 2)?;
            Tensor::cat(&[&no_guidance, &index], 1)
        };
        let fixed_inputs: Vec<Tensor> = (0..config.vectors()).map(embedding).collect::<Result<_>>()?;
        Ok(Self {
            fixed_inputs: Tensor::cat(&fixed_inputs, 0)?,
            first: linear(&vb.pp("in_proj"), inputs, hidden)?,
            layers: (0..config.approximator_layers).map(layer).collect::<Result<_>>()?,
            last: linear(&vb.pp("out_proj"), hidden, config.width())?,
            runtime,
            time_width: inputs / 4,
        })
    }

    /// The modulation vectors `[vectors, C]` at a time of 0..=1.
    fn forward(&self, time: f64) -> Result<Tensor> {
        let time = sinusoids(&self.runtime, NUMBER_SCALE * time, self.time_width)?;
        let time = time.broadcast_as((self.fixed_inputs.dim(0)?, time.dim(1)?))?.contiguous()?;
        let mut x = self.first.forward(&Tensor::cat(&[&time, &self.fixed_inputs], 1)?)?;
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

/// The conditioning from a prompt, the same at every step.
pub struct ChromaContext {
    /// Text tokens, `[1, M, C]`.
    tokens: Tensor,
}

impl ChromaContext {
    /// The text tokens, `[1, M, C]`.
    pub fn text_tokens(&self) -> &Tensor {
        &self.tokens
    }
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
            qk_norm: true,
            has_own_modulation: false,
            has_dual_attention: false,
            context_pre_only: false,
        };
        let mut double_blocks = Vec::with_capacity(config.num_layers);
        for i in 0..config.num_layers {
            check_cancelled(cancel)?;
            double_blocks.push(JointBlock::new(&vb.pp(format!("transformer_blocks.{i}")), double)?);
        }
        let mut single_blocks = Vec::with_capacity(config.num_single_layers);
        for i in 0..config.num_single_layers {
            check_cancelled(cancel)?;
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

    /// Computes the conditioning from T5's hidden states of a prompt, `[1, M, K]`.
    ///
    /// # Errors
    /// If the width is not the network's.
    pub fn context(&self, states: &Tensor) -> std::result::Result<ChromaContext, NetworkError> {
        Ok(ChromaContext { tokens: self.text_in.forward(states)? })
    }

    /// The rotary embedding of a prompt's tokens and of an image of `grid` tokens, rows and columns.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(
        &self,
        context: &ChromaContext,
        grid: [usize; 2],
    ) -> std::result::Result<RotaryEmbedding, NetworkError> {
        let text_tokens = context.tokens.dim(1)?;
        Ok(super::flux::positions(&self.runtime, text_tokens, grid, self.config.axes_dims_rope, THETA)?)
    }

    /// The flow, noise − data, for the image tokens `[1, L, 4·C]` at a time from 0 (data) to 1 (noise): `[1, L, 4·C]`.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, which is checked between blocks. If the number of tokens
    /// is not that of the positions.
    pub fn forward(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &ChromaContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> std::result::Result<Tensor, NetworkError> {
        let vectors = self.approximator.forward(time)?;
        // The order is: single-stream blocks, image streams of the double-stream blocks, their text streams, final
        // norm.
        let modulation = |first: usize, count: usize| {
            Modulation::new(&self.runtime, &vectors.narrow(0, first, count)?, self.config.width())
        };
        let image_start = 3 * self.single_blocks.len();
        let text_start = image_start + 6 * self.double_blocks.len();
        let mut text = context.tokens.clone();
        let mut image = self.image_in.forward(tokens)?;
        for (i, block) in self.double_blocks.iter().enumerate() {
            check_cancelled(cancel)?;
            let modulations = [modulation(text_start + 6 * i, 6)?, modulation(image_start + 6 * i, 6)?];
            [text, image] = block.forward_modulated([&text, &image], &modulations, Some(positions))?;
        }
        let text_tokens = text.dim(1)?;
        let mut x = Tensor::cat(&[text, image], 1)?;
        for (i, block) in self.single_blocks.iter().enumerate() {
            check_cancelled(cancel)?;
            x = block.forward_modulated(&x, &modulation(3 * i, 3)?, positions)?;
        }
        let image = x.narrow(1, text_tokens, x.dim(1)? - text_tokens)?;
        let last = modulation(self.config.vectors() - 2, 2)?;
        Ok(self.out.forward(&last.norm(0, 1, EPS)?.forward(&image)?)?)
    }
}
