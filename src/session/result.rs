//! A generated picture.

use std::sync::Arc;

use super::Lineage;
use crate::engine::JobId;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat, Trajectory};
use crate::reason::Reason;
use crate::request::{GenerationRequest, Picture};

/// The state of a latent's decode.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Being decoded.
    Decoding,
    /// The picture.
    Decoded(Picture),
    /// The decode or the run failed: the reason.
    Failed(Reason),
    /// The user stopped the run or the decode; the latent is the last estimate.
    Stopped,
}

/// A sampled latent and its decode.
#[derive(Clone, Debug)]
pub struct ResultItem {
    /// The job that made it.
    pub job: JobId,
    /// The request.
    pub request: GenerationRequest,
    /// What it was made from.
    pub lineage: Lineage,
    /// The model's name.
    pub model_name: String,
    /// The latent's format.
    pub format: LatentFormat,
    /// The final latent, model space.
    pub latent: Latent,
    /// Every step.
    pub trajectory: Arc<Trajectory>,
    /// The decode.
    pub outcome: Outcome,
    /// Whether the run ended before its last step.
    pub finished_early: bool,
    /// Duration of the whole job, seconds.
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

    /// The metadata for a saved file.
    pub fn facts(&self) -> GenerationFacts {
        self.lineage.facts(&self.request, &self.model_name)
    }
}
