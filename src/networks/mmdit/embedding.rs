//! Embeddings of timestep, guidance scale and pooled text, from which the modulation is computed.

use crate::networks::backend::{Device, Result, Tensor};
use crate::networks::blocks::{linear, linear_no_bias};
use crate::networks::ops::{Linear, silu};
use crate::networks::{Parameters, Runtime};

/// Width of the sinusoidal embedding of a number.
pub(super) const SINUSOIDS: usize = 256;

/// The sinusoidal embedding of a number, `[1, width]`: cosines, then sines, at falling frequencies, computed in f32 as
/// in diffusers.
///
/// Source: Vaswani et al. 2017, with diffusers' `flip_sin_to_cos` and a `downscale_freq_shift` of 0.
pub(super) fn sinusoids(runtime: &Runtime, number: f64, width: usize) -> Result<Tensor> {
    const MAX_PERIOD: f32 = 10_000.0;
    let half = width / 2;
    let angles = (0..half).map(|i| (-MAX_PERIOD.ln() * i as f32 / half as f32).exp() * number as f32);
    let angles: Vec<f32> = angles.collect();
    let row: Vec<f32> = angles.iter().map(|a| a.cos()).chain(angles.iter().map(|a| a.sin())).collect();
    Tensor::from_vec(row, (1, 2 * half), &Device::Cpu)?.to_dtype(runtime.dtype())?.to_device(runtime.device())
}

/// Two linear layers with a SiLU between them: diffusers' `TimestepEmbedding` and `PixArtAlphaTextProjection`.
pub(super) struct EmbeddingMlp {
    runtime: Runtime,
    first: Linear,
    second: Linear,
}

impl EmbeddingMlp {
    pub(super) fn new(vb: &Parameters, inputs: usize, width: usize) -> Result<Self> {
        Ok(Self {
            runtime: vb.runtime().clone(),
            first: linear(&vb.pp("linear_1"), inputs, width)?,
            second: linear(&vb.pp("linear_2"), width, width)?,
        })
    }

    /// The same with layers without biases.
    pub(super) fn without_biases(vb: &Parameters, inputs: usize, width: usize) -> Result<Self> {
        Ok(Self {
            runtime: vb.runtime().clone(),
            first: linear_no_bias(&vb.pp("linear_1"), inputs, width)?,
            second: linear_no_bias(&vb.pp("linear_2"), width, width)?,
        })
    }

    /// `[1, I] → [1, C]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&silu(&self.runtime, &self.first.forward(x)?)?)
    }

    /// The MLP of the sinusoidal embedding of a number, `[1, C]`.
    pub(super) fn of_number(&self, number: f64) -> Result<Tensor> {
        self.forward(&sinusoids(&self.runtime, number, SINUSOIDS)?)
    }
}
