//! The denoising network of FLUX.1: diffusers' `FluxTransformer2DModel`.
//!
//! Source: Black Forest Labs 2024, <https://github.com/black-forest-labs/flux>, as implemented in diffusers.

mod config;
mod single_block;

pub(super) use self::single_block::SingleBlock;
use super::embedding::{EmbeddingMlp, SINUSOIDS};
use super::joint_block::{EPS, JointBlock, JointBlockConfig};
use crate::networks::backend::{self, Tensor};
use crate::networks::blocks::linear;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, silu};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::FluxConfig;

/// The base of the rotary frequencies.
pub(super) const THETA: f64 = 10_000.0;
/// Factor of a time of 0..=1 and of a guidance scale before the sinusoidal embedding.
const NUMBER_SCALE: f64 = 1000.0;

/// The network.
pub struct FluxTransformer {
    runtime: Runtime,
    image_in: Linear,
    text_in: Linear,
    time: EmbeddingMlp,
    guidance: Option<EmbeddingMlp>,
    pooled: EmbeddingMlp,
    double_blocks: Vec<JointBlock>,
    single_blocks: Vec<SingleBlock>,
    modulation_out: Linear,
    out: Linear,
    config: FluxConfig,
}

/// The conditioning from a prompt, the same at every step.
pub struct FluxContext {
    /// Text tokens, `[1, M, C]`.
    tokens: Tensor,
    /// Sum of the embeddings of pooled text and guidance scale, `[1, C]`.
    vector: Tensor,
}

impl FluxContext {
    /// The text tokens, `[1, M, C]`.
    pub fn text_tokens(&self) -> &Tensor {
        &self.tokens
    }
}

/// The rotary embedding of `text_tokens` text tokens, which all have position 0, and of an image of `rows` × `columns`
/// tokens.
pub(super) fn positions(
    runtime: &Runtime,
    text_tokens: usize,
    [rows, columns]: [usize; 2],
    axes: [usize; 3],
    theta: f64,
) -> backend::Result<RotaryEmbedding> {
    let image = (0..rows).flat_map(|row| (0..columns).map(move |column| [0.0, row as f64, column as f64]));
    let all: Vec<[f64; 3]> = std::iter::repeat_n([0.0; 3], text_tokens).chain(image).collect();
    RotaryEmbedding::of_axes(runtime, &all, axes, theta)
}

impl FluxTransformer {
    /// Builds the network from its weights.
    pub fn new(vb: &Parameters, config: FluxConfig, cancel: &CancelToken) -> Result<Self, NetworkError> {
        config.check()?;
        let width = config.width();
        let double = JointBlockConfig {
            width,
            heads: config.num_attention_heads,
            qk_norm: true,
            has_own_modulation: true,
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
            single_blocks.push(SingleBlock::new(&vb, width, config.num_attention_heads, true)?);
        }
        let embed = vb.pp("time_text_embed");
        let number = |name: &str| EmbeddingMlp::new(&embed.pp(name), SINUSOIDS, width);
        Ok(Self {
            runtime: vb.runtime().clone(),
            image_in: linear(&vb.pp("x_embedder"), config.in_channels, width)?,
            text_in: linear(&vb.pp("context_embedder"), config.joint_attention_dim, width)?,
            time: number("timestep_embedder")?,
            guidance: config.guidance_embeds.then(|| number("guidance_embedder")).transpose()?,
            pooled: EmbeddingMlp::new(&embed.pp("text_embedder"), config.pooled_projection_dim, width)?,
            double_blocks,
            single_blocks,
            modulation_out: linear(&vb.pp("norm_out.linear"), width, 2 * width)?,
            out: linear(&vb.pp("proj_out"), width, config.in_channels)?,
            config,
        })
    }

    /// Computes the conditioning from T5's hidden states of a prompt `[1, M, K]`, CLIP's pooled embedding `[1, P]` and
    /// the guidance scale, which has no effect in networks without a guidance embedding.
    ///
    /// # Errors
    /// If the widths are not the network's.
    pub fn context(
        &self,
        states: &Tensor,
        pooled: &Tensor,
        guidance_scale: f64,
    ) -> Result<FluxContext, NetworkError> {
        let mut vector = self.pooled.forward(pooled)?;
        if let Some(guidance) = &self.guidance {
            vector = (vector + guidance.of_number(NUMBER_SCALE * guidance_scale)?)?;
        }
        Ok(FluxContext { tokens: self.text_in.forward(states)?, vector })
    }

    /// The rotary embedding of `text_tokens` text tokens and of an image of `grid` tokens, rows and columns.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(&self, text_tokens: usize, grid: [usize; 2]) -> Result<RotaryEmbedding, NetworkError> {
        Ok(positions(&self.runtime, text_tokens, grid, self.config.axes_dims_rope, THETA)?)
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
        context: &FluxContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let vector = (self.time.of_number(NUMBER_SCALE * time)? + &context.vector)?;
        let vector = silu(&self.runtime, &vector)?;
        let mut text = context.tokens.clone();
        let mut image = self.image_in.forward(tokens)?;
        for block in &self.double_blocks {
            check_cancelled(cancel)?;
            [text, image] = block.forward([&text, &image], &vector, Some(positions))?;
        }
        let text_tokens = text.dim(1)?;
        let mut x = Tensor::cat(&[text, image], 1)?;
        for block in &self.single_blocks {
            check_cancelled(cancel)?;
            x = block.forward(&x, &vector, positions)?;
        }
        let image = x.narrow(1, text_tokens, x.dim(1)? - text_tokens)?;
        let modulation =
            Modulation::new(&self.runtime, &self.modulation_out.forward(&vector)?, self.config.width())?;
        Ok(self.out.forward(&modulation.norm(1, 0, EPS)?.forward(&image)?)?)
    }
}
