//! A run as the engine's job for it.

use super::protocol::JobId;
use crate::request::{CancelToken, Continuation, GenerationRequest};

/// A run that a job asks for.
#[derive(Clone, Copy)]
pub(super) struct RunJob<'a> {
    pub(super) id: JobId,
    pub(super) request: &'a GenerationRequest,
    pub(super) continues: Option<&'a Continuation>,
    pub(super) cancel: &'a CancelToken,
}
