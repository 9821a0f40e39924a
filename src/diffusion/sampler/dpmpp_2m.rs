//! DPM-Solver++ multistep, of the second order unless the model's configuration says first or third.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 2, with diffusers' midpoint
//! and Heun forms; the third order from Lu et al. 2022, <https://arxiv.org/abs/2206.00927>.

use super::limits::Limits;
use super::rule::{Denoiser, Plan, Sampler, SamplerStep};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::sigmas::Spread;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

/// Runs of fewer steps lower the order towards the end, as in diffusers.
const FEW_STEPS: usize = 15;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Dpmpp2m,
    order: Some(2),
    grid: Grid::Solver,
    flow_grid: FlowGrid::AfterFirst,
    end: End::FinalSigma,
    spacing: TimestepSpacing::Linspace,
    spreads: &[Spread::Karras, Spread::Lu, Spread::Exponential, Spread::Beta],
    clips_lambda: true,
    clip_sample: None,
    thresholds: true,
    new: |plan| Box::new(Dpmpp2m::new(plan)),
};

struct Dpmpp2m {
    order: usize,
    /// Whether the second order is Heun's form instead of the midpoint's.
    heun: bool,
    /// Whether the last step is of the first order, and whether the one before is of the second at most.
    lower_at_end: [bool; 2],
    limits: Limits,
    steps_left: usize,
    /// λ and x̂₀ of earlier steps, newest first.
    earlier: Vec<(f64, Latent)>,
}

impl Dpmpp2m {
    fn new(plan: &Plan<'_>) -> Self {
        let config = plan.config;
        let lowers = config.lower_order_final.unwrap_or(true) && plan.planned < FEW_STEPS;
        Self {
            order: config.solver_order.unwrap_or(2).min(3),
            heun: config.solver_type.as_deref() == Some("heun"),
            lower_at_end: [lowers || config.euler_at_final, lowers],
            limits: Limits::of(config, &SPEC),
            steps_left: plan.taken,
            earlier: Vec::new(),
        }
    }
}

impl Sampler for Dpmpp2m {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        self.steps_left = self.steps_left.saturating_sub(1);
        let lambda = from.lambda();
        // Several steps may have the same timestep, and divided differences need distinct levels.
        self.earlier.retain(|(earlier, _)| *earlier != lambda);
        let allowed = match self.steps_left {
            // λ is infinite without noise, so that nothing can be extrapolated.
            _ if to.sigma == 0.0 => 1,
            0 if self.lower_at_end[0] => 1,
            1 if self.lower_at_end[1] => 2,
            _ => self.order,
        };
        let order = allowed.min(self.order).min(self.earlier.len() + 1);
        let h = to.lambda() - lambda;
        let pull = -to.alpha * (-h).exp_m1();
        let mut terms = vec![(to.sigma / from.sigma, noisy), (pull, &denoised)];
        // The factor of a linear change of x̂₀, exactly integrated.
        let second = to.alpha * ((-h).exp_m1() / h + 1.0);
        if let (2.., [(newer, m1), older @ ..]) = (order, &self.earlier[..])
            && h != 0.0
        {
            let r0 = (lambda - newer) / h;
            // Factors of the two divided differences (m0 − m1) / r0 and (m1 − m2) / r1.
            let (first_difference, second_difference) = match (order, older) {
                (3, [(oldest, m2), ..]) => {
                    let r1 = (newer - oldest) / h;
                    let third = -to.alpha * (((-h).exp_m1() + h) / (h * h) - 0.5);
                    let curved = (second * r0 + third) / (r0 + r1);
                    (second + curved, Some((-curved / r1, m2)))
                }
                _ => (if self.heun { second } else { 0.5 * pull }, None),
            };
            terms.extend([(first_difference / r0, &denoised), (-first_difference / r0, m1)]);
            if let Some((factor, m2)) = second_difference {
                terms.extend([(factor, m1), (-factor, m2)]);
            }
        }
        let next = combine(&terms);
        self.earlier.insert(0, (lambda, denoised.clone()));
        self.earlier.truncate(self.order);
        Ok(SamplerStep { noisy: next, denoised })
    }
}
