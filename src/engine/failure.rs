//! Errors in plain words: what failed, why, and what to try.

use super::protocol::Failure;
use crate::diffusion::DiffusionError;
use crate::models::ModelError;
use crate::store::StoreError;

/// Why a job ended without a result.
pub(super) enum JobError {
    /// It was stopped.
    Cancelled,
    /// It failed.
    Failed(Failure),
}

impl JobError {
    fn failed(what: &str, why: impl std::fmt::Display, advice: &str) -> Self {
        Self::Failed(Failure { what: what.to_owned(), why: why.to_string(), advice: advice.to_owned() })
    }

    /// A model's error while `what` was done.
    pub(super) fn from_model(what: &str, error: ModelError) -> Self {
        let advice = match &error {
            ModelError::Cancelled => return Self::Cancelled,
            ModelError::Store(StoreError::NoFolder(_)) => {
                "Choose the model's folder again: it was moved or removed."
            }
            ModelError::Store(StoreError::NotAModel { .. }) => {
                "Choose the folder that holds model_index.json, and check that its download is complete."
            }
            ModelError::Store(StoreError::Read { .. }) => {
                "Check that the file exists and that you may read it."
            }
            ModelError::Store(StoreError::Damaged { .. })
            | ModelError::Weights { .. }
            | ModelError::Part { .. }
            | ModelError::Tokenizer { .. } => "Download the model again, or choose another one.",
            ModelError::Device(_) => "Choose another device in the settings.",
            ModelError::NotANumber => "The latent is kept: save it, and try another VAE.",
            ModelError::Mismatch(_) => "Choose a model that fits, or change the size.",
            ModelError::Store(_) | ModelError::Tensor(_) => "",
        };
        Self::failed(what, error, advice)
    }

    /// A sampling error.
    pub(super) fn from_sampling(error: DiffusionError) -> Self {
        let advice = match &error {
            DiffusionError::Cancelled => return Self::Cancelled,
            DiffusionError::NonFinite { .. } => "Try f32, a lower guidance scale, or another sampler.",
            DiffusionError::Unsupported(_) => "Change the sampler, the schedule or the steps.",
            DiffusionError::Tensor(_) => {
                "Try a smaller picture; if it happens again, the model may be damaged."
            }
        };
        Self::failed("Sampling failed", error, advice)
    }
}
