//! What can go wrong with a library.

use std::path::PathBuf;

use crate::formats::atomic::WriteFileError;
use crate::reason::{Reason, ReasonKind};

/// Why something of a library cannot be done. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The system has no home folder.
    #[error("the library has no place: the system names no home folder; set the variable HOME")]
    NoPlace,
    /// The file of a person's choices cannot be used.
    #[error("the list of the library's folders cannot be used: {reason}; repair or remove the file: {}", path.display())]
    Config {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteFileError),
    /// No entry has a name.
    #[error(
        "the library has no model ‘{name}’; ‘safelight models list’ shows those it has{}",
        similar(close)
    )]
    NotFound {
        /// The name.
        name: String,
        /// Names of entries that contain it.
        close: Vec<String>,
    },
    /// Several entries have a name.
    #[error("‘{name}’ is the name of several models; name one of them: {}", candidates.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// The names of the entries, or their paths where the names are equal.
        candidates: Vec<String>,
    },
    /// An entry is not a model that can be opened.
    #[error("‘{name}’ cannot be opened: {why}: {}", path.display())]
    NotReady {
        /// Its name.
        name: String,
        /// Why, and what to try.
        why: Box<Reason>,
        /// Its path.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("the file cannot be read: {reason}: {}", path.display())]
    Read {
        /// The operating system's error.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// There is no hash of several files.
    #[error("a hash is that of one file, and this model is in several: {}", .0.display())]
    SeveralFiles(PathBuf),
    /// Stopped by the user.
    #[error("stopped")]
    Stopped,
}

impl From<&LibraryError> for Reason {
    fn from(error: &LibraryError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            LibraryError::NoPlace => new(Kind::LibraryNowhere),
            LibraryError::Config { reason, path } => new(Kind::LibraryChoices).with([reason as _]).at(path),
            LibraryError::Write(error) => error.into(),
            LibraryError::NotFound { name, .. } | LibraryError::Ambiguous { name, .. } => {
                new(Kind::LibraryName).with([name as _])
            }
            LibraryError::NotReady { why, path, .. } => (**why).clone().said(error).at(path),
            LibraryError::Read { reason, path } => new(Kind::FileUnread).with([reason as _]).at(path),
            LibraryError::SeveralFiles(path) => new(Kind::SeveralFiles).at(path),
            LibraryError::Stopped => new(Kind::Stopped),
        }
    }
}

fn similar(close: &[String]) -> String {
    if close.is_empty() { String::new() } else { format!(" (did you mean {}?)", close.join(" or ")) }
}
