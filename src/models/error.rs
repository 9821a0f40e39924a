//! Errors of models.

use std::path::PathBuf;

use super::devices::DeviceFault;
use crate::diffusion::{DiffusionError, SchedulerConfigError};
use crate::networks::NetworkError;
use crate::networks::backend;
use crate::reason::{Reason, ReasonKind};
use crate::store::StoreError;
use crate::weights::WeightError;

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The job was cancelled; not a failure.
    #[error("stopped")]
    Cancelled,
    /// The model's files are missing, damaged or not supported.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A network of the model could not be built or run.
    #[error("{part}: {cause}")]
    Part {
        /// The part's folder.
        part: &'static str,
        /// The cause: part of this error's message, and therefore not its `source`.
        cause: NetworkError,
    },
    /// Weights that cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The tokenizer's files are damaged.
    #[error("the tokenizer cannot be used: {reason}: {}", path.display())]
    Tokenizer {
        /// The reason.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// The model or the picture needs more memory than is available.
    #[error(
        "{what} needs about {} of memory, and {} are free",
        format_bytes(*needed), format_bytes(*available)
    )]
    TooLittleMemory {
        /// The model or the picture, for the message.
        what: String,
        /// Bytes needed, an estimate.
        needed: u64,
        /// Bytes available.
        available: u64,
    },
    /// The user allows less memory than this needs.
    #[error(
        "{what} needs about {} of memory, and {} are left of the {} that the program may use",
        format_bytes(*needed), format_bytes(*left), format_bytes(*limit)
    )]
    AboveMemoryLimit {
        /// The model or the picture, for the message.
        what: String,
        /// Bytes needed, an estimate.
        needed: u64,
        /// Bytes of the limit that the program does not hold yet.
        left: u64,
        /// The limit, bytes.
        limit: u64,
    },
    /// The scheduler's configuration is not supported.
    #[error("{cause}: {}", path.display())]
    Scheduler {
        /// Why.
        cause: SchedulerConfigError,
        /// Which file.
        path: PathBuf,
    },
    /// A prompt is longer than the limit.
    #[error("the prompt is too long: it has {found}, and {chunks} chunks of {room} tokens are possible")]
    PromptTooLong {
        /// Its length.
        found: String,
        /// Most chunks of a prompt.
        chunks: usize,
        /// Tokens of a chunk, without start and end.
        room: usize,
    },
    /// A token's id is outside the text encoder's embedding table.
    #[error(
        "the token ‘{word}’ has the number {id}, but the text encoder has vectors for {rows} tokens only"
    )]
    TokenWithoutRow {
        /// The token.
        word: String,
        /// Its id.
        id: u32,
        /// Rows of the embedding table.
        rows: usize,
    },
    /// The device cannot be used.
    #[error("{0}")]
    Device(String),
    /// The device's memory is too short for what it was given.
    #[error("the device's memory is too short{}: {said}", in_place(*part))]
    DeviceOutOfMemory {
        /// The part's folder, if it is known.
        part: Option<&'static str>,
        /// What its driver said.
        said: String,
    },
    /// The device failed while it computed.
    #[error("the device has failed{}: {said}", in_place(*part))]
    DeviceLost {
        /// The part's folder, if it is known.
        part: Option<&'static str>,
        /// What its driver said.
        said: String,
    },
    /// A latent or picture that does not fit the model.
    #[error("{0}")]
    Mismatch(String),
    /// The autoencoder's output is not finite, even in f32.
    #[error(
        "the VAE gave values that are not numbers, in f32 too: its weights are damaged, or what it was given"
    )]
    NotANumber,
    /// A text encoder gave NaN or infinity.
    #[error("the {part} gave values that are not numbers")]
    NonFinite {
        /// Its name in diffusers' layout.
        part: &'static str,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(backend::Error),
}

/// Where a device failed, for messages.
fn in_place(part: Option<&str>) -> String {
    part.map_or_else(String::new, |part| format!(" in the {part}"))
}

/// A number of bytes for messages, in MiB or GiB.
fn format_bytes(bytes: u64) -> String {
    match bytes {
        0..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

impl ModelError {
    /// Converts a network's error to one that names the part; cancellation stays [`Self::Cancelled`].
    pub(super) fn in_part(part: &'static str) -> impl Fn(NetworkError) -> Self {
        move |source| match source {
            NetworkError::Cancelled => Self::Cancelled,
            NetworkError::Tensor(error) if DeviceFault::of(&error).is_some() => {
                Self::of_operation(error, Some(part))
            }
            cause => Self::Part { part, cause },
        }
    }

    /// The error of a sampling loop: the model's own where there is one.
    pub(super) fn from_sampling(error: DiffusionError) -> Self {
        match error {
            DiffusionError::Cancelled => Self::Cancelled,
            DiffusionError::Network(cause) => match cause.downcast::<Self>() {
                Ok(error) => *error,
                Err(cause) => Self::Mismatch(cause.to_string()),
            },
            other => Self::Mismatch(other.to_string()),
        }
    }

    /// The error of an operation, which may tell of a fault of the device.
    fn of_operation(error: backend::Error, part: Option<&'static str>) -> Self {
        let said = error.words();
        match DeviceFault::of(&error) {
            Some(DeviceFault::OutOfMemory) => Self::DeviceOutOfMemory { part, said },
            Some(DeviceFault::Lost) => Self::DeviceLost { part, said },
            None => Self::Tensor(error),
        }
    }
}

impl From<backend::Error> for ModelError {
    fn from(error: backend::Error) -> Self {
        Self::of_operation(error, None)
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

impl From<&ModelError> for Reason {
    fn from(error: &ModelError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            ModelError::Store(error) => error.into(),
            ModelError::Weights(error) => error.into(),
            ModelError::Part { part, cause } => new(Kind::NetworkFailed).with([part as _, cause as _]),
            ModelError::Tokenizer { reason, path } => {
                new(Kind::TokenizerDamaged).with([reason as _]).at(path)
            }
            ModelError::TooLittleMemory { needed, available, .. } => {
                let [needed, available] = [needed, available].map(|bytes| format_bytes(*bytes));
                new(Kind::TooLittleMemory).with([&needed as _, &available as _])
            }
            ModelError::AboveMemoryLimit { needed, left, limit, .. } => {
                let [needed, left, limit] = [needed, left, limit].map(|bytes| format_bytes(*bytes));
                new(Kind::AboveMemoryLimit).with([&needed as _, &left as _, &limit as _])
            }
            ModelError::Scheduler { cause, path } => {
                new(Kind::SchedulerUnsupported).with([cause as _]).at(path)
            }
            ModelError::PromptTooLong { chunks, room, .. } => {
                new(Kind::PromptTooLong).with([chunks as _, room as _])
            }
            ModelError::TokenWithoutRow { word, id, rows } => {
                new(Kind::TokenWithoutRow).with([word as _, id as _, rows as _])
            }
            ModelError::Device(why) => new(Kind::DeviceUnusable).with([why as _]),
            ModelError::DeviceOutOfMemory { said, .. } => new(Kind::DeviceOutOfMemory).with([said as _]),
            ModelError::DeviceLost { said, .. } => new(Kind::DeviceLost).with([said as _]),
            ModelError::Mismatch(why) => new(Kind::DoesNotFit).with([why as _]),
            ModelError::NotANumber => new(Kind::DecodedNonFinite),
            ModelError::NonFinite { part } => new(Kind::PartNonFinite).with([part as _]),
            // A stop is no failure and is not shown.
            ModelError::Tensor(_) | ModelError::Cancelled => new(Kind::ComputationFailed).with([error as _]),
        }
    }
}
