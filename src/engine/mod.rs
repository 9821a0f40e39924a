//! One thread: commands in, events out.

mod cancel;
mod protocol;

pub use cancel::CancelToken;
pub use protocol::{Command, EngineSettings, Event, Failure, JobId, Stage};
