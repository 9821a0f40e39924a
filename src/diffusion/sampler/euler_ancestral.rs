//! Euler down to a lower sigma, then fresh noise back up.
//!
//! Source: k-diffusion, `sample_euler_ancestral` with eta 1.

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
    new: |_| Box::new(EulerAncestral),
};

struct EulerAncestral;

impl Sampler for EulerAncestral {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        // Ratio of the k-diffusion sigmas of end and start: the share of the noise at the end that is kept, as by
        // k-diffusion's `sigma_down`; the rest is drawn anew. 0 where the start has no signal.
        let share = to.sigma * from.alpha / (to.alpha * from.sigma);
        let old = epsilon(noisy, &denoised, from);
        let fresh = noise.latent(noisy.shape());
        let [old_factor, fresh_factor] = [share, (1.0 - share * share).max(0.0).sqrt()];
        let next = combine(&[
            (to.alpha, &denoised),
            (to.sigma * old_factor, &old),
            (to.sigma * fresh_factor, &fresh),
        ]);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
