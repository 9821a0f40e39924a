//! The denoising network of Stable Diffusion 3 and 3.5: diffusers' `SD3Transformer2DModel`.
//!
//! Source: Esser et al. 2024, <https://arxiv.org/abs/2403.03206>, as implemented in diffusers.

mod config;

use super::embedding::{EmbeddingMlp, SINUSOIDS};
use super::joint_block::{EPS, JointBlock, JointBlockConfig};
use crate::networks::backend::{Error, Tensor};
use crate::networks::blocks::linear;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{Linear, Modulation, silu};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, LayerSet};

pub use config::Sd3Config;

/// Factor of a time of 0..=1 before the sinusoidal embedding.
const TIME_SCALE: f64 = 1000.0;

/// The network.
pub struct Sd3Transformer {
    runtime: Runtime,
    image_in: Linear,
    /// The position embedding table, `[E, E, C]`.
    positions: Tensor,
    text_in: Linear,
    time: EmbeddingMlp,
    pooled: EmbeddingMlp,
    blocks: Vec<JointBlock>,
    modulation_out: Linear,
    out: Linear,
    config: Sd3Config,
}

/// The conditioning from a prompt, the same at every step.
pub struct Sd3Context {
    /// Text tokens, `[1, M, C]`.
    tokens: Tensor,
    /// Embedding of the pooled text, `[1, C]`.
    vector: Tensor,
}

impl Sd3Context {
    /// The text tokens, `[1, M, C]`.
    pub fn text_tokens(&self) -> &Tensor {
        &self.tokens
    }
}

impl Sd3Transformer {
    /// Builds the network from its weights.
    pub fn new(vb: &Parameters, config: Sd3Config, cancel: &CancelToken) -> Result<Self, NetworkError> {
        config.check()?;
        let (width, edge) = (config.width(), config.pos_embed_max_size);
        let mut blocks = Vec::with_capacity(config.num_layers);
        for i in 0..config.num_layers {
            check_cancelled(cancel)?;
            let block = JointBlockConfig {
                width,
                heads: config.num_attention_heads,
                qk_norm: config.qk_norm.is_some(),
                has_own_modulation: true,
                has_dual_attention: config.dual_attention_layers.contains(&i),
                context_pre_only: i + 1 == config.num_layers,
            };
            blocks.push(JointBlock::new(&vb.pp(format!("transformer_blocks.{i}")), block)?);
        }
        // The patch embedding is a convolution with stride 2, which is a linear layer of each patch in channel-major
        // order.
        let patch = vb.pp("pos_embed");
        let weight = patch.stored((width, config.in_channels, 2, 2), "proj.weight")?;
        let weight = weight.reshaped(&[width, 4 * config.in_channels]);
        let image_in = Linear::new(vb.runtime(), &weight, Some(&patch.stored(width, "proj.bias")?))?;
        let positions = patch.get((1, edge * edge, width), "pos_embed")?.reshape((edge, edge, width))?;
        let embed = vb.pp("time_text_embed");
        Ok(Self {
            runtime: vb.runtime().clone(),
            image_in,
            positions,
            text_in: linear(&vb.pp("context_embedder"), config.joint_attention_dim, width)?,
            time: EmbeddingMlp::new(&embed.pp("timestep_embedder"), SINUSOIDS, width)?,
            pooled: EmbeddingMlp::new(&embed.pp("text_embedder"), config.pooled_projection_dim, width)?,
            blocks,
            modulation_out: linear(&vb.pp("norm_out.linear"), width, 2 * width)?,
            out: linear(&vb.pp("proj_out"), width, 4 * config.in_channels)?,
            config,
        })
    }

    /// Computes the conditioning from a prompt's hidden states `[1, M, K]` and pooled text embedding `[1, P]`.
    ///
    /// # Errors
    /// If the widths are not the network's.
    pub fn context(&self, states: &Tensor, pooled: &Tensor) -> Result<Sd3Context, NetworkError> {
        Ok(Sd3Context { tokens: self.text_in.forward(states)?, vector: self.pooled.forward(pooled)? })
    }

    /// The position embeddings of an image of `rows` × `columns` tokens, cropped from the centre of the table: `[1, L,
    /// C]`.
    ///
    /// # Errors
    /// If the table is smaller than the image.
    pub fn positions(&self, [rows, columns]: [usize; 2]) -> Result<Tensor, NetworkError> {
        let edge = self.config.pos_embed_max_size;
        if rows > edge || columns > edge {
            let message = format!(
                "the network knows positions for {edge}×{edge} tokens of 2×2 latent pixels, and the picture has \
                 {columns}×{rows}: choose a smaller picture"
            );
            return Err(Error::Msg(message).into());
        }
        let table = self.positions.narrow(0, (edge - rows) / 2, rows)?;
        let table = table.narrow(1, (edge - columns) / 2, columns)?.contiguous()?;
        Ok(table.reshape((1, rows * columns, self.config.width()))?)
    }

    /// The flow, noise − data, for the image tokens `[1, L, 4·C]` at a time from 0 (data) to 1 (noise): `[1, L, 4·C]`.
    /// `skipped`: layers that are left out, for skip-layer guidance. The values of input patches are channels-first, those of output patches channels-last.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, which is checked between blocks. If the number of tokens
    /// is not that of the positions.
    pub fn forward(
        &self,
        tokens: &Tensor,
        time: f64,
        skipped: LayerSet,
        context: &Sd3Context,
        positions: &Tensor,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let vector = (self.time.of_number(TIME_SCALE * time)? + &context.vector)?;
        let vector = silu(&self.runtime, &vector)?;
        let mut text = context.tokens.clone();
        let mut image = self.image_in.forward_add(tokens, positions)?;
        for (_, block) in self.blocks.iter().enumerate().filter(|(layer, _)| !skipped.contains(*layer)) {
            check_cancelled(cancel)?;
            [text, image] = block.forward([&text, &image], &vector, None)?;
        }
        let row = self.modulation_out.forward(&vector)?;
        let modulation = Modulation::new(&self.runtime, &row, self.config.width())?;
        Ok(self.out.forward(&modulation.norm(1, 0, EPS)?.forward(&image)?)?)
    }
}
