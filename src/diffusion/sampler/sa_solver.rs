//! SA-Solver: stochastic Adams steps, a predictor and a corrector that share their noise.
//!
//! Source: Xue et al. 2023, <https://arxiv.org/abs/2309.05019>, data prediction; diffusers' `SASolverScheduler` for the
//! orders, the terms that it adds to the second order, and τ, which is 1 for timesteps from 200 to 800 and otherwise 0.

use super::dpm_multistep::remember;
use super::dpm_solver::{At, distance};
use super::exponential_integral::lagrange_integrals;
use super::limits::Limits;
use super::rule::{Denoiser, Plan, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseLevel, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::SaSolver,
    order: None,
    grid: Grid::Solver,
    flow_grid: FlowGrid::AfterFirst,
    end: End::LeastVisited,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: true,
    clip_sample: None,
    thresholds: true,
    new: |plan| Box::new(SaSolver::new(plan)),
};

/// The last step's start, noise and τ, and the order with which it is corrected.
struct Last {
    from: NoiseLevel,
    start: Latent,
    fresh: Latent,
    rate: f64,
    corrector_order: usize,
}

struct SaSolver {
    predictor_order: usize,
    corrector_order: usize,
    lowers: bool,
    limits: Limits,
    steps_left: usize,
    taken: usize,
    /// x̂₀ of earlier steps, newest first.
    outputs: Vec<At>,
    last: Option<Last>,
}

impl SaSolver {
    fn new(plan: &Plan<'_>) -> Self {
        let config = plan.config;
        Self {
            predictor_order: config.predictor_order.unwrap_or(2),
            corrector_order: config.corrector_order.unwrap_or(2),
            lowers: config.lower_order_final.unwrap_or(true),
            limits: Limits::of(config, &SPEC),
            steps_left: plan.taken,
            taken: 0,
            outputs: Vec::new(),
            last: None,
        }
    }
}

/// 1 + τ², the rate at which the equation forgets.
fn rate(level: NoiseLevel) -> f64 {
    if (200.0..=800.0).contains(&level.timestep) { 2.0 } else { 1.0 }
}

/// What is added to the weight of the newest output of two, and taken from the other.
enum Added {
    /// In the predictor, with the distance of the two outputs.
    Predictor(f64),
    Corrector,
}

impl Added {
    fn weight(&self, rate: f64, h: f64) -> f64 {
        let curved = (h * rate + (-rate * h).exp_m1()) / (rate * rate);
        match self {
            Self::Predictor(distance) => (h * h / 2.0 - curved) / distance,
            Self::Corrector => h / 2.0 - curved / h,
        }
    }
}

/// The latent at `to` from `start` at `from`, by the polynomial through `outputs`.
fn advance(
    (from, start): (NoiseLevel, &Latent),
    to: NoiseLevel,
    outputs: &[(NoiseLevel, &Latent)],
    rate: f64,
    added: &Added,
    fresh: &Latent,
) -> Latent {
    let h = distance(from, to);
    if h == 0.0 {
        return start.clone();
    }
    let places: Vec<f64> = outputs.iter().map(|(level, _)| distance(*level, to)).collect();
    let mut weights = lagrange_integrals(rate, h, &places);
    if let [newest, other] = &mut weights[..] {
        let more = added.weight(rate, h);
        *newest += more;
        *other -= more;
    }
    let mut terms = Vec::new();
    if to.sigma > 0.0 {
        // The way from a flow's pure noise is infinite.
        let renewed = if rate > 1.0 { (rate - 1.0) * h } else { 0.0 };
        terms.push((to.sigma / from.sigma * (-renewed).exp(), start));
        terms.push((to.sigma * (-(-2.0 * renewed).exp_m1()).sqrt(), fresh));
    }
    terms
        .extend(weights.iter().zip(outputs).map(|(weight, (_, output))| (rate * to.alpha * weight, *output)));
    combine(&terms)
}

impl Sampler for SaSolver {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        // λ of a flow's pure noise is infinite, and no polynomial leads there.
        self.outputs.retain(|(level, _)| level.lambda().is_finite());
        let start = match self.last.take() {
            Some(last) if last.from.lambda().is_finite() => {
                let earlier = self.outputs.iter().map(|(level, output)| (*level, output));
                let outputs: Vec<(NoiseLevel, &Latent)> =
                    [(from, &denoised)].into_iter().chain(earlier).take(last.corrector_order).collect();
                let Last { from: level, start, fresh, rate, .. } = &last;
                advance((*level, start), from, &outputs, *rate, &Added::Corrector, fresh)
            }
            _ => noisy.clone(),
        };
        let kept = self.predictor_order.max(self.corrector_order - 1);
        remember(&mut self.outputs, (from, denoised.clone()), kept);
        let fresh = noise.latent(noisy.shape());
        let falls = |order: usize, left: usize| if self.lowers { order.min(left) } else { order };
        let predictor_order = match to.sigma {
            0.0 => 1,
            _ => falls(self.predictor_order, self.steps_left.max(1)).min(self.outputs.len()),
        };
        let corrector_order = falls(self.corrector_order, self.steps_left + 1).min(self.taken.min(kept) + 2);
        let used: Vec<(NoiseLevel, &Latent)> =
            self.outputs[..predictor_order].iter().map(|(level, output)| (*level, output)).collect();
        let between = used.get(1).map_or(0.0, |(other, _)| distance(*other, from));
        let rate = rate(from);
        let next = advance((from, &start), to, &used, rate, &Added::Predictor(between), &fresh);
        self.last = Some(Last { from, start, fresh, rate, corrector_order });
        self.steps_left = self.steps_left.saturating_sub(1);
        self.taken += 1;
        Ok(SamplerStep { noisy: next, denoised })
    }
}
