//! Latent consistency models: jump to x̂₀, add noise back to the next level.
//!
//! Source: Luo et al. 2023, <https://arxiv.org/abs/2310.04378>; boundary condition with sigma_data 0.5.

use super::limits::Limits;
use super::rule::{Denoiser, Sampler, SamplerStep};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

/// Karras et al. 2022's data standard deviation, as LCM uses it.
const SIGMA_DATA: f64 = 0.5;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Lcm,
    order: None,
    grid: Grid::Distilled,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Leading,
    spreads: &[],
    clips_lambda: false,
    clip_sample: Some(false),
    thresholds: true,
    new: |plan| {
        Box::new(Lcm {
            // diffusers' LCM for flows has no boundary condition.
            timestep_scaling: match plan.coordinates {
                Coordinates::KSigma => plan.config.timestep_scaling,
                Coordinates::Flow => f64::INFINITY,
            },
            steps_left: plan.taken,
            limits: Limits::of(plan.config, &SPEC),
        })
    },
};

struct Lcm {
    timestep_scaling: f64,
    steps_left: usize,
    limits: Limits,
}

impl Sampler for Lcm {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let estimate = self.limits.apply(denoiser.denoise(noisy, from)?);
        let t = from.timestep * self.timestep_scaling;
        let denoised = if t.is_finite() {
            let skip = SIGMA_DATA * SIGMA_DATA / t.mul_add(t, SIGMA_DATA * SIGMA_DATA);
            let out = t / t.hypot(SIGMA_DATA);
            combine(&[(out, &estimate), (skip, noisy)])
        } else {
            estimate
        };
        self.steps_left = self.steps_left.saturating_sub(1);
        if self.steps_left == 0 {
            return Ok(SamplerStep { noisy: denoised.clone(), denoised });
        }
        let fresh = noise.latent(noisy.shape());
        Ok(SamplerStep { noisy: combine(&[(to.alpha, &denoised), (to.sigma, &fresh)]), denoised })
    }
}
