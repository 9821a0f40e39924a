//! DDIM: Euler's rule in this convention, and with η above 0 part of the noise is drawn anew; levels and limits differ
//! from Euler's.
//!
//! Source: Song et al. 2020, <https://arxiv.org/abs/2010.02502>, equations 12 and 16, written for any alpha and sigma.

use super::euler::Euler;
use super::limits::Limits;
use super::rule::{Denoiser, Sampler, SamplerStep, epsilon};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Ddim,
    order: Some(1),
    grid: Grid::FixedDistance,
    flow_grid: FlowGrid::Matching,
    end: End::AlphaToOne(true),
    spacing: TimestepSpacing::Leading,
    spreads: &[],
    clips_lambda: false,
    clip_sample: Some(true),
    thresholds: true,
    new: |plan| match plan.eta.filter(|eta| *eta > 0.0) {
        None => Box::new(Euler::new(plan, &SPEC)),
        Some(eta) => Box::new(StochasticDdim { eta, limits: Limits::of(plan.config, &SPEC) }),
    },
};

struct StochasticDdim {
    eta: f64,
    limits: Limits,
}

impl Sampler for StochasticDdim {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        let old = epsilon(noisy, &denoised, from);
        let denoised = self.limits.apply(denoised);
        let kept = from.alpha / to.alpha;
        let carried = kept * to.sigma;
        let added = carried.mul_add(-carried, from.sigma * from.sigma).max(0.0);
        let spread = self.eta * to.sigma * added.sqrt() / from.sigma;
        let direction = spread.mul_add(-spread, to.sigma * to.sigma).max(0.0).sqrt();
        let fresh = noise.latent(noisy.shape());
        let next = combine(&[(to.alpha, &denoised), (direction, &old), (spread, &fresh)]);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
