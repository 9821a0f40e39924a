//! The denoising network of Z-Image: diffusers' `ZImageTransformer2DModel`.
//!
//! Source: Tongyi-MAI 2025, <https://github.com/Tongyi-MAI/Z-Image>, as implemented in diffusers.

mod block;
mod config;

use self::block::Block;
use super::embedding::{SINUSOIDS, sinusoids};
use crate::networks::backend::{Result, Tensor};
use crate::networks::blocks::linear;
use crate::networks::error::check_cancelled;
use crate::networks::ops::{LayerNorm, Linear, RmsNorm, RotaryEmbedding, silu};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::ZImageConfig;

/// Text tokens and image tokens are padded to a multiple of this.
const PAD_MULTIPLE: usize = 32;
/// Hidden width of the time embedding's MLP.
const TIME_WIDTH: usize = 1024;
/// Epsilon of the final norm.
const FINAL_EPS: f64 = 1e-6;

/// The network.
pub struct ZImageTransformer {
    runtime: Runtime,
    image_in: Linear,
    time: [Linear; 2],
    text_norm: RmsNorm,
    text_in: Linear,
    /// The learned padding tokens of image and text, `[1, C]` each.
    pad_tokens: [Tensor; 2],
    image_refiner: Vec<Block>,
    text_refiner: Vec<Block>,
    blocks: Vec<Block>,
    modulation_out: Linear,
    out: Linear,
    config: ZImageConfig,
}

/// The conditioning from a prompt, the same at every step.
pub struct ZImageContext {
    /// Text tokens, `[1, M, C]`, M a multiple of 32.
    tokens: Tensor,
}

impl ZImageContext {
    /// The text tokens, `[1, M, C]`.
    pub fn text_tokens(&self) -> &Tensor {
        &self.tokens
    }
}

/// The rotary embeddings of the image tokens, and of the image tokens with the text tokens after them.
pub struct ZImagePositions {
    image: RotaryEmbedding,
    all: RotaryEmbedding,
}

/// Tokens `[1, N, C]`, padded to a multiple of 32 with the token `pad`, `[1, C]`.
fn padded(x: &Tensor, pad: &Tensor) -> Result<Tensor> {
    let (_, tokens, width) = x.dims3()?;
    let missing = tokens.next_multiple_of(PAD_MULTIPLE) - tokens;
    if missing == 0 {
        return Ok(x.clone());
    }
    let rows = pad.reshape((1, 1, width))?.broadcast_as((1, missing, width))?.contiguous()?;
    Tensor::cat(&[x, &rows], 1)
}

/// The positions of `tokens` text tokens: from 1 on, on the first axis.
fn text_positions(tokens: usize) -> impl Iterator<Item = [f64; 3]> {
    (1..=tokens).map(|position| [position as f64, 0.0, 0.0])
}

impl ZImageTransformer {
    /// Builds the network from its weights.
    pub fn new(
        vb: &Parameters,
        config: ZImageConfig,
        cancel: &CancelToken,
    ) -> std::result::Result<Self, NetworkError> {
        config.check()?;
        let (width, time_width) = (config.dim, config.modulation());
        let blocks = |name: &str, count: usize, is_modulated: bool| {
            let mut blocks = Vec::with_capacity(count);
            for i in 0..count {
                check_cancelled(cancel)?;
                blocks.push(Block::new(&vb.pp(format!("{name}.{i}")), &config, is_modulated)?);
            }
            Ok::<_, NetworkError>(blocks)
        };
        // Embedder and final layer for patches of 2×2 latent pixels and one frame.
        let (embedder, last) = (vb.pp("all_x_embedder.2-1"), vb.pp("all_final_layer.2-1"));
        let patch = 4 * config.in_channels;
        let (time, caption) = (vb.pp("t_embedder.mlp"), vb.pp("cap_embedder"));
        let text_norm = caption.get(config.cap_feat_dim, "0.weight")?;
        Ok(Self {
            runtime: vb.runtime().clone(),
            image_in: linear(&embedder, patch, width)?,
            time: [linear(&time.pp(0), SINUSOIDS, TIME_WIDTH)?, linear(&time.pp(2), TIME_WIDTH, time_width)?],
            text_norm: RmsNorm::new(vb.runtime(), &text_norm, config.norm_eps)?,
            text_in: linear(&caption.pp(1), config.cap_feat_dim, width)?,
            pad_tokens: [vb.get((1, width), "x_pad_token")?, vb.get((1, width), "cap_pad_token")?],
            image_refiner: blocks("noise_refiner", config.n_refiner_layers, true)?,
            text_refiner: blocks("context_refiner", config.n_refiner_layers, false)?,
            blocks: blocks("layers", config.n_layers, true)?,
            modulation_out: linear(&last.pp("adaLN_modulation.1"), time_width, width)?,
            out: linear(&last.pp("linear"), width, patch)?,
            config,
        })
    }

