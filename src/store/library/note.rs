//! What a person should know of a scan that is about no entry.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::reason::{Reason, ReasonKind};

/// A problem with a file or folder that a scan passed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What happened and what to try, as one clause.
    pub why: Reason,
    /// The file or folder.
    pub path: PathBuf,
}

impl Note {
    /// A note of this kind. `what`: the English clause.
    pub(super) fn new(kind: ReasonKind, what: impl fmt::Display, path: &Path) -> Self {
        Self { why: Reason::new(kind, what), path: path.to_owned() }
    }

    /// The same with what the kind's words name.
    pub(super) fn with(self, detail: impl fmt::Display) -> Self {
        Self { why: self.why.with([&detail as _]), ..self }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.why, self.path.display())
    }
}
