//! Euler's rule on the probability-flow ODE, which is also DDIM without noise.
//!
//! Source: Karras et al. 2022, algorithm 1 without churn; Song et al. 2020 (DDIM), equation 12 with η = 0.

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep, clamped, epsilon};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseSource, SigmaStep};

pub(super) struct Euler {
    pub(super) clamp: Option<f64>,
}

impl Sampler for Euler {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        step: SigmaStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, step.from)?;
        // The noise is that of the unclamped estimate, as in diffusers.
        let noise = epsilon(noisy, &denoised, step.from)?;
        let denoised = clamped(denoised, self.clamp)?;
        let next = combine(&[(step.to.alpha, &denoised), (step.to.sigma, &noise)])?;
        Ok(SamplerStep { noisy: next, denoised })
    }
}
