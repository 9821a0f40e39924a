//! Trajectory consistency: below the next level by the predicted noise, then fresh noise back up to it.
//!
//! Source: Zheng et al. 2024, <https://arxiv.org/abs/2402.19159>, algorithm 4; eta, the paper's γ, is diffusers' 0.3
//! unless the request says another. The last step ends at the first training timestep and adds no noise.

use super::rule::{Denoiser, Plan, Sampler, SamplerStep, epsilon};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseLevel, NoiseProcess, NoiseSource, ScheduleStep};
use crate::latent::Latent;

/// diffusers' default.
const ETA: f64 = 0.3;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Tcd,
    order: None,
    grid: Grid::Distilled,
    flow_grid: FlowGrid::Matching,
    end: End::LeastNoise,
    spacing: TimestepSpacing::Leading,
    spreads: &[],
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(Tcd::new(plan)),
};

struct Tcd {
    process: NoiseProcess,
    eta: f64,
    steps_left: usize,
}

impl Tcd {
    fn new(plan: &Plan<'_>) -> Self {
        let process = NoiseProcess::of(plan.config);
        Self { process, eta: plan.eta.unwrap_or(ETA), steps_left: plan.taken }
    }

    /// The level below `to` from which noise leads back up.
    fn below(&self, to: NoiseLevel) -> NoiseLevel {
        let timestep = (1.0 - self.eta) * to.timestep;
        match &self.process {
            _ if to.sigma == 0.0 => to,
            NoiseProcess::VariancePreserving { alphas_cumprod } => {
                let whole = (timestep.floor() as usize).min(alphas_cumprod.len() - 1);
                NoiseLevel::from_alpha_cumprod(alphas_cumprod[whole], whole as f64)
            }
            NoiseProcess::Flow { .. } => NoiseLevel::from_flow_time((1.0 - self.eta) * to.sigma, timestep),
        }
    }
}

impl Sampler for Tcd {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        let old = epsilon(noisy, &denoised, from);
        let below = self.below(to);
        self.steps_left = self.steps_left.saturating_sub(1);
        if self.eta == 0.0 || self.steps_left == 0 {
            return Ok(SamplerStep {
                noisy: combine(&[(below.alpha, &denoised), (below.sigma, &old)]),
                denoised,
            });
        }
        let kept = to.alpha / below.alpha;
        let carried = kept * below.sigma;
        let fresh_factor = carried.mul_add(-carried, to.sigma * to.sigma).max(0.0).sqrt();
        let fresh = noise.latent(noisy.shape());
        let next = combine(&[(to.alpha, &denoised), (carried, &old), (fresh_factor, &fresh)]);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
