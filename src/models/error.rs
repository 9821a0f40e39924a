//! What can go wrong with a model.

use std::path::PathBuf;

use crate::diffusion::{DiffusionError, SchedulerConfigError};
use crate::networks::NetworkError;
use crate::store::StoreError;
use crate::weights::WeightError;

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
    #[error("{part}: {cause}")]
    Part {
        /// The part's folder.
        part: &'static str,
        /// Why; told by this error and therefore not its `source`.
        cause: NetworkError,
    },
    /// Weights that cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The tokenizer's files are damaged.
    #[error("the tokenizer cannot be used: {reason}: {}", path.display())]
    Tokenizer {
        /// In what way.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// The model or the picture takes more memory than there is.
    #[error(
        "{what} needs about {} of memory, and {} are free",
        in_words(*needed), in_words(*available)
    )]
    TooLittleMemory {
        /// What needs it.
        what: String,
        /// Estimate, bytes.
        needed: u64,
        /// Bytes.
        available: u64,
    },
    /// The scheduler's configuration cannot be followed.
    #[error("{cause}: {}", path.display())]
    Scheduler {
        /// Why.
        cause: SchedulerConfigError,
        /// Which file.
        path: PathBuf,
    },
    /// A prompt is longer than a run can take.
    #[error("the prompt is too long: it has {found}, and {chunks} chunks of {room} tokens are possible")]
    PromptTooLong {
        /// Its length.
        found: String,
        /// The most chunks there can be.
        chunks: usize,
        /// Tokens of one.
        room: usize,
    },
    /// The tokenizer has words that the text encoder has no vectors for.
    #[error(
        "the token ‘{word}’ has the number {id}, but the text encoder has vectors for {rows} tokens only"
    )]
    TokenWithoutRow {
        /// The token.
        word: String,
        /// Its number.
        id: u32,
        /// Vectors there are.
        rows: usize,
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

/// Bytes for people.
fn in_words(bytes: u64) -> String {
    match bytes {
        0..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

impl ModelError {
    /// A network's error with the part it happened in; a stop stays a stop.
    pub(super) fn in_part(part: &'static str) -> impl Fn(NetworkError) -> Self {
        move |source| match source {
            NetworkError::Cancelled => Self::Cancelled,
            cause => Self::Part { part, cause },
        }
    }
}

impl From<ModelError> for DiffusionError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled => Self::Cancelled,
            other => Self::Network(Box::new(other)),
        }
    }
}
