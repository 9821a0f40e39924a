//! The rule of the multistep solvers of the DPM-Solver family: earlier outputs of the network give the higher order.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 2; diffusers' `DPMSolverMultistepScheduler` for
//! the orders of the first and the last steps.

use super::dpm_solver::{At, Equation, Extrapolated, multistep};
use super::limits::Limits;
use super::rule::{Denoiser, Plan, Sampler, SamplerStep, epsilon};
use super::spec::SamplerSpec;
use crate::diffusion::combine::combine;
use crate::diffusion::{DiffusionError, NoiseSource, ScheduleStep};
use crate::latent::Latent;

/// Runs of fewer steps lower the order towards the end, as in diffusers.
const FEW_STEPS: usize = 15;

/// The order of each step: it rises at the beginning and may fall at the end.
pub(super) struct Orders {
    highest: usize,
    /// Whether the last step is of the first order, and whether the one before is of the second at most.
    lower_at_end: [bool; 2],
    steps_left: usize,
}

impl Orders {
    pub(super) fn new(plan: &Plan<'_>, highest: usize) -> Self {
        let lowers = plan.config.lower_order_final.unwrap_or(true) && plan.planned < FEW_STEPS;
        Self { highest, lower_at_end: [lowers, lowers], steps_left: plan.taken }
    }

    /// The same with a last step of the first order, if `euler`.
    fn with_euler_at_end(mut self, euler: bool) -> Self {
        self.lower_at_end[0] |= euler;
        self
    }

    /// The order of the next step, at most the number of outputs.
    pub(super) fn next(&mut self, step: ScheduleStep, outputs: usize) -> usize {
        self.steps_left = self.steps_left.saturating_sub(1);
        let allowed = match self.steps_left {
            // λ is infinite without noise, so that nothing can be extrapolated.
            _ if step.to.sigma == 0.0 => 1,
            0 if self.lower_at_end[0] => 1,
            1 if self.lower_at_end[1] => 2,
            _ => self.highest,
        };
        allowed.min(self.highest).min(outputs)
    }
}

/// Adds the newest output to the earlier ones, of which `most` are kept.
pub(super) fn remember(outputs: &mut Vec<At>, newest: At, most: usize) {
    // Several steps may have the same timestep, and divided differences need distinct levels.
    outputs.retain(|(level, _)| level.lambda() != newest.0.lambda());
    outputs.insert(0, newest);
    outputs.truncate(most);
}

pub(super) struct DpmMultistep {
    equation: Equation,
    limits: Limits,
    orders: Orders,
    /// Outputs of this and earlier steps, newest first.
    outputs: Vec<At>,
}

impl DpmMultistep {
    pub(super) fn new(plan: &Plan<'_>, spec: &SamplerSpec, equation: Equation, order: usize) -> Self {
        let heun = plan.config.solver_type.as_deref() == Some("heun");
        Self {
            equation: Equation { heun, ..equation },
            limits: Limits::of(plan.config, spec),
            orders: Orders::new(plan, order).with_euler_at_end(plan.config.euler_at_final),
            outputs: Vec::new(),
        }
    }
}

impl Sampler for DpmMultistep {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let ScheduleStep { from, to } = step;
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        let output = match self.equation.extrapolated {
            Extrapolated::Data => denoised.clone(),
            Extrapolated::Noise => epsilon(noisy, &denoised, from),
        };
        let fresh = self.equation.stochastic.then(|| noise.latent(noisy.shape()));
        if self.equation.extrapolated == Extrapolated::Noise && from.alpha == 0.0 {
            // Nothing of a latent without signal is kept: the first order by another formula.
            let next = combine(&[(to.alpha, &denoised), (to.sigma, &output)]);
            self.orders.next(step, 1);
            remember(&mut self.outputs, (from, output), self.orders.highest);
            return Ok(SamplerStep { noisy: next, denoised });
        }
        remember(&mut self.outputs, (from, output), self.orders.highest);
        let order = self.orders.next(step, self.outputs.len());
        let next = multistep(self.equation, noisy, &self.outputs[..order], to, fresh.as_ref());
        Ok(SamplerStep { noisy: next, denoised })
    }
}