    /// The number of image tokens with padding, for `tokens` of them.
    pub fn padded_tokens(tokens: usize) -> usize {
        tokens.next_multiple_of(PAD_MULTIPLE)
    }

    fn rotary(&self, positions: &[[f64; 3]]) -> Result<RotaryEmbedding> {
        RotaryEmbedding::of_axes(&self.runtime, positions, self.config.axes_dims, self.config.rope_theta)
    }

    /// Computes the conditioning from Qwen3's hidden states of a prompt, `[1, M, K]`.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, and if the width is not the network's.
    pub fn context(
        &self,
        states: &Tensor,
        cancel: &CancelToken,
    ) -> std::result::Result<ZImageContext, NetworkError> {
        let embedded = self.text_in.forward(&self.text_norm.forward(states)?)?;
        let mut tokens = padded(&embedded, &self.pad_tokens[1])?;
        let rotary = self.rotary(&text_positions(tokens.dim(1)?).collect::<Vec<_>>())?;
        for block in &self.text_refiner {
            check_cancelled(cancel)?;
            tokens = block.forward(&tokens, None, &rotary)?;
        }
        Ok(ZImageContext { tokens })
    }

    /// The rotary embeddings of an image of `rows` × `columns` tokens, and of the text tokens after them.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(
        &self,
        context: &ZImageContext,
        [rows, columns]: [usize; 2],
    ) -> std::result::Result<ZImagePositions, NetworkError> {
        let text_tokens = context.tokens.dim(1)?;
        let position = |row: usize, column: usize| [(text_tokens + 1) as f64, row as f64, column as f64];
        let mut all: Vec<[f64; 3]> =
            (0..rows).flat_map(|row| (0..columns).map(move |column| position(row, column))).collect();
        all.resize(all.len().next_multiple_of(PAD_MULTIPLE), [0.0; 3]);
        let image = self.rotary(&all)?;
        all.extend(text_positions(text_tokens));
        Ok(ZImagePositions { image, all: self.rotary(&all)? })
    }

    /// The flow, data − noise, for the image tokens `[1, L, 4·C]` at `time`, from 0 (noise) to 1 (data): `[1, L, 4·C]`.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, which is checked between blocks. If the number of tokens
    /// is not that of the positions.
    pub fn forward(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &ZImageContext,
        positions: &ZImagePositions,
        cancel: &CancelToken,
    ) -> std::result::Result<Tensor, NetworkError> {
        let row = sinusoids(&self.runtime, time * self.config.t_scale, SINUSOIDS)?;
        let time = self.time[1].forward(&silu(&self.runtime, &self.time[0].forward(&row)?)?)?;
        let image_tokens = tokens.dim(1)?;
        let mut image = padded(&self.image_in.forward(tokens)?, &self.pad_tokens[0])?;
        for block in &self.image_refiner {
            check_cancelled(cancel)?;
            image = block.forward(&image, Some(&time), &positions.image)?;
        }
        let mut x = Tensor::cat(&[&image, &context.tokens], 1)?;
        for block in &self.blocks {
            check_cancelled(cancel)?;
            x = block.forward(&x, Some(&time), &positions.all)?;
        }
        let scale = (self.modulation_out.forward(&silu(&self.runtime, &time)?)?.flatten_all()? + 1.0)?;
        let norm = LayerNorm::new(&self.runtime, &scale, &scale.affine(0.0, 0.0)?, FINAL_EPS)?;
        Ok(self.out.forward(&norm.forward(&x.narrow(1, 0, image_tokens)?)?)?)
    }
}
