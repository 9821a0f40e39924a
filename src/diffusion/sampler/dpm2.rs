//! DPM-Solver-2 in k-diffusion's form: a second network call halfway in the logarithm of sigma, one call for the last
//! step.
//!
//! Source: Karras et al. 2022, algorithm 2 without churn, with the midpoint of k-diffusion's `sample_dpm_2`.

use super::rule::{Denoiser, Plan, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseLevel, NoiseProcess, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Dpm2,
    order: Some(2),
    grid: Grid::Midpoint,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(Dpm2 { midpoint: Midpoint::of(plan) }),
};

/// The midpoint rule on the ordinary differential equation.
pub(super) struct Midpoint {
    coordinates: Coordinates,
    process: NoiseProcess,
}

impl Midpoint {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        Self { coordinates: plan.coordinates, process: NoiseProcess::of(plan.config) }
    }

    /// The level at a time, with the timestep that belongs to it.
    pub(super) fn level(&self, time: f64) -> NoiseLevel {
        let level = self.coordinates.level(time, 0.0);
        NoiseLevel { timestep: self.process.timestep_of(level), ..level }
    }

    /// The latent at the end of a step, and x̂₀ at its start.
    pub(super) fn advance(
        &self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
    ) -> Result<SamplerStep, DiffusionError> {
        let space = self.coordinates;
        let advance = |to: NoiseLevel, slope: &Latent| {
            let (scale, distance) = (space.scale(to), space.time(to) - space.time(from));
            combine(&[(scale / space.scale(from), noisy), (scale * distance, slope)])
        };
        let denoised = denoiser.denoise(noisy, from)?;
        let slope = space.slope(noisy, &denoised, from);
        if to.sigma == 0.0 {
            return Ok(SamplerStep { noisy: advance(to, &slope), denoised });
        }
        let between = self.level((space.time(from) * space.time(to)).sqrt());
        let halfway = advance(between, &slope);
        let denoised_halfway = denoiser.denoise(&halfway, between)?;
        let slope = space.slope(&halfway, &denoised_halfway, between);
        Ok(SamplerStep { noisy: advance(to, &slope), denoised })
    }
}

struct Dpm2 {
    midpoint: Midpoint,
}

impl Sampler for Dpm2 {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        self.midpoint.advance(denoiser, noisy, step)
    }
}
