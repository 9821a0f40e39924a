//! Latent consistency models: jump to x̂₀, add noise back to the next level.
//!
//! Source: Luo et al. 2023, <https://arxiv.org/abs/2310.04378>; boundary condition with sigma_data 0.5.

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep, clamped};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseSource, SchedulerConfig, SigmaStep};

/// Karras et al. 2022's data standard deviation, as LCM uses it.
const SIGMA_DATA: f64 = 0.5;

pub(super) struct Lcm {
    timestep_scaling: f64,
    steps_left: usize,
    clamp: Option<f64>,
}

impl Lcm {
    pub(super) fn new(config: &SchedulerConfig, steps: usize, clamp: Option<f64>) -> Self {
        Self { timestep_scaling: config.timestep_scaling, steps_left: steps, clamp }
    }
}

impl Sampler for Lcm {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let estimate = clamped(denoiser.denoise(noisy, from)?, self.clamp)?;
        let t = from.timestep * self.timestep_scaling;
        let skip = SIGMA_DATA * SIGMA_DATA / t.mul_add(t, SIGMA_DATA * SIGMA_DATA);
        let out = t / t.hypot(SIGMA_DATA);
        let denoised = combine(&[(out, &estimate), (skip, noisy)])?;
        self.steps_left = self.steps_left.saturating_sub(1);
        if self.steps_left == 0 {
            return Ok(SamplerStep { noisy: denoised.clone(), denoised });
        }
        let fresh = noise.normal_tensor(noisy.dims(), noisy.device())?;
        Ok(SamplerStep { noisy: combine(&[(to.alpha, &denoised), (to.sigma, &fresh)])?, denoised })
    }
}
