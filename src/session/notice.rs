//! Notices to the user, as data; the panels provide the translated texts.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use super::{DocumentId, Session, Title};
use crate::catalog::ModelSource;
use crate::engine::Failure;
use crate::formats::metadata::Unrestored;
use crate::reason::Reason;
use crate::request::DraftError;

/// The severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Info,
    /// Something failed.
    Error,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A file was written.
    Saved(PathBuf),
    /// A file could not be written: the reason.
    NotSaved(Reason),
    /// A file could not be opened: the reason.
    NotOpened(Reason),
    /// The engine did not accept a job: the reason.
    NotTaken(Reason),
    /// The settings file was damaged.
    SettingsDamaged {
        /// What is wrong with it.
        why: String,
        /// The backup of the damaged file.
        kept_as: PathBuf,
    },
    /// The settings file could not be read, so it will not be overwritten: the reason.
    SettingsUnread(String),
    /// The settings could not be written: the reason.
    SettingsUnwritten(String),
    /// The last model was not loaded, because loading it crashed the program before.
    ModelHeldBack(ModelSource),
    /// Crash recovery is not available: the reason.
    NothingKept(Reason),
    /// A run is not kept in the history: the reason.
    RunNotKept(Reason),
    /// An earlier session did not finish this number of runs, which can go on.
    Interrupted(usize),
    /// This number of runs was moved to the trash.
    RunsDeleted(usize),
    /// A run was interrupted before its first step, so that there is nothing to show.
    RunIsEmpty,
    /// The steps of a run were removed to save space, so that it cannot go on.
    RunIsThinned,
    /// A picture was described in these words, which are the prompt now. Can be undone.
    Described(String),
    /// A description of a picture has no words.
    NothingDescribed,
    /// The library has no model that finds pictures.
    NoPictureSearch,
    /// The library has no model that describes pictures.
    NoPictureDescription,
    /// Something about the kept runs could not be done: the reason.
    HistoryFailed(Reason),
    /// A result of an earlier session cannot be restored; its latent is still in this file.
    NotRecovered(PathBuf),
    /// A document was removed and can be restored.
    Removed(Title),
    /// This number of pictures was removed from the queue and can be restored.
    Dropped(u64),
    /// An edited latent was copied into a new document; the title of the original.
    Kept(Title),
    /// A picture was copied to the clipboard.
    Copied,
    /// The list of recent models was emptied.
    ModelsForgotten,
    /// The prompts and their history were emptied.
    PromptsForgotten,
    /// The entry of this name was taken off the list of models and can be put back.
    EntryRemoved(String),
    /// The files of the model of this name were moved to the trash.
    EntryDeleted(String),
    /// Something about the library of models could not be done: the reason.
    LibraryFailed(Reason),
    /// The model of this name was downloaded; the path of the model that can be opened now, if there is one.
    Downloaded(String, Option<PathBuf>),
    /// Something about downloads could not be done: the reason.
    DownloadsFailed(Reason),
    /// The stored token was forgotten.
    TokenForgotten,
    /// An opened picture contains its generation settings.
    HoldsSettings(DocumentId),
    /// The graphics device was lost and recreated.
    Repainted,
    /// A GPU is not used, and the processor is: the reason.
    DeviceRefused(Reason),
    /// The draft is invalid.
    NotDrawable(DraftError),
    /// Settings were restored from a file, except these.
    Restored(Vec<Unrestored>),
    /// A picture is smaller than one latent pixel, whose edge is given in pixels.
    TooSmall(usize),
    /// A large picture was scaled down to this width and height, pixels.
    ScaledDown(usize, usize),
    /// No model is loaded yet.
    NoModel,
    /// A job failed.
    Failed(Failure),
    /// A remark of the decoder, such as a repeated decode in f32.
    Decoder(String),
    /// Unsupported settings of the model.
    ModelRemarks(Vec<String>),
    /// Unsupported parts of a prompt.
    PromptRemarks(Vec<String>),
}

impl Message {
    /// The message's severity.
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
            | Self::ModelsForgotten
            | Self::PromptsForgotten
            | Self::EntryRemoved(_)
            | Self::EntryDeleted(_)
            | Self::Downloaded(..)
            | Self::TokenForgotten
            | Self::HoldsSettings(_)
            | Self::Interrupted(_)
            | Self::RunsDeleted(_)
            | Self::Described(_)
            | Self::NothingDescribed
            | Self::NoPictureSearch
            | Self::NoPictureDescription
            | Self::Repainted
            | Self::ModelRemarks(_)
            | Self::PromptRemarks(_) => Severity::Info,
            _ => Severity::Error,
        }
    }
}

/// A message that is shown until it is dismissed.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Its id within the session.
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

/// The notices, oldest first.
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
    /// Adds a message and returns the notice's id. An error replaces an equal one.
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

    /// Adds a message unless an equal one is shown already.
    pub(super) fn notify_once(&mut self, message: Message) {
        if self.notices.list.iter().all(|notice| notice.message != message) {
            self.notify(message);
        }
    }
}
