//! Messages to the person, as data: whoever draws them has the words.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use super::{DocumentId, Session, Title};
use crate::catalog::ModelSource;
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
    /// The settings file was damaged: how, and where a copy of it is.
    SettingsDamaged {
        /// What is wrong with it.
        why: String,
        /// The copy.
        kept_as: PathBuf,
    },
    /// The settings file could not be read, so it is not written either: why.
    SettingsUnread(String),
    /// The settings could not be written: why.
    SettingsUnwritten(String),
    /// The model of the last start is not loaded, because that ended the program.
    ModelHeldBack(ModelSource),
    /// Unsaved results cannot be kept on the disk: why.
    NothingKept(String),
    /// A result of an earlier session cannot be shown; its latent is still here.
    NotRecovered(PathBuf),
    /// A document was taken away and can come back.
    Removed(Title),
    /// So many waiting pictures were let go and can come back.
    Dropped(u64),
    /// A latent was kept as a document of its own; from which.
    Kept(Title),
    /// A picture was copied.
    Copied,
    /// An opened picture holds the settings it was drawn with.
    HoldsSettings(DocumentId),
    /// The graphics device was lost, and the window was painted anew.
    Repainted,
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
    /// What of a model's own settings is not followed.
    ModelRemarks(Vec<String>),
    /// What is written in a prompt and not done.
    PromptRemarks(Vec<String>),
}

impl Message {
    /// How serious it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Saved(_)
            | Self::Restored(_)
            | Self::ScaledDown(..)
            | Self::Decoder(_)
            | Self::Removed(_)
            | Self::Dropped(_)
            | Self::Kept(_)
            | Self::Copied
            | Self::HoldsSettings(_)
            | Self::Repainted
            | Self::ModelRemarks(_)
            | Self::PromptRemarks(_) => Severity::Info,
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

/// A message of the past.
#[derive(Clone, Debug)]
pub struct PastMessage {
    /// What happened.
    pub message: Message,
    /// When.
    pub at: Instant,
}

/// How many past messages are kept.
const MAX_PAST: usize = 50;

/// Messages, oldest first.
pub(super) struct Notices {
    pub(super) list: Vec<Notice>,
    pub(super) next: u64,
    past: VecDeque<PastMessage>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { list: Vec::new(), next: 1, past: VecDeque::new() }
    }
}

impl Session {
    /// Adds a message; gives its name. What is said again takes the place of what was said before.
    pub fn notify(&mut self, message: Message) -> u64 {
        let id = self.notices.next;
        self.notices.next += 1;
        let past = &mut self.notices.past;
        if past.len() == MAX_PAST {
            past.pop_front();
        }
        past.push_back(PastMessage { message: message.clone(), at: Instant::now() });
        if message.severity() == Severity::Error {
            self.notices.list.retain(|known| known.message != message);
        }
        self.notices.list.push(Notice { id, message });
        id
    }

    /// The last messages, those that were dismissed too, newest first.
    pub fn past_messages(&self) -> impl Iterator<Item = &PastMessage> {
        self.notices.past.iter().rev()
    }

    /// Adds a message unless it is there already.
    pub(super) fn notify_once(&mut self, message: Message) {
        if self.notices.list.iter().all(|notice| notice.message != message) {
            self.notify(message);
        }
    }
}
