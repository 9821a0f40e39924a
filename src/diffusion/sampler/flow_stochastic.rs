//! Straight to x̂₀, then wholly fresh noise up to the next level: what diffusers' flow-matching Euler does with
//! `stochastic_sampling`.
//!
//! Source: the restart of consistency models, Song et al. 2023, <https://arxiv.org/abs/2303.01469>, algorithm 1. One draw
//! a step, also at the last.

use super::limits::Limits;
use super::rule::{Denoiser, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::FlowStochastic,
    order: None,
    grid: Grid::KDiffusion,
    flow_grid: FlowGrid::Matching,
    end: End::FinalSigma,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(FlowStochastic { limits: Limits::of(plan.config, &SPEC) }),
};

struct FlowStochastic {
    limits: Limits,
}

impl Sampler for FlowStochastic {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        let fresh = noise.latent(noisy.shape());
        Ok(SamplerStep { noisy: combine(&[(to.alpha, &denoised), (to.sigma, &fresh)]), denoised })
    }
}
