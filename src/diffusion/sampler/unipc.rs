//! UniPC: a unified predictor and corrector, of the second order unless the model's configuration
//! says another.
//!
//! Source: Zhao et al. 2023, <https://arxiv.org/abs/2302.04867>, data prediction; diffusers'
//! `UniPCMultistepScheduler` for warm-up and the last step.

use super::limits::Limits;
use super::rule::{Denoiser, Plan, Sampler, SamplerStep};
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseLevel, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::UniPc,
    order: Some(2),
    grid: Grid::Solver,
    flow_grid: FlowGrid::NearlyAll,
    end: End::FinalSpreadSigma,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: false,
    clip_sample: None,
    thresholds: true,
    new: |plan| Box::new(UniPc::new(plan)),
};

/// A finished step's start, for the corrector and as history.
struct Earlier {
    level: NoiseLevel,
    denoised: Latent,
}

struct UniPc {
    order: usize,
    /// Whether B(h) is h (`bh1`) instead of e^h − 1.
    linear_b: bool,
    lower_at_end: bool,
    /// Steps after which nothing is corrected.
    uncorrected: Vec<usize>,
    limits: Limits,
    steps: usize,
    taken: usize,
    /// x̂₀ of earlier steps, newest first.
    history: Vec<Earlier>,
    /// The corrected latent the last step started from, and the order it was taken with.
    last: Option<(Latent, usize)>,
}

impl UniPc {
    fn new(plan: &Plan<'_>) -> Self {
        let config = plan.config;
        Self {
            order: config.solver_order.unwrap_or(2),
            linear_b: config.solver_type.as_deref() == Some("bh1"),
            lower_at_end: config.lower_order_final.unwrap_or(true),
            uncorrected: config.disable_corrector.clone(),
            limits: Limits::of(config, &SPEC),
            steps: plan.taken,
            taken: 0,
            history: Vec::new(),
            last: None,
        }
    }

    /// The latent at `level`, integrated from `start` at the newest level of the history. The corrector also uses
    /// `here`, x̂₀ at `level` itself.
    fn advance(&self, start: &Latent, order: usize, level: NoiseLevel, here: Option<&Latent>) -> Latent {
        let Earlier { level: from, denoised: m0 } = &self.history[0];
        let h = level.lambda() - from.lambda();
        if h == 0.0 {
            return start.clone();
        }
        let decay = (-h).exp_m1();
        let linear_b = self.linear_b && h.is_finite();
        let scale = -level.alpha * if linear_b { -h } else { decay };
        let mut terms = vec![(level.sigma / from.sigma, start), (-level.alpha * decay, m0)];
        // The positions of the points in units of h, and their x̂₀; the new point is at 1.
        let older = &self.history[1..order];
        // λ of a flow's pure noise is infinite, so x̂₀ there contributes nothing to the slope here.
        let mut points: Vec<(f64, &Latent)> = older
            .iter()
            .filter(|earlier| earlier.level.lambda().is_finite())
            .map(|earlier| ((earlier.level.lambda() - from.lambda()) / h, &earlier.denoised))
            .collect();
        points.extend(here.map(|here| (1.0, here)));
        let places: Vec<f64> = points.iter().map(|(place, _)| *place).collect();
        for (weight, (place, at)) in weights(&places, -h, linear_b).into_iter().zip(points) {
            terms.extend([(scale * weight / place, at), (-scale * weight / place, m0)]);
        }
        combine(&terms)
    }
}

/// The weights ρ of the differences at `places`: Σ ρ·placeⁱ⁻¹ = bᵢ for hh = −h (data prediction).
///
/// A single difference has weight ½, as in diffusers; the order stays 2.
fn weights(places: &[f64], hh: f64, linear_b: bool) -> Vec<f64> {
    if places.len() < 2 {
        return vec![0.5; places.len()];
    }
    let base = if linear_b { hh } else { hh.exp_m1() };
    let (mut phi, mut factorial) = (hh.exp_m1() / hh - 1.0, 1.0);
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for i in 0..places.len() {
        let mut row: Vec<f64> = places.iter().map(|place| place.powi(i as i32)).collect();
        row.push(phi * factorial / base);
        rows.push(row);
        factorial *= (i + 2) as f64;
        phi = phi / hh - 1.0 / factorial;
    }
    solve(rows)
}

/// Solves a system given as rows with their right-hand side, by elimination with partial pivots.
fn solve(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for column in 0..n {
        let size = |row: &Vec<f64>| row[column].abs();
        let pivot = (column..n).max_by(|a, b| size(&rows[*a]).total_cmp(&size(&rows[*b])));
        rows.swap(column, pivot.unwrap_or(column));
        let pivot = rows[column].clone();
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / pivot[column];
                row.iter_mut().zip(&pivot).for_each(|(value, p)| *value -= factor * p);
            }
        }
    }
    rows.iter().enumerate().map(|(i, row)| row[n] / row[i]).collect()
}

impl Sampler for UniPc {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        let corrects = self.taken > 0 && !self.uncorrected.contains(&(self.taken - 1));
        let start = match self.last.take().filter(|_| corrects) {
            Some((last_start, order)) => self.advance(&last_start, order, from, Some(&denoised)),
            None => noisy.clone(),
        };
        // Several steps may have the same timestep, and divided differences need distinct levels.
        self.history.retain(|earlier| earlier.level.lambda() != from.lambda());
        self.history.insert(0, Earlier { level: from, denoised: denoised.clone() });
        self.history.truncate(self.order);
        let left = self.steps.saturating_sub(self.taken).max(1);
        let falls = self.lower_at_end || to.sigma == 0.0;
        let order = self.order.min(if falls { left } else { usize::MAX }).min(self.history.len());
        let next = self.advance(&start, order, to, None);
        self.last = Some((start, order));
        self.taken += 1;
        Ok(SamplerStep { noisy: next, denoised })
    }
}
