//! The step rules. Each takes the latent from one noise level to the next.
//!
//! A rule stands in a file of its own with its row of [`SAMPLERS`]: everything about it but its names,
//! which `request::SamplerKind` has because files and settings know them too.

mod ddim;
mod ddpm;
mod dpmpp_2m;
mod euler;
mod euler_ancestral;
mod heun;
mod lcm;
mod limits;
mod lms;
mod unipc;

use super::combine::combine;
use super::{Coordinates, DiffusionError, NoiseLevel, NoiseSource, SchedulerConfig, SigmaStep};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::latent::Latent;

#[cfg(test)]
pub(super) use self::limits::Limits;
use super::sigmas::Spread;

/// What a sampler calls: prediction type and guidance are inside.
pub trait Denoiser {
    /// x̂₀ for the latent `noisy` at this level.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] when the job was stopped inside the call.
    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError>;
}

/// What one step gives.
pub struct SamplerStep {
    /// The latent at the end of the step.
    pub noisy: Latent,
    /// x̂₀ at its start.
    pub denoised: Latent,
}

/// A step rule. It may remember earlier steps; a new run takes a new sampler.
pub trait Sampler {
    /// Takes one step.
    ///
    /// # Errors
    /// The denoiser's.
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: SigmaStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError>;
}

/// What a sampler may know of a run before it begins.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The model's scheduler.
    pub config: &'a SchedulerConfig,
    /// Where slopes are taken.
    pub coordinates: Coordinates,
    /// Steps of the whole schedule.
    pub planned: usize,
    /// Steps that are taken, fewer for a run from a picture.
    pub taken: usize,
}

/// Which levels a sampler visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grid {
    /// Whole training timesteps, each step a fixed number of them long.
    FixedDistance,
    /// Whole training timesteps, each step to the next of them.
    TrainingTimesteps,
    /// k-diffusion's: sigmas at timesteps that may be fractional.
    KDiffusion,
    /// DPM-Solver's, whose spacings count one interval more.
    Solver,
    /// A part of the steps of a distilled model's teacher.
    Distilled,
}

/// Which levels of a flow a sampler visits; diffusers' schedulers differ in their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowGrid {
    /// From pure noise to the last training timestep.
    Matching,
    /// From a hair below pure noise, by whole timesteps (UniPC).
    NearlyAll,
    /// From the first training timestep, by whole timesteps (DPM-Solver).
    AfterFirst,
}

/// Where a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Without noise.
    Clean,
    /// As `set_alpha_to_one` says: without noise or at the first training noise level.
    AlphaToOne,
    /// As `final_sigmas_type` says: without noise or at the first training noise level.
    FinalSigma,
    /// The same, but at the last level of a spread schedule instead of the first of training.
    FinalSpreadSigma,
}

/// All that is special about a sampler beside its names.
pub struct SamplerSpec {
    /// Which one it is.
    pub kind: SamplerKind,
    /// The order of its error in the step size, where a run is deterministic.
    pub order: Option<usize>,
    pub(super) grid: Grid,
    pub(super) flow_grid: FlowGrid,
    pub(super) end: End,
    /// The spacing of timesteps where the configuration says none.
    pub(super) spacing: TimestepSpacing,
    /// The spreads of sigmas that diffusers' class reads from the configuration.
    pub(super) spreads: &'static [Spread],
    /// Whether it reads `lambda_min_clipped`.
    pub(super) clips_lambda: bool,
    /// The default of `clip_sample` where the class reads it.
    pub(super) clip_sample: Option<bool>,
    /// Whether it reads `thresholding`.
    pub(super) thresholds: bool,
    /// A sampler for one run.
    pub new: fn(&Plan<'_>) -> Box<dyn Sampler>,
}

/// Every sampler, in the order of [`SamplerKind::ALL`].
pub static SAMPLERS: [&SamplerSpec; SamplerKind::ALL.len()] = [
    &dpmpp_2m::SPEC,
    &euler::SPEC,
    &euler_ancestral::SPEC,
    &heun::SPEC,
    &ddim::SPEC,
    &ddpm::SPEC,
    &lms::SPEC,
    &unipc::SPEC,
    &lcm::SPEC,
];

/// The row of a sampler.
pub fn spec(kind: SamplerKind) -> &'static SamplerSpec {
    SAMPLERS[kind.index()]
}

/// The spreads that most of diffusers' classes read, in the order of precedence.
const COMMON_SPREADS: &[Spread] = &[Spread::Karras, Spread::Exponential, Spread::Beta];

/// The noise in a latent: `(x − alpha·x̂₀) / sigma`.
fn epsilon(noisy: &Latent, denoised: &Latent, level: NoiseLevel) -> Latent {
    combine(&[(1.0 / level.sigma, noisy), (-level.alpha / level.sigma, denoised)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (spec, kind) in SAMPLERS.iter().zip(SamplerKind::ALL) {
            assert_eq!(spec.kind, kind);
            assert_eq!(kind.is_stochastic(), spec.order.is_none(), "{}", kind.id());
        }
    }
}
