//! Every step of one sampling run.

use super::Latent;

/// One finished step.
#[derive(Clone, Debug)]
pub struct TrajectoryStep {
    /// The noise level the step started from, k-diffusion's sigma.
    pub sigma: f64,
    /// The noisy latent the step started from, x_t, model space scaled by the sampler.
    pub noisy: Latent,
    /// The denoised estimate at that point, x̂₀, model space.
    pub denoised: Latent,
}

/// The steps of a run in order, and where it ended.
#[derive(Clone, Debug, Default)]
pub struct Trajectory {
    /// Finished steps, first to last.
    pub steps: Vec<TrajectoryStep>,
}

impl Trajectory {
    /// Bytes held by all latents.
    pub fn byte_len(&self) -> usize {
        self.steps.iter().map(|s| s.noisy.byte_len() + s.denoised.byte_len()).sum()
    }
}
