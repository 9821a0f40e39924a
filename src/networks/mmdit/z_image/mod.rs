//! The denoising network of Z-Image: diffusers' `ZImageTransformer2DModel`.
//!
//! Source: Tongyi-MAI 2025, <https://github.com/Tongyi-MAI/Z-Image>, in diffusers' arrangement.

mod block;
mod config;

use candle_core::{Result, Tensor};

use self::block::Block;
use super::embedding::{SINUSOIDS, sinusoids};
use crate::networks::blocks::linear;
use crate::networks::error::checkpoint;
use crate::networks::ops::{LayerNorm, Linear, RmsNorm, RotaryEmbedding, silu};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;

pub use config::ZImageConfig;

/// Tokens of a prompt and of a picture are filled up to a multiple of this.
const MULTIPLE: usize = 32;
/// Width between the two maps of the time's embedding.
const TIME_WIDTH: usize = 1024;
/// Epsilon of the last norm.
const FINAL_EPS: f64 = 1e-6;

/// The network.
pub struct ZImageTransformer {
    runtime: Runtime,
    image_in: Linear,
    time: [Linear; 2],
    text_norm: RmsNorm,
    text_in: Linear,
    /// What stands for a token that fills up, `[1, C]`: of a picture, of a prompt.
    fill: [Tensor; 2],
    image_refiner: Vec<Block>,
    text_refiner: Vec<Block>,
    blocks: Vec<Block>,
    modulation_out: Linear,
    out: Linear,
    config: ZImageConfig,
}

/// What the network makes of a prompt, the same at every step.
pub struct ZImageContext {
    /// `[1, M, C]`, M a multiple of 32.
    tokens: Tensor,
}

/// Where the tokens of a picture are, and of a picture with a prompt after it.
pub struct ZImagePositions {
    image: RotaryEmbedding,
    all: RotaryEmbedding,
}

/// `[1, N, C]` with as many rows `[1, C]` after them as fill up a multiple of 32.
fn filled(x: &Tensor, fill: &Tensor) -> Result<Tensor> {
    let (_, tokens, width) = x.dims3()?;
    let missing = tokens.next_multiple_of(MULTIPLE) - tokens;
    if missing == 0 {
        return Ok(x.clone());
    }
    let rows = fill.reshape((1, 1, width))?.broadcast_as((1, missing, width))?.contiguous()?;
    Tensor::cat(&[x, &rows], 1)
}

/// The positions of `tokens` of a prompt: from 1 on, on the first axis.
fn text_positions(tokens: usize) -> impl Iterator<Item = [f64; 3]> {
    (1..=tokens).map(|place| [place as f64, 0.0, 0.0])
}

impl ZImageTransformer {
    /// Builds the network from its weights.
    pub fn new(
        vb: &Parameters,
        config: ZImageConfig,
        cancel: &CancelToken,
    ) -> std::result::Result<Self, NetworkError> {
        config.check()?;
        let (width, of_time) = (config.dim, config.modulation());
        let blocks = |name: &str, count: usize, is_modulated: bool| {
            let mut blocks = Vec::with_capacity(count);
            for i in 0..count {
                checkpoint(cancel)?;
                blocks.push(Block::new(&vb.pp(format!("{name}.{i}")), &config, is_modulated)?);
            }
            Ok::<_, NetworkError>(blocks)
        };
        // Embedder and last layer of patches of 2×2 pixels in one picture.
        let (embedder, last) = (vb.pp("all_x_embedder.2-1"), vb.pp("all_final_layer.2-1"));
        let patch = 4 * config.in_channels;
        let (time, caption) = (vb.pp("t_embedder.mlp"), vb.pp("cap_embedder"));
        let text_norm = caption.get(config.cap_feat_dim, "0.weight")?;
        Ok(Self {
            runtime: vb.runtime().clone(),
            image_in: linear(&embedder, patch, width)?,
            time: [linear(&time.pp(0), SINUSOIDS, TIME_WIDTH)?, linear(&time.pp(2), TIME_WIDTH, of_time)?],
            text_norm: RmsNorm::new(vb.runtime(), &text_norm, config.norm_eps)?,
            text_in: linear(&caption.pp(1), config.cap_feat_dim, width)?,
            fill: [vb.get((1, width), "x_pad_token")?, vb.get((1, width), "cap_pad_token")?],
            image_refiner: blocks("noise_refiner", config.n_refiner_layers, true)?,
            text_refiner: blocks("context_refiner", config.n_refiner_layers, false)?,
            blocks: blocks("layers", config.n_layers, true)?,
            modulation_out: linear(&last.pp("adaLN_modulation.1"), of_time, width)?,
            out: linear(&last.pp("linear"), width, patch)?,
            config,
        })
    }

    fn rotary(&self, positions: &[[f64; 3]]) -> Result<RotaryEmbedding> {
        RotaryEmbedding::of_axes(&self.runtime, positions, self.config.axes_dims, self.config.rope_theta)
    }

    /// What the network makes of a prompt's states `[1, M, K]`.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job was stopped, and if the width is not the network's.
    pub fn context(
        &self,
        states: &Tensor,
        cancel: &CancelToken,
    ) -> std::result::Result<ZImageContext, NetworkError> {
        let embedded = self.text_in.forward(&self.text_norm.forward(states)?)?;
        let mut tokens = filled(&embedded, &self.fill[1])?;
        let rotary = self.rotary(&text_positions(tokens.dim(1)?).collect::<Vec<_>>())?;
        for block in &self.text_refiner {
            checkpoint(cancel)?;
            tokens = block.forward(&tokens, None, &rotary)?;
        }
        Ok(ZImageContext { tokens })
    }

    /// Where the tokens of a picture of `rows` × `columns` tokens are, and those of the prompt after them.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn positions(
        &self,
        context: &ZImageContext,
        [rows, columns]: [usize; 2],
    ) -> std::result::Result<ZImagePositions, NetworkError> {
        let words = context.tokens.dim(1)?;
        let place = |row: usize, column: usize| [(words + 1) as f64, row as f64, column as f64];
        let mut all: Vec<[f64; 3]> =
            (0..rows).flat_map(|row| (0..columns).map(move |column| place(row, column))).collect();
        all.resize(all.len().next_multiple_of(MULTIPLE), [0.0; 3]);
        let image = self.rotary(&all)?;
        all.extend(text_positions(words));
        Ok(ZImagePositions { image, all: self.rotary(&all)? })
    }

    /// Data less noise for the tokens of a noisy picture `[1, L, 4·C]` whose share of data is `time`: `[1, L, 4·C]`.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job was stopped; it is looked at between blocks. If there are not as many
    /// tokens as positions.
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
        let pixels = tokens.dim(1)?;
        let mut image = filled(&self.image_in.forward(tokens)?, &self.fill[0])?;
        for block in &self.image_refiner {
            checkpoint(cancel)?;
            image = block.forward(&image, Some(&time), &positions.image)?;
        }
        let mut x = Tensor::cat(&[&image, &context.tokens], 1)?;
        for block in &self.blocks {
            checkpoint(cancel)?;
            x = block.forward(&x, Some(&time), &positions.all)?;
        }
        let scale = (self.modulation_out.forward(&silu(&self.runtime, &time)?)?.flatten_all()? + 1.0)?;
        let norm = LayerNorm::new(&self.runtime, &scale, &scale.zeros_like()?, FINAL_EPS)?;
        Ok(self.out.forward(&norm.forward(&x.narrow(1, 0, pixels)?)?)?)
    }
}
