//! The row of a sampler in the table: its properties except for its names.

use super::rule::{Plan, Sampler};
use crate::catalog::{SamplerKind, TimestepSpacing};
use crate::diffusion::sigmas::Spread;

/// Which levels a sampler visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diffusion) enum Grid {
    /// Whole training timesteps; each step spans a fixed number of them.
    FixedDistance,
    /// Whole training timesteps; each step goes to the next one visited.
    TrainingTimesteps,
    /// Like the fixed distance, with the steps by which a pseudo linear multistep begins.
    PseudoMultistep,
    /// k-diffusion's: sigmas at timesteps that may be fractional.
    KDiffusion,
    /// The same, but the network gets whole timesteps for Karras' sigmas.
    Midpoint,
    /// DPM-Solver's, whose spacings divide into one interval more.
    Solver,
    /// The same, always evenly from first to last whatever the configuration says.
    Singlestep,
    /// A subset of the steps of a distilled model's teacher.
    Distilled,
}

/// Which levels of a flow a sampler visits; diffusers' schedulers differ in their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diffusion) enum FlowGrid {
    /// From pure noise to the last training timestep.
    Matching,
    /// From slightly below pure noise, by whole timesteps (UniPC).
    NearlyAll,
    /// From the first training timestep, by whole timesteps (DPM-Solver).
    AfterFirst,
}

/// Where a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diffusion) enum End {
    /// Without noise.
    Clean,
    /// As `set_alpha_to_one` says, whose default in the class is given: without noise or at the first training noise
    /// level.
    AlphaToOne(bool),
    /// At the first training noise level.
    LeastNoise,
    /// At the first training noise level; a spread schedule or diffusers' flow sigmas end at their own last level.
    LeastVisited,
    /// As `final_sigmas_type` says: without noise or at the first training noise level.
    FinalSigma,
    /// The same, but at the last level of a spread schedule instead of the first of training.
    FinalSpreadSigma,
}

/// The properties of a sampler except for its names.
pub struct SamplerSpec {
    /// Which sampler it is.
    pub kind: SamplerKind,
    /// The order of convergence; `None` for a stochastic sampler.
    pub order: Option<usize>,
    pub(in crate::diffusion) grid: Grid,
    pub(in crate::diffusion) flow_grid: FlowGrid,
    pub(in crate::diffusion) end: End,
    /// The default spacing of timesteps.
    pub(in crate::diffusion) spacing: TimestepSpacing,
    /// The spreads of sigmas that diffusers' class reads from the configuration.
    pub(in crate::diffusion) spreads: &'static [Spread],
    /// Whether it reads `lambda_min_clipped`.
    pub(in crate::diffusion) clips_lambda: bool,
    /// The default of `clip_sample` where the class reads it.
    pub(in crate::diffusion) clip_sample: Option<bool>,
    /// Whether it reads `thresholding`.
    pub(in crate::diffusion) thresholds: bool,
    /// A sampler for one run.
    pub new: fn(&Plan<'_>) -> Box<dyn Sampler>,
}

/// The spreads that most of diffusers' classes read, in the order of precedence.
pub(super) const COMMON_SPREADS: &[Spread] = &[Spread::Karras, Spread::Exponential, Spread::Beta];
