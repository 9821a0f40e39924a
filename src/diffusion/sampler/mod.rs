//! The step rules. Each takes the latent from one noise level to the next.

mod ancestral;
mod dpmpp_2m;
mod euler;
mod heun;
mod lcm;
mod lms;
mod unipc;

use candle_core::Tensor;

use super::prediction::combine;
use super::{DiffusionError, NoiseLevel, NoiseSource, SchedulerConfig, SigmaStep};
use crate::request::SamplerKind;

/// What a sampler calls: prediction type and guidance are inside.
pub trait Denoiser {
    /// x̂₀ for the latent `noisy` `[B, C, H, W]` at this level.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] when the job was stopped inside the call.
    fn denoise(&mut self, noisy: &Tensor, level: NoiseLevel) -> Result<Tensor, DiffusionError>;
}

/// What one step gives.
pub struct SamplerStep {
    /// The latent at the end of the step.
    pub noisy: Tensor,
    /// x̂₀ at its start.
    pub denoised: Tensor,
}

/// A step rule. It may remember earlier steps; a new run takes a new sampler.
pub trait Sampler {
    /// Takes one step.
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        step: SigmaStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError>;
}

/// A sampler for one run over `steps`.
pub fn new_sampler(kind: SamplerKind, config: &SchedulerConfig, steps: &[SigmaStep]) -> Box<dyn Sampler> {
    let clamp = config.clamp_for(kind);
    match kind {
        // In this convention DDIM without noise is Euler's rule; they differ in levels and clamp.
        SamplerKind::Ddim | SamplerKind::Euler => Box::new(euler::Euler { clamp }),
        SamplerKind::Heun => Box::new(heun::Heun),
        SamplerKind::EulerAncestral => Box::new(ancestral::EulerAncestral),
        SamplerKind::Ddpm => Box::new(ancestral::Ddpm { clamp }),
        SamplerKind::Lms => Box::new(lms::Lms::default()),
        SamplerKind::Dpmpp2m => Box::new(dpmpp_2m::Dpmpp2m::new(steps.len())),
        SamplerKind::UniPc => Box::new(unipc::UniPc::new(steps.len())),
        SamplerKind::Lcm => Box::new(lcm::Lcm::new(config, steps.len(), clamp)),
    }
}

/// The noise in a latent: `(x − alpha·x̂₀) / sigma`.
fn epsilon(noisy: &Tensor, denoised: &Tensor, level: NoiseLevel) -> candle_core::Result<Tensor> {
    combine(&[(1.0 / level.sigma, noisy), (-level.alpha / level.sigma, denoised)])
}

/// x̂₀ within the bounds some pixel models ask for.
fn clamped(denoised: Tensor, clamp: Option<f64>) -> candle_core::Result<Tensor> {
    match clamp {
        Some(bound) => denoised.clamp(-bound, bound),
        None => Ok(denoised),
    }
}
