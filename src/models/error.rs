//! What can go wrong with a model.

use std::path::PathBuf;

use crate::diffusion::DiffusionError;
use crate::networks::NetworkError;
use crate::store::StoreError;

/// Why a model gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The job was stopped. Not a failure.
    #[error("stopped")]
    Cancelled,
    /// The model's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part's network.
    #[error("{part}: {source}")]
    Part {
        /// The part's folder.
        part: &'static str,
        /// Why.
        source: NetworkError,
    },
    /// A weights file is damaged.
    #[error("the weights are damaged: {reason}: {}", path.display())]
    Weights {
        /// In what way.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// The tokenizer's files are damaged.
    #[error("the tokenizer cannot be used: {reason}: {}", path.display())]
    Tokenizer {
        /// In what way.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// The device cannot be used.
    #[error("{0}")]
    Device(String),
    /// A latent or picture that does not fit the model.
    #[error("{0}")]
    Mismatch(String),
    /// A decode gave no numbers.
    #[error(
        "the decoder gave values that are not numbers, in f32 too: the latent or the VAE's weights are damaged"
    )]
    NotANumber,
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl ModelError {
    /// A network's error with the part it happened in; a stop stays a stop.
    pub(super) fn in_part(part: &'static str) -> impl Fn(NetworkError) -> Self {
        move |source| match source {
            NetworkError::Cancelled => Self::Cancelled,
            source => Self::Part { part, source },
        }
    }
}

impl From<ModelError> for DiffusionError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Cancelled,
            ModelError::Tensor(error) => Self::Tensor(error),
            other => Self::Unsupported(other.to_string()),
        }
    }
}
