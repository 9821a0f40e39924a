//! Heun's second-order rule: two network calls a step, one for the last.
//!
//! Source: Karras et al. 2022, algorithm 1 without churn.

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep, epsilon};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseSource, SigmaStep};

pub(super) struct Heun;

impl Sampler for Heun {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        let slope = epsilon(noisy, &denoised, from)?;
        // In k-diffusion's space: x + (σ' − σ)·slope, then back.
        let advance = |slope: &Tensor| {
            let distance = to.k_sigma() - from.k_sigma();
            combine(&[(to.alpha / from.alpha, noisy), (to.alpha * distance, slope)])
        };
        let predicted = advance(&slope)?;
        if to.sigma == 0.0 {
            return Ok(SamplerStep { noisy: predicted, denoised });
        }
        let at_end = denoiser.denoise(&predicted, to)?;
        let mean_slope = combine(&[(0.5, &slope), (0.5, &epsilon(&predicted, &at_end, to)?)])?;
        Ok(SamplerStep { noisy: advance(&mean_slope)?, denoised })
    }
}
