//! Messages to the person, as data: whoever draws them has the words.

use std::path::PathBuf;

use crate::engine::Failure;
use crate::formats::metadata::Unrestored;
use crate::request::DraftError;

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something failed.
    Error,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A file was written.
    Saved(PathBuf),
    /// A file was not written: why.
    NotSaved(String),
    /// A file was not opened: why.
    NotOpened(String),
    /// The engine did not take a job: why.
    NotTaken(String),
    /// The settings file was damaged: how, and where it was put.
    SettingsDamaged(String),
    /// The draft is no request.
    NotDrawable(DraftError),
    /// Settings came back from a file; these did not.
    Restored(Vec<Unrestored>),
    /// A picture is smaller than a latent pixel, whose edge is given.
    TooSmall(usize),
    /// A large picture was scaled down to this width and height.
    ScaledDown(usize, usize),
    /// No model is loaded yet.
    NoModel,
    /// A job failed.
    Failed(Failure),
    /// The decoder said something beside the picture.
    Decoder(String),
}

impl Message {
    /// How serious it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Saved(_) | Self::Restored(_) | Self::ScaledDown(..) | Self::Decoder(_) => Severity::Info,
            _ => Severity::Error,
        }
    }
}

/// A message until it is dismissed.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its name within the session.
    pub id: u64,
    /// What happened.
    pub message: Message,
}
