//! DPM-Solver++ multistep of the second order, or of the first where the model's configuration says so.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 2.

use super::dpm_multistep::DpmMultistep;
use super::dpm_solver::{Equation, Extrapolated};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::sigmas::Spread;

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
    new: |plan| {
        let order = plan.config.solver_order.unwrap_or(2).min(2);
        Box::new(DpmMultistep::new(plan, &SPEC, EQUATION, order))
    },
};

const EQUATION: Equation = Equation { extrapolated: Extrapolated::Data, stochastic: false, heun: false };
