//! DPM-Solver++ singlestep of the third order.
//!
//! Source: Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 1, and <https://arxiv.org/abs/2206.00927>.

use super::dpm_singlestep::DpmSinglestep;
use super::spec::{COMMON_SPREADS, End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Dpmpp3s,
    order: Some(2),
    grid: Grid::Singlestep,
    flow_grid: FlowGrid::AfterFirst,
    end: End::FinalSigma,
    spacing: TimestepSpacing::Linspace,
    spreads: COMMON_SPREADS,
    clips_lambda: true,
    clip_sample: None,
    thresholds: true,
    new: |plan| Box::new(DpmSinglestep::new(plan, &SPEC, 3)),
};
