//! DPM-Solver++ multistep of the third order on the stochastic equation.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, section 4.4, and diffusers'
//! `DPMSolverMultistepScheduler` for the third order.

use super::dpm_multistep::DpmMultistep;
use super::dpm_solver::{Equation, Extrapolated};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::sigmas::Spread;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Dpmpp3mSde,
    order: None,
    grid: Grid::Solver,
    flow_grid: FlowGrid::AfterFirst,
    end: End::FinalSigma,
    spacing: TimestepSpacing::Linspace,
    spreads: &[Spread::Karras, Spread::Lu, Spread::Exponential, Spread::Beta],
    clips_lambda: true,
    clip_sample: None,
    thresholds: true,
    new: |plan| {
        let order = 3;
        Box::new(DpmMultistep::new(plan, &SPEC, EQUATION, order))
    },
};

const EQUATION: Equation = Equation { extrapolated: Extrapolated::Data, stochastic: true, heun: false };
