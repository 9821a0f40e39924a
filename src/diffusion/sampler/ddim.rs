//! DDIM without noise (η = 0), which is Euler's rule in this convention; levels and limits differ.
//!
//! Source: Song et al. 2020, <https://arxiv.org/abs/2010.02502>, equation 12.

use super::euler::Euler;
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{SamplerKind, TimestepSpacing};

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Ddim,
    order: Some(1),
    grid: Grid::FixedDistance,
    flow_grid: FlowGrid::Matching,
    end: End::AlphaToOne,
    spacing: TimestepSpacing::Leading,
    spreads: &[],
    clips_lambda: false,
    clip_sample: Some(true),
    thresholds: true,
    new: |plan| Box::new(Euler::new(plan, &SPEC)),
};
