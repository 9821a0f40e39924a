//! The trajectory of a sampling run: every step.

use std::sync::Arc;

use super::Latent;

/// One finished step.
#[derive(Clone, Debug, PartialEq)]
pub struct TrajectoryStep {
    /// Index of the step, 1 for the first.
    pub step: usize,
    /// Number of steps of the run.
    pub steps: usize,
    /// The noise level the step started from: k-diffusion's sigma, or a flow's time.
    pub sigma: f64,
    /// The noisy latent the step started from, x_t, model space scaled by the sampler.
    pub noisy: Latent,
    /// The denoised estimate at that point, x̂₀, model space.
    pub denoised: Latent,
    /// Seconds the step took.
    pub elapsed_secs: f64,
}

/// The steps of a run in order.
#[derive(Clone, Debug, Default)]
pub struct Trajectory {
    /// Finished steps, first to last.
    pub steps: Vec<Arc<TrajectoryStep>>,
}

impl Trajectory {
    /// Bytes held by all latents.
    pub fn byte_len(&self) -> usize {
        self.steps.iter().map(|s| s.noisy.byte_len() + s.denoised.byte_len()).sum()
    }
}
