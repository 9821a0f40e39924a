//! The rule of the singlestep solvers of the DPM-Solver family: the steps of a group lead from its first latent, with an
//! order that rises within the group.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2206.00927>, and diffusers' `DPMSolverSinglestepScheduler` for the
//! orders.

use super::dpm_solver::{At, Equation, Extrapolated, singlestep};
use super::limits::Limits;
use super::rule::{Denoiser, Plan, Sampler, SamplerStep};
use super::spec::SamplerSpec;
use crate::diffusion::{DiffusionError, FinalSigma, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) struct DpmSinglestep {
    equation: Equation,
    limits: Limits,
    highest: usize,
    /// The orders of the steps to take.
    orders: std::vec::IntoIter<usize>,
    /// x̂₀ of this and earlier steps, newest first.
    outputs: Vec<At>,
    /// The first latent of the group.
    start: Option<Latent>,
}

impl DpmSinglestep {
    pub(super) fn new(plan: &Plan<'_>, spec: &SamplerSpec, highest: usize) -> Self {
        let config = plan.config;
        let ends_clean = config.final_sigmas_type == FinalSigma::Zero;
        let lowers =
            config.lower_order_final.unwrap_or(false) || ends_clean || !plan.planned.is_multiple_of(highest);
        let mut orders = orders(plan.planned, highest, lowers);
        if let Some(last) = orders.last_mut().filter(|_| ends_clean) {
            *last = 1;
        }
        let taken = orders.split_off(plan.planned.saturating_sub(plan.taken).min(orders.len()));
        let heun = config.solver_type.as_deref() == Some("heun");
        Self {
            equation: Equation { extrapolated: Extrapolated::Data, stochastic: false, heun },
            limits: Limits::of(config, spec),
            highest,
            orders: taken.into_iter(),
            outputs: Vec::new(),
            start: None,
        }
    }
}

/// The orders of a number of steps: groups of 1, 2 … `highest`, and if the order `lowers` a shorter group at the end.
fn orders(steps: usize, highest: usize, lowers: bool) -> Vec<usize> {
    let in_groups = |steps: usize| (0..steps).map(|i| i % highest + 1);
    if !lowers || highest == 1 {
        return in_groups(steps).collect();
    }
    // A whole last group is split, so that the last step is of a lower order.
    match steps % highest {
        0 => in_groups(steps - 1).chain([1]).collect(),
        _ => in_groups(steps).collect(),
    }
}

impl Sampler for DpmSinglestep {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        ScheduleStep { from, to }: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = self.limits.apply(denoiser.denoise(noisy, from)?);
        self.outputs.insert(0, (from, denoised.clone()));
        self.outputs.truncate(self.highest);
        // An image-to-image run may begin within a group; λ is infinite without noise, and where there is only noise.
        let usable = self.outputs.windows(2).take_while(|pair| {
            let [newer, older] = [pair[0].0.lambda(), pair[1].0.lambda()];
            older.is_finite() && newer != older
        });
        let allowed = if to.sigma == 0.0 { 1 } else { usable.count() + 1 };
        let order = self.orders.next().unwrap_or(1).min(allowed);
        if order == 1 {
            self.start = Some(noisy.clone());
        }
        let start = self.start.as_ref().unwrap_or(noisy);
        let next = singlestep(self.equation, start, &self.outputs[..order], to);
        Ok(SamplerStep { noisy: next, denoised })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_are_diffusers() {
        assert_eq!(orders(7, 2, true), [1, 2, 1, 2, 1, 2, 1]);
        assert_eq!(orders(6, 2, true), [1, 2, 1, 2, 1, 1]);
        assert_eq!(orders(6, 3, true), [1, 2, 3, 1, 2, 1]);
        assert_eq!(orders(7, 3, true), [1, 2, 3, 1, 2, 3, 1]);
        assert_eq!(orders(8, 3, true), [1, 2, 3, 1, 2, 3, 1, 2]);
        assert_eq!(orders(6, 3, false), [1, 2, 3, 1, 2, 3]);
    }
}
