//! Euler's rule on the probability-flow ODE.
//!
//! Source: Karras et al. 2022, algorithm 1 without churn.

use super::limits::Limits;
use super::rule::{Denoiser, Plan, Sampler, SamplerStep, epsilon};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Euler,
    order: Some(1),
    grid: Grid::KDiffusion,
    flow_grid: FlowGrid::Matching,
    end: End::FinalSigma,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(Euler::new(plan, &SPEC)),
};

pub(super) struct Euler {
    limits: Limits,
}

impl Euler {
    pub(super) fn new(plan: &Plan<'_>, spec: &SamplerSpec) -> Self {
        Self { limits: Limits::of(plan.config, spec) }
    }
}

impl Sampler for Euler {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, step.from)?;
        // The noise is that of the estimate before its limits, as in diffusers.
        let noise = epsilon(noisy, &denoised, step.from);
        let denoised = self.limits.apply(denoised);
        let next = combine(&[(step.to.alpha, &denoised), (step.to.sigma, &noise)]);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
