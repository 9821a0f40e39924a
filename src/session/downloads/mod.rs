//! Downloads of models, as the window shows them: what the thread that fetches last said, put together by models, what is
//! looked at before anything is fetched, and what failed.

mod actions;
mod groups;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::Session;
use crate::reason::Reason;

pub use crate::store::hub::{
    Catalogue, CatalogueFile, CatalogueLicence, CatalogueModel, Choice, ChoiceKind, Download, DownloadId,
    DownloadState, Fetched, Licence, Listing, Offer, PartKind, PictureModel, Source, TinyDecoder, Token,
    default_choice, in_words as bytes_in_words,
};
pub use actions::DownloadAction;
pub use groups::{DownloadGroup, GroupState};

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Files of the catalogue by their names in it, under the name shown.
    Catalogue {
        /// The name shown.
        name: String,
        /// The files.
        files: Vec<String>,
    },
    /// One of the choices that a repository has.
    Choice(Arc<Listing>, Choice),
    /// A file at an address that is not the hub's.
    Direct {
        /// The address as it was typed.
        typed: String,
        /// The name of the file.
        file_name: String,
    },
}

impl Wish {
    /// A model of the catalogue.
    pub fn of_model(model: &CatalogueModel) -> Self {
        let files = model.files.iter().map(|used| used.file.clone()).collect();
        Self::Catalogue { name: model.name.clone(), files }
    }

    /// A file of the catalogue.
    pub fn of_file(file: &CatalogueFile) -> Self {
        Self::Catalogue { name: file.path.file_name().to_owned(), files: vec![file.id.clone()] }
    }

    /// The name under which it is fetched.
    pub fn name(&self) -> String {
        match self {
            Self::Catalogue { name, .. } => name.clone(),
            Self::Choice(listing, choice) => match &choice.kind {
                ChoiceKind::Folder(_) => listing.repository.to_string(),
                _ => choice.name.rsplit('/').next().unwrap_or_default().to_owned(),
            },
            Self::Direct { file_name, .. } => file_name.clone(),
        }
    }
}

/// What the thread of the downloads is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum DownloadsCommand {
    /// Look what this address or repository has to choose from.
    Look(String),
    /// Stop looking.
    StopLooking,
    /// Ask for the files of a wish, and fetch them.
    Get(Wish),
    /// Stop asking for the files of the wish of this name.
    StopAsking(String),
    /// Pause these downloads.
    Pause(Vec<DownloadId>),
    /// Go on with these.
    Resume(Vec<DownloadId>),
    /// Put these before the others.
    First(Vec<DownloadId>),
    /// Give these up, and remove what came of them.
    Remove(Vec<DownloadId>),
    /// Store this token, and use it.
    KeepToken(Token),
    /// Forget the token that was stored here.
    ForgetToken,
}

/// What an address has.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A repository with its choices.
    Repository(Arc<Listing>, Vec<Choice>),
    /// One file elsewhere, of unknown size and licence.
    File {
        /// Its name.
        file_name: String,
        /// The host it comes from.
        host: String,
    },
}

/// What the thread of the downloads says.
#[derive(Debug)]
pub enum DownloadsReport {
    /// The downloads in their order.
    Listed(Vec<Download>),
    /// What an address has.
    Looked(Result<Found, Reason>),
    /// The files of the wish of this name are known, and are being fetched.
    Started(String),
    /// The wish of this name cannot be fetched.
    Refused(String, Reason),
    /// All files of this name are here.
    Finished(FetchedModel),
    /// Whether a token is stored here.
    HasToken(bool),
    /// Something could not be done.
    Failed(Reason),
}

/// Files that were fetched together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedModel {
    /// The name under which they were fetched.
    pub name: String,
    /// The folder that the library is to search for them.
    pub folder: PathBuf,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// A wish whose files are not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The wish.
    pub wish: Wish,
    /// Why it cannot be fetched; `None` while the hub is asked.
    pub failure: Option<Reason>,
}

/// What is looked at before anything is fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Look {
    /// Nothing.
    #[default]
    Nothing,
    /// The hub is being asked about this.
    Asking(String),
    /// What this has.
    Found(String, Found),
    /// Why nothing can be said of this.
    Failed(String, Reason),
}

/// Speed that is assumed before one was measured, bytes per second.
const USUAL_SPEED: f64 = 10e6;

/// The downloads as the window shows them.
#[derive(Debug, Default)]
pub struct Downloads {
    groups: Vec<DownloadGroup>,
    asked: Vec<Asked>,
    look: Look,
    has_token: bool,
    /// The greatest speed of all downloads together so far, bytes per second.
    measured: Option<f64>,
    /// The model that a part is fetched for, by the name of the download.
    completed: BTreeMap<String, PathBuf>,
}

impl Downloads {
    /// The downloads by models, in their order.
    pub fn groups(&self) -> &[DownloadGroup] {
        &self.groups
    }

    /// Wishes whose files are not known yet, or that cannot be fetched.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// What is looked at.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// Whether a token is stored here.
    pub fn has_token(&self) -> bool {
        self.has_token
    }

    /// The number of models that are fetched, wait, are paused or failed.
    pub fn len(&self) -> usize {
        self.groups.len() + self.asked.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether anything is fetched or waits for its turn.
    pub fn is_active(&self) -> bool {
        self.groups.iter().any(|group| group.state.is_active())
            || self.asked.iter().any(|asked| asked.failure.is_none())
    }

    /// Whether anything failed.
    pub fn has_failures(&self) -> bool {
        self.groups.iter().any(|group| !group.failures.is_empty())
            || self.asked.iter().any(|asked| asked.failure.is_some())
    }

    /// The share of the bytes of all downloads that is here, 0 to 1; `None` where no size is known.
    pub fn share(&self) -> Option<f32> {
        let known: Vec<&DownloadGroup> = self.groups.iter().filter(|group| group.size.is_some()).collect();
        let size: u64 = known.iter().filter_map(|group| group.size).sum();
        let received: u64 = known.iter().map(|group| group.received).sum();
        (size > 0).then(|| (received as f64 / size as f64).min(1.0) as f32)
    }

    /// The state of the download of this name.
    pub fn group(&self, name: &str) -> Option<&DownloadGroup> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// Whether this is asked for, fetched, paused or failed.
    pub fn knows(&self, name: &str) -> bool {
        self.group(name).is_some() || self.asked.iter().any(|asked| asked.wish.name() == name)
    }

    /// Seconds that this many bytes take, and the speed that is assumed for it, bytes per second: the one measured last,
    /// or a usual one.
    pub fn forecast(&self, bytes: u64) -> (f64, f64) {
        let speed = self.measured.unwrap_or(USUAL_SPEED);
        (bytes as f64 / speed, speed)
    }
}

impl Session {
    /// The downloads of models.
    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }
}
