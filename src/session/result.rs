//! A drawn picture.

use std::sync::Arc;

use crate::engine::JobId;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat, Trajectory};
use crate::request::{GenerationRequest, Picture};

/// What became of a latent's decoding.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Being decoded.
    Decoding,
    /// The picture.
    Decoded(Picture),
    /// It failed, and the latent is still here.
    Failed(String),
    /// The person stopped the run or the decoding; the latent is as far as it came.
    Stopped,
}

/// A sampled latent and what became of it.
#[derive(Clone, Debug)]
pub struct ResultItem {
    /// The job that made it.
    pub job: JobId,
    /// What was asked for.
    pub request: GenerationRequest,
    /// The model's name.
    pub model_name: String,
    /// The latent's format.
    pub format: LatentFormat,
    /// The final latent, model space.
    pub latent: Latent,
    /// Every step.
    pub trajectory: Arc<Trajectory>,
    /// The picture.
    pub outcome: Outcome,
    /// Whether the person ended it early.
    pub finished_early: bool,
    /// Seconds for the whole job.
    pub elapsed_secs: f64,
}

impl ResultItem {
    /// The picture, once it is decoded.
    pub fn picture(&self) -> Option<&Picture> {
        match &self.outcome {
            Outcome::Decoded(picture) => Some(picture),
            Outcome::Decoding | Outcome::Failed(_) | Outcome::Stopped => None,
        }
    }

    /// What a saved file says about it.
    pub fn facts(&self) -> GenerationFacts {
        GenerationFacts::of_request(&self.request, &self.model_name)
    }
}
