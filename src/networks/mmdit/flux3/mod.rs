//! The denoising network of FLUX.3 for text-to-image: diffusers' `Flux3Transformer2DModel` without reference pictures.
//!
//! Source: Black Forest Labs 2026, in diffusers' arrangement.

mod block;
mod config;

use self::block::Block;
use super::embedding::{EmbeddingMlp, SINUSOIDS};
use crate::networks::backend::Tensor;
use crate::networks::blocks::linear_no_bias;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, silu};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::Flux3Config;

/// Factor on a time of 0..=1 before its sinusoidal embedding.
const TIME_SCALE: f64 = 1000.0;
/// Image tokens lie half a position apart.
const IMAGE_SPACING: f64 = 0.5;

/// A stream: its own blocks, and its modulation in them and in the joint ones.
struct Stream {
    input: Linear,
    blocks: Vec<Block>,
    modulation: Linear,
    joint_modulation: Linear,
}

/// The network.
pub struct Flux3Transformer {
    runtime: Runtime,
    text: Stream,
    image: Stream,
    time: EmbeddingMlp,
    /// Of the time that a step leads to, in flow maps.
    target_time: Option<EmbeddingMlp>,
    joint_blocks: Vec<Block>,
    modulation_out: Linear,
    out: Linear,
    config: Flux3Config,
}

/// The prompt's tokens before their own blocks, `[1, M, C]`, the same at every step.
pub struct Flux3Context(Tensor);

impl Flux3Context {
    /// The text tokens, `[1, M, C]`.
    pub fn text_tokens(&self) -> &Tensor {
        &self.0
    }
}

/// The rotary embeddings of a prompt, of a picture, and of both.
pub struct Flux3Positions {
    text: RotaryEmbedding,
    image: RotaryEmbedding,
    joint: RotaryEmbedding,
}

impl Flux3Transformer {
    /// Builds the network from its weights.
    pub fn new(vb: &Parameters, config: Flux3Config, cancel: &CancelToken) -> Result<Self, NetworkError> {
        config.check()?;
        let width = config.width();
        let blocks = |kind: &str, count: usize| {
            let mut blocks = Vec::with_capacity(count);
            for i in 0..count {
                check_cancelled(cancel)?;
                blocks.push(Block::new(&vb.pp(format!("{kind}.{i}")), &config)?);
            }
            Ok::<_, NetworkError>(blocks)
        };
        let stream = |name: &str, input: Linear, kind: &str| {
            let modulation = |of: &str| linear_no_bias(&vb.pp(of).pp(name).pp("linear"), width, 3 * width);
            Ok::<_, NetworkError>(Stream {
                input,
                blocks: blocks(kind, config.num_layers)?,
                modulation: modulation("early_stream_modulations")?,
                joint_modulation: modulation("single_stream_modulations")?,
            })
        };
        let time = |name: &str| EmbeddingMlp::without_biases(&vb.pp(name), SINUSOIDS, width);
        let text_in = linear_no_bias(&vb.pp("context_embedder"), config.joint_attention_dim, width)?;
        let image_in = linear_no_bias(&vb.pp("x_embedders.image"), config.in_channels, width)?;
        Ok(Self {
            runtime: vb.runtime().clone(),
            text: stream("txt", text_in, "txt_mode_blocks")?,
            image: stream("image", image_in, "mode_blocks.image")?,
            time: time("timestep_embedder")?,
            target_time: config.flow_map.then(|| time("target_timestep_embedder")).transpose()?,
            joint_blocks: blocks("single_transformer_blocks", config.num_single_layers)?,
            modulation_out: linear_no_bias(&vb.pp("norm_out.linear"), width, 2 * width)?,
            out: linear_no_bias(&vb.pp("proj_out"), width, config.in_channels)?,
            config,
        })
    }

    /// Embeds a prompt's hidden states `[1, M, K]`.
    ///
    /// # Errors
    /// If the width of the states is not `joint_attention_dim`.
    pub fn context(&self, states: &Tensor) -> Result<Flux3Context, NetworkError> {
        Ok(Flux3Context(self.text.input.forward(states)?))
    }

    /// The rotary embeddings of a prompt and of a picture of `rows` × `columns` tokens. The axes are time, row, column
    /// and text position.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(
        &self,
        context: &Flux3Context,
        [rows, columns]: [usize; 2],
    ) -> Result<Flux3Positions, NetworkError> {
        let Flux3Config { axes_dims_rope, rope_theta, .. } = self.config;
        let rotary = |positions: &[[f64; 4]]| {
            RotaryEmbedding::of_axes(&self.runtime, positions, axes_dims_rope, rope_theta)
        };
        let text: Vec<[f64; 4]> = (0..context.0.dim(1)?).map(|place| [0.0, 0.0, 0.0, place as f64]).collect();
        let place =
            |row: usize, column: usize| [0.0, IMAGE_SPACING * row as f64, IMAGE_SPACING * column as f64, 0.0];
        let image: Vec<[f64; 4]> =
            (0..rows).flat_map(|row| (0..columns).map(move |column| place(row, column))).collect();
        Ok(Flux3Positions {
            joint: rotary(&[text.as_slice(), image.as_slice()].concat())?,
            text: rotary(&text)?,
            image: rotary(&image)?,
        })
    }

    /// The flow for the tokens of a noisy latent `[1, L, 4·C]` at a time of 0..=1, its share of noise: `[1, L, 4·C]`.
    /// `target`: the time that the step leads to, which flow maps take.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job was stopped, checked between blocks. If the number of tokens is not that
    /// of the positions.
    pub fn forward(
        &self,
        tokens: &Tensor,
        [time, target]: [f64; 2],
        context: &Flux3Context,
        positions: &Flux3Positions,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let width = self.config.width();
        let target_time = self.target_time.as_ref();
        let target = target_time.map(|embed| embed.of_number(TIME_SCALE * target)).transpose()?;
        // The text is at a time of 0.
        let vector = |time: f64| {
            let mut vector = self.time.of_number(TIME_SCALE * time)?;
            if let Some(target) = &target {
                vector = (vector + target)?;
            }
            silu(&self.runtime, &vector)
        };
        let (of_text, of_image) = (vector(0.0)?, vector(time)?);
        let modulation =
            |map: &Linear, vector: &Tensor| Modulation::new(&self.runtime, &map.forward(vector)?, width);
        let alone = |stream: &Stream, x: Tensor, vector: &Tensor, rotary: &RotaryEmbedding| {
            let modulation = modulation(&stream.modulation, vector)?;
            let mut x = [x];
            for block in &stream.blocks {
                check_cancelled(cancel)?;
                x = block.forward(&x, [&modulation], rotary)?;
            }
            let [x] = x;
            Ok::<_, NetworkError>(x)
        };
        let text = alone(&self.text, context.0.clone(), &of_text, &positions.text)?;
        let image = alone(&self.image, self.image.input.forward(tokens)?, &of_image, &positions.image)?;
        let modulations = [
            &modulation(&self.text.joint_modulation, &of_text)?,
            &modulation(&self.image.joint_modulation, &of_image)?,
        ];
        let mut streams = [text, image];
        for block in &self.joint_blocks {
            check_cancelled(cancel)?;
            streams = block.forward(&streams, modulations, &positions.joint)?;
        }
        let [_, image] = streams;
        let norm = modulation(&self.modulation_out, &of_image)?.norm(1, 0, self.config.eps)?;
        Ok(self.out.forward(&norm.forward(&image)?)?)
    }
}
