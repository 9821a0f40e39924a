//! Errors of networks.

use super::backend::Error;
use crate::request::CancelToken;

/// Why a network could not be built or run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The job was cancelled; not a failure.
    #[error("stopped")]
    Cancelled,
    /// A value of the configuration that is not supported.
    #[error("‘{key}’ is {value} in the model's configuration, and this program supports only {supported}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The values that are supported.
        supported: &'static str,
    },
    /// A tensor is missing or misshapen, or an operation failed.
    #[error(transparent)]
    Tensor(#[from] Error),
}

/// The cancellation check between blocks.
///
/// # Errors
/// [`NetworkError::Cancelled`] once the job is cancelled.
pub(super) fn check_cancelled(cancel: &CancelToken) -> Result<(), NetworkError> {
    if cancel.is_stopped() { Err(NetworkError::Cancelled) } else { Ok(()) }
}
