//! What a sampler is: a rule for one step, which calls a denoiser.

use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseLevel, NoiseSource, ScheduleStep, SchedulerConfig};
use crate::latent::Latent;

/// What a sampler calls. It takes care of prediction type and guidance.
pub trait Denoiser {
    /// Called before the denoiser calls of a step. `index` is counted from 0; `target` is the noise level at its end.
    fn begin_step(&mut self, _index: usize, _steps: usize, _target: NoiseLevel) {}

    /// x̂₀ for the latent `noisy` at this level.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] when the job was stopped inside the call.
    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError>;
}

/// The result of a step.
pub struct SamplerStep {
    /// The latent at the end of the step.
    pub noisy: Latent,
    /// x̂₀ at its start.
    pub denoised: Latent,
}

/// A step rule. It may keep earlier steps, so every run needs a new one.
pub trait Sampler {
    /// Takes one step.
    ///
    /// # Errors
    /// The denoiser's.
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError>;
}

/// What a sampler is given of a run before it begins.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The model's scheduler.
    pub config: &'a SchedulerConfig,
    /// The coordinates in which slopes are taken.
    pub coordinates: Coordinates,
    /// Number of steps of the whole schedule.
    pub planned: usize,
    /// Number of steps that are taken; fewer for an image-to-image run.
    pub taken: usize,
    /// Whether these are all steps of the schedule, from its first.
    pub is_whole: bool,
    /// How much of the noise is drawn anew; `None` is the sampler's default.
    pub eta: Option<f64>,
}

/// The noise in a latent: `(x − alpha·x̂₀) / sigma`.
pub(super) fn epsilon(noisy: &Latent, denoised: &Latent, level: NoiseLevel) -> Latent {
    combine(&[(1.0 / level.sigma, noisy), (-level.alpha / level.sigma, denoised)])
}
