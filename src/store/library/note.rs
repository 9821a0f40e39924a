//! What a person should know of a scan that is about no entry.

use std::fmt;
use std::path::{Path, PathBuf};

/// A problem with a file or folder that a scan passed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What happened and what to try, as one clause.
    pub what: String,
    /// The file or folder.
    pub path: PathBuf,
}

impl Note {
    pub(super) fn new(what: impl Into<String>, path: &Path) -> Self {
        Self { what: what.into(), path: path.to_owned() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.path.display())
    }
}
