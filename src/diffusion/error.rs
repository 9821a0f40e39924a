//! Errors of sampling.

use crate::reason::{Reason, ReasonKind};

/// Why a sampling run ended without a latent.
#[derive(Debug, thiserror::Error)]
pub enum DiffusionError {
    /// The job was stopped. Not a failure.
    #[error("stopped")]
    Cancelled,
    /// A latent holds NaN or infinity.
    #[error("step {step} of {steps} gave values that are not numbers ({stage})")]
    NonFinite {
        /// The step, 1 for the first.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// Where they first appeared, such as the network's prediction.
        stage: &'static str,
    },
    /// Too few or too many steps. [`crate::request::GenerationDraft::validate`] refuses them first.
    #[error("{steps} steps are not possible: choose from 1 to {most}")]
    Steps {
        /// The steps of the request.
        steps: usize,
        /// The largest number possible.
        most: usize,
    },
    /// The network failed, for a reason its owner knows.
    #[error(transparent)]
    Network(Box<dyn std::error::Error + Send + Sync>),
}

/// An error of the network has the kind that its owner gives it; here it is an operation that failed.
impl From<&DiffusionError> for Reason {
    fn from(error: &DiffusionError) -> Self {
        use ReasonKind as Kind;
        match error {
            DiffusionError::NonFinite { step, steps, .. } => {
                Self::new(Kind::StepNonFinite, error).with([step as _, steps as _])
            }
            DiffusionError::Steps { steps, most } => {
                Self::new(Kind::StepsImpossible, error).with([steps as _, most as _])
            }
            DiffusionError::Network(_) | DiffusionError::Cancelled => {
                Self::new(Kind::ComputationFailed, error).with([error as _])
            }
        }
    }
}
