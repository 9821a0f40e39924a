//! What can go wrong in a network.

use crate::request::CancelToken;

/// Why a network gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The job was stopped. Not a failure.
    #[error("stopped")]
    Cancelled,
    /// A configuration this program cannot follow.
    #[error("‘{key}’ is {value} in the model's configuration, and this program supports only {supported}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be.
        supported: &'static str,
    },
    /// A tensor is missing or misshapen, or an operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// Looked at between blocks: [`NetworkError::Cancelled`] once the job was stopped.
pub(super) fn checkpoint(cancel: &CancelToken) -> Result<(), NetworkError> {
    if cancel.is_stopped() { Err(NetworkError::Cancelled) } else { Ok(()) }
}
