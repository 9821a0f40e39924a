//! Samplers that add fresh noise each step: DDPM and Euler ancestral.

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep, clamped, epsilon};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseLevel, NoiseSource, SigmaStep};

/// Euler down to a lower sigma, then noise back up.
///
/// Source: k-diffusion, `sample_euler_ancestral` with eta 1.
pub(super) struct EulerAncestral;

impl Sampler for EulerAncestral {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        let (start, end) = (from.k_sigma(), to.k_sigma());
        let up = (end * end * (start * start - end * end) / (start * start)).max(0.0).sqrt();
        let down = (end * end - up * up).max(0.0).sqrt();
        let old = epsilon(noisy, &denoised, from)?;
        let fresh = noise.normal_tensor(noisy.dims(), noisy.device())?;
        let next = combine(&[(to.alpha, &denoised), (to.alpha * down, &old), (to.alpha * up, &fresh)])?;
        Ok(SamplerStep { noisy: next, denoised })
    }
}

/// Ho et al. 2020, equations 6 and 7, with the small fixed variance.
pub(super) struct Ddpm {
    pub(super) clamp: Option<f64>,
}

impl Sampler for Ddpm {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = clamped(denoiser.denoise(noisy, from)?, self.clamp)?;
        let signal = |level: NoiseLevel| level.alpha * level.alpha;
        let kept = signal(from) / signal(to);
        let to_clean = signal(to).sqrt() * (1.0 - kept) / (1.0 - signal(from));
        let to_noisy = kept.sqrt() * (1.0 - signal(to)) / (1.0 - signal(from));
        let mean = combine(&[(to_clean, &denoised), (to_noisy, noisy)])?;
        if from.timestep == 0.0 {
            return Ok(SamplerStep { noisy: mean, denoised });
        }
        let variance = (1.0 - signal(to)) / (1.0 - signal(from)) * (1.0 - kept);
        let fresh = noise.normal_tensor(noisy.dims(), noisy.device())?;
        Ok(SamplerStep { noisy: combine(&[(1.0, &mean), (variance.max(0.0).sqrt(), &fresh)])?, denoised })
    }
}
