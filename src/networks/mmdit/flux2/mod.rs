//! The denoising network of FLUX.2: diffusers' `Flux2Transformer2DModel`.
//!
//! Source: Black Forest Labs 2025, <https://github.com/black-forest-labs/flux2>, as implemented in diffusers.

mod blocks;
mod config;

use self::blocks::{DoubleBlock, SingleBlock};
use super::embedding::{EmbeddingMlp, SINUSOIDS};
use crate::networks::backend::Tensor;
use crate::networks::blocks::linear_no_bias;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{Linear, Modulation, RotaryEmbedding, silu};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::Flux2Config;

/// Factor of a time of 0..=1 and of a guidance scale before the sinusoidal embedding.
const NUMBER_SCALE: f64 = 1000.0;

/// The network.
pub struct Flux2Transformer {
    runtime: Runtime,
    image_in: Linear,
    text_in: Linear,
    time: EmbeddingMlp,
    guidance: Option<EmbeddingMlp>,
    /// To the modulation of all double-stream blocks, of text and of image, and of all single-stream blocks.
    modulations: [Linear; 3],
    double_blocks: Vec<DoubleBlock>,
    single_blocks: Vec<SingleBlock>,
    modulation_out: Linear,
    out: Linear,
    config: Flux2Config,
}

/// The conditioning from a prompt, the same at every step.
pub struct Flux2Context {
    /// Text tokens, `[1, M, C]`.
    tokens: Tensor,
    /// Embedded guidance scale, `[1, C]`, in networks that take one.
    guidance: Option<Tensor>,
}

impl Flux2Context {
    /// The text tokens, `[1, M, C]`.
    pub fn text_tokens(&self) -> &Tensor {
        &self.tokens
    }
}

impl Flux2Transformer {
    /// Builds the network from its weights.
    pub fn new(vb: &Parameters, config: Flux2Config, cancel: &CancelToken) -> Result<Self, NetworkError> {
        config.check()?;
        let width = config.width();
        let mut double_blocks = Vec::with_capacity(config.num_layers);
        for i in 0..config.num_layers {
            check_cancelled(cancel)?;
            double_blocks.push(DoubleBlock::new(&vb.pp(format!("transformer_blocks.{i}")), &config)?);
        }
        let mut single_blocks = Vec::with_capacity(config.num_single_layers);
        for i in 0..config.num_single_layers {
            check_cancelled(cancel)?;
            let vb = vb.pp(format!("single_transformer_blocks.{i}"));
            single_blocks.push(SingleBlock::new(&vb, &config)?);
        }
        let embed = vb.pp("time_guidance_embed");
        let number = |name: &str| EmbeddingMlp::without_biases(&embed.pp(name), SINUSOIDS, width);
        let modulation =
            |name: &str, vectors: usize| linear_no_bias(&vb.pp(name).pp("linear"), width, vectors * width);
        Ok(Self {
            runtime: vb.runtime().clone(),
            image_in: linear_no_bias(&vb.pp("x_embedder"), config.in_channels, width)?,
            text_in: linear_no_bias(&vb.pp("context_embedder"), config.joint_attention_dim, width)?,
            time: number("timestep_embedder")?,
            guidance: config.guidance_embeds.then(|| number("guidance_embedder")).transpose()?,
            modulations: [
                modulation("double_stream_modulation_txt", 6)?,
                modulation("double_stream_modulation_img", 6)?,
                modulation("single_stream_modulation", 3)?,
            ],
            double_blocks,
            single_blocks,
            modulation_out: linear_no_bias(&vb.pp("norm_out.linear"), width, 2 * width)?,
            out: linear_no_bias(&vb.pp("proj_out"), width, config.in_channels)?,
            config,
        })
    }

    /// Embeds a prompt's hidden states `[1, M, K]` and the guidance scale, which has no effect in networks without a
    /// guidance embedding.
    ///
    /// # Errors
    /// If the width of the states is not `joint_attention_dim`.
    pub fn context(&self, states: &Tensor, guidance_scale: f64) -> Result<Flux2Context, NetworkError> {
        let guidance = self.guidance.as_ref();
        let guidance = guidance.map(|embed| embed.of_number(NUMBER_SCALE * guidance_scale)).transpose()?;
        Ok(Flux2Context { tokens: self.text_in.forward(states)?, guidance })
    }

    /// The rotary embedding of the text tokens and of an image of `rows` × `columns` tokens. The axes are time, row,
    /// column and text position.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(
        &self,
        context: &Flux2Context,
        [rows, columns]: [usize; 2],
    ) -> Result<RotaryEmbedding, NetworkError> {
        let text = (0..context.tokens.dim(1)?).map(|position| [0.0, 0.0, 0.0, position as f64]);
        let image =
            (0..rows).flat_map(|row| (0..columns).map(move |column| [0.0, row as f64, column as f64, 0.0]));
        let all: Vec<[f64; 4]> = text.chain(image).collect();
        let Flux2Config { axes_dims_rope, rope_theta, .. } = self.config;
        Ok(RotaryEmbedding::of_axes(&self.runtime, &all, axes_dims_rope, rope_theta)?)
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
        context: &Flux2Context,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        let width = self.config.width();
        let mut vector = self.time.of_number(NUMBER_SCALE * time)?;
        if let Some(guidance) = &context.guidance {
            vector = (vector + guidance)?;
        }
        let vector = silu(&self.runtime, &vector)?;
        let modulation = |map: &Linear| Modulation::new(&self.runtime, &map.forward(&vector)?, width);
        let [of_text, of_image, of_both] = &self.modulations;
        let of_streams = [modulation(of_text)?, modulation(of_image)?];
        let of_both = modulation(of_both)?;
        let mut text = context.tokens.clone();
        let mut image = self.image_in.forward(tokens)?;
        for block in &self.double_blocks {
            check_cancelled(cancel)?;
            [text, image] = block.forward([&text, &image], &of_streams, positions)?;
        }
        let text_tokens = text.dim(1)?;
        let mut x = Tensor::cat(&[text, image], 1)?;
        for block in &self.single_blocks {
            check_cancelled(cancel)?;
            x = block.forward(&x, &of_both, positions)?;
        }
        let image = x.narrow(1, text_tokens, x.dim(1)? - text_tokens)?;
        let norm = modulation(&self.modulation_out)?.norm(1, 0, self.config.eps)?;
        Ok(self.out.forward(&norm.forward(&image)?)?)
    }
}
