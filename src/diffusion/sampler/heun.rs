//! Heun's second-order rule: two network calls a step, one for the last.
//!
//! Source: Karras et al. 2022, algorithm 1 without churn.

use super::rule::{Denoiser, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Heun,
    order: Some(2),
    grid: Grid::KDiffusion,
    flow_grid: FlowGrid::Matching,
    end: End::Clean,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(Heun { coordinates: plan.coordinates }),
};

struct Heun {
    coordinates: Coordinates,
}

impl Sampler for Heun {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let space = self.coordinates;
        let denoised = denoiser.denoise(noisy, from)?;
        let slope = space.slope(noisy, &denoised, from);
        let advance = |slope: &Latent| {
            let (scale, distance) = (space.scale(to), space.time(to) - space.time(from));
            combine(&[(scale / space.scale(from), noisy), (scale * distance, slope)])
        };
        let predicted = advance(&slope);
        if to.sigma == 0.0 {
            return Ok(SamplerStep { noisy: predicted, denoised });
        }
        let at_end = denoiser.denoise(&predicted, to)?;
        let mean_slope = combine(&[(0.5, &slope), (0.5, &space.slope(&predicted, &at_end, to))]);
        Ok(SamplerStep { noisy: advance(&mean_slope), denoised })
    }
}
