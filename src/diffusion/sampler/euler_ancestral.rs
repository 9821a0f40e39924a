//! Euler down to a lower sigma, then fresh noise back up.
//!
//! Source: k-diffusion, `sample_euler_ancestral`; eta is 1 unless the request says another.

use super::ancestral::old_and_fresh;
use super::rule::{Denoiser, Sampler, SamplerStep, epsilon};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::EulerAncestral,
    order: None,
    grid: Grid::KDiffusion,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Linspace,
    spreads: &[],
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(EulerAncestral { eta: plan.eta.unwrap_or(1.0) }),
};

struct EulerAncestral {
    eta: f64,
}

impl Sampler for EulerAncestral {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let ScheduleStep { from, to } = step;
        let denoised = denoiser.denoise(noisy, from)?;
        let [old_share, fresh_share] = old_and_fresh(step, self.eta);
        let old = epsilon(noisy, &denoised, from);
        let fresh = noise.latent(noisy.shape());
        let next =
            combine(&[(to.alpha, &denoised), (to.sigma * old_share, &old), (to.sigma * fresh_share, &fresh)]);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
