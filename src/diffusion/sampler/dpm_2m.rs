//! DPM-Solver multistep, which extrapolates the noise instead of x̂₀; of the second order unless the model's
//! configuration says another. It ends at the least noise of training, where the noise can still be extrapolated.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2206.00927>.

use super::dpm_multistep::DpmMultistep;
use super::dpm_solver::{Equation, Extrapolated};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::sigmas::Spread;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Dpm2m,
    order: Some(2),
    grid: Grid::Solver,
    flow_grid: FlowGrid::AfterFirst,
    end: End::LeastNoise,
    spacing: TimestepSpacing::Linspace,
    spreads: &[Spread::Karras, Spread::Lu, Spread::Exponential, Spread::Beta],
    clips_lambda: true,
    clip_sample: None,
    thresholds: true,
    new: |plan| {
        let order = plan.config.solver_order.unwrap_or(2).min(3);
        Box::new(DpmMultistep::new(plan, &SPEC, EQUATION, order))
    },
};

const EQUATION: Equation = Equation { extrapolated: Extrapolated::Noise, stochastic: false, heun: false };
