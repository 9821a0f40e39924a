//! Pictures of this session, and which of them is looked at.

use std::sync::Arc;

use crate::engine::JobId;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat, Trajectory};
use crate::request::{GenerationRequest, Picture};

/// What the canvas shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The running job, or nothing yet.
    #[default]
    Live,
    /// A result of the strip.
    Result(usize),
}

/// Pictures of this session, those that were taken away, and what is looked at.
#[derive(Default)]
pub(super) struct Results {
    /// Oldest first.
    pub(super) items: Vec<ResultItem>,
    /// Results that were taken away and can come back: the message that offers it, and their place.
    pub(super) removed: Vec<(u64, usize, ResultItem)>,
    pub(super) shown: Shown,
    /// The step of the shown result that is looked at, `None` for its picture.
    pub(super) scrubbed: Option<usize>,
    /// Whether previews show x_t instead of x̂₀.
    pub(super) show_noisy: bool,
}

impl Results {
    /// Notes that a picture was saved; whether there is such a result.
    pub(super) fn mark_saved(&mut self, job: JobId) -> bool {
        let removed = self.removed.iter_mut().map(|(_, _, item)| item);
        let found = self.items.iter_mut().chain(removed).find(|item| item.job == job);
        found.map(|item| item.saved = true).is_some()
    }
}

/// What became of a latent's decoding.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Being decoded.
    Decoding,
    /// The picture.
    Decoded(Picture),
    /// It failed, and the latent is still here.
    Failed(String),
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
    /// Whether the picture was saved.
    pub saved: bool,
}

impl ResultItem {
    /// The picture, once it is decoded.
    pub fn picture(&self) -> Option<&Picture> {
        match &self.outcome {
            Outcome::Decoded(picture) => Some(picture),
            Outcome::Decoding | Outcome::Failed(_) => None,
        }
    }

    /// What a saved file says about it.
    pub fn facts(&self) -> GenerationFacts {
        GenerationFacts::of_request(&self.request, &self.model_name)
    }
}
