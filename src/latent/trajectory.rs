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
    /// What the denoiser returned in this step, in the order of its calls. With them a sampler takes the step again to
    /// the same bits without the network.
    pub outputs: Vec<Latent>,
    /// Seconds the step took.
    pub elapsed_secs: f64,
}

impl TrajectoryStep {
    /// Bytes held by its latents. An output that is the estimate itself is counted once.
    pub fn byte_len(&self) -> usize {
        let is_other = |output: &&Latent| output.values().as_ptr() != self.denoised.values().as_ptr();
        let outputs = self.outputs.iter().filter(is_other).map(Latent::byte_len).sum::<usize>();
        self.noisy.byte_len() + self.denoised.byte_len() + outputs
    }
}

/// The steps of a run in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// The latent of the picture that the run started from, model space; `None` for a run from noise.
    pub source: Option<Latent>,
    /// Finished steps, first to last.
    pub steps: Vec<Arc<TrajectoryStep>>,
}

impl Trajectory {
    /// Bytes held by all latents.
    pub fn byte_len(&self) -> usize {
        self.steps.iter().map(|step| step.byte_len()).sum()
    }
}
