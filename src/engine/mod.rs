//! One thread: commands in, events out.

mod protocol;

pub use protocol::{Command, EngineSettings, Event, Failure, JobId, Stage};
