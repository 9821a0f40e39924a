//! DPM-Solver-2 in k-diffusion's form down to a lower sigma, then fresh noise back up.
//!
//! Source: k-diffusion, `sample_dpm_2_ancestral`; eta is 1 unless the request says another.

use super::ancestral::old_and_fresh;
use super::dpm2::Midpoint;
use super::rule::{Denoiser, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseLevel, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Dpm2Ancestral,
    order: None,
    grid: Grid::Midpoint,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| {
        let (coordinates, eta) = (plan.coordinates, plan.eta.unwrap_or(1.0));
        Box::new(Dpm2Ancestral { coordinates, midpoint: Midpoint::of(plan), eta })
    },
};

struct Dpm2Ancestral {
    coordinates: Coordinates,
    midpoint: Midpoint,
    eta: f64,
}

impl Sampler for Dpm2Ancestral {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let ScheduleStep { from, to } = step;
        if to.sigma == 0.0 {
            return self.midpoint.advance(denoiser, noisy, step);
        }
        let [old_share, fresh_share] = old_and_fresh(step, self.eta);
        let k_sigma = to.k_sigma() * old_share;
        let down = match self.coordinates {
            Coordinates::KSigma => self.midpoint.level(k_sigma),
            Coordinates::Flow => self.midpoint.level(k_sigma / (1.0 + k_sigma)),
        };
        let down = if k_sigma == 0.0 { NoiseLevel::CLEAN } else { down };
        let SamplerStep { noisy: lower, denoised } =
            self.midpoint.advance(denoiser, noisy, ScheduleStep { from, to: down })?;
        let fresh = noise.latent(noisy.shape());
        let next = combine(&[(to.alpha / down.alpha, &lower), (to.sigma * fresh_share, &fresh)]);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
