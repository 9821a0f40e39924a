//! Jobs that wait and the one that runs.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::{JobId, Stage};
use crate::latent::TrajectoryStep;
use crate::request::{CancelToken, GenerationRequest};

/// A job that waits.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its name.
    pub id: JobId,
    /// What to draw.
    pub request: GenerationRequest,
}

/// The job the engine has.
pub struct Running {
    /// Its name.
    pub id: JobId,
    /// What it draws.
    pub request: GenerationRequest,
    /// Its stop switch.
    pub cancel: CancelToken,
    /// What the engine does, once it has begun.
    pub stage: Option<Stage>,
    /// The newest step.
    pub newest: Option<Arc<TrajectoryStep>>,
    /// Mean seconds of a step so far.
    pub step_secs: Option<f64>,
    /// When it was sent.
    pub since: Instant,
}

impl Running {
    /// Share of the job that is done, 0..=1.
    pub fn progress(&self) -> f32 {
        self.newest.as_ref().map_or(0.0, |step| step.step as f32 / step.steps as f32)
    }

    /// Seconds until sampling ends, once a step was timed.
    pub fn seconds_left(&self) -> Option<f64> {
        let step = self.newest.as_ref()?;
        Some(self.step_secs? * (step.steps - step.step) as f64)
    }
}
