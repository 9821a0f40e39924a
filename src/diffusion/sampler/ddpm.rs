//! DDPM: a step of the reverse Markov chain, with the small fixed variance unless the model's
//! configuration chooses the large one.
//!
//! Source: Ho et al. 2020, equations 6 and 7, written for any alpha and sigma (Kingma et al. 2021,
//! <https://arxiv.org/abs/2107.00630>, appendix A), so that it holds for flows too.

use super::limits::Limits;
use super::rule::{Denoiser, Sampler, SamplerStep};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Ddpm,
    order: None,
    grid: Grid::TrainingTimesteps,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Leading,
    spreads: &[],
    clips_lambda: false,
    clip_sample: Some(true),
    thresholds: true,
    new: |plan| {
        let large_variance = plan.config.variance_type.as_deref() == Some("fixed_large");
        Box::new(Ddpm { limits: Limits::of(plan.config, &SPEC), large_variance })
    },
};

struct Ddpm {
    limits: Limits,
    large_variance: bool,
}

impl Sampler for Ddpm {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        // From the end of the step to its start the latent is multiplied by `kept` and gets noise of this
        // variance.
        let kept = from.alpha / to.alpha;
        let (from_variance, to_variance) = (from.sigma * from.sigma, to.sigma * to.sigma);
        let added = kept.mul_add(-kept * to_variance, from_variance);
        let to_clean = to.alpha * added / from_variance;
        let to_noisy = kept * to_variance / from_variance;
        let mean = combine(&[(to_clean, &denoised), (to_noisy, noisy)]);
        if from.timestep == 0.0 {
            return Ok(SamplerStep { noisy: mean, denoised });
        }
        let variance = if self.large_variance { added } else { added * to_variance / from_variance };
        let fresh = noise.latent(noisy.shape());
        Ok(SamplerStep { noisy: combine(&[(1.0, &mean), (variance.max(0.0).sqrt(), &fresh)]), denoised })
    }
}
