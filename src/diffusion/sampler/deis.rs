//! DEIS: the noise is extrapolated by a polynomial in the logarithm of sigma over alpha; of the second order unless the
//! model's configuration says another.
//!
//! Source: Zhang & Chen 2022, <https://arxiv.org/abs/2204.13902>, the ρ-Adams–Bashforth form; diffusers'
//! `DEISMultistepScheduler` for the orders and the end, which repeats the last level of a spread schedule.

use super::dpm_multistep::{Orders, remember};
use super::dpm_solver::{At, distance};
use super::exponential_integral::lagrange_integrals;
use super::limits::Limits;
use super::rule::{Denoiser, Sampler, SamplerStep, epsilon};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Deis,
    order: Some(2),
    grid: Grid::Solver,
    flow_grid: FlowGrid::AfterFirst,
    end: End::LeastVisited,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: true,
    new: |plan| {
        let order = plan.config.solver_order.unwrap_or(2).min(3);
        let (limits, orders) = (Limits::of(plan.config, &SPEC), Orders::new(plan, order));
        Box::new(Deis { order, limits, orders, noises: Vec::new() })
    },
};

struct Deis {
    order: usize,
    limits: Limits,
    orders: Orders,
    /// The noise in the latents of this and earlier steps, newest first.
    noises: Vec<At>,
}

impl Sampler for Deis {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let ScheduleStep { from, to } = step;
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        // λ of a flow's pure noise is infinite, so that the noise there says nothing about its slope here.
        self.noises.retain(|(level, _)| level.lambda().is_finite());
        remember(&mut self.noises, (from, epsilon(noisy, &denoised, from)), self.order);
        let order = self.orders.next(step, self.noises.len());
        let next = if order == 1 {
            combine(&[(to.alpha, &denoised), (to.sigma, &self.noises[0].1)])
        } else {
            let used = &self.noises[..order];
            let places: Vec<f64> = used.iter().map(|(level, _)| distance(*level, to)).collect();
            let mut terms = vec![(to.alpha / from.alpha, noisy)];
            let weights = lagrange_integrals(-1.0, places[0], &places);
            terms.extend(
                weights.into_iter().zip(used).map(|(weight, (_, noise))| (-to.sigma * weight, noise)),
            );
            combine(&terms)
        };
        Ok(SamplerStep { noisy: next, denoised })
    }
}
