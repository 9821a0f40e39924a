//! Why a file could not be written.

use std::path::PathBuf;

use crate::reason::{Reason, ReasonKind};

/// A file could not be written. An older file at its path is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("could not write the file: {}{}: {}", cause, advice(cause), path.display())]
pub struct WriteFileError {
    /// The operating system's error.
    pub cause: std::io::Error,
    /// The path as it was given.
    pub path: PathBuf,
}

/// What to try, as a part of a sentence.
fn advice(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as E;
    match error.kind() {
        E::PermissionDenied | E::ReadOnlyFilesystem => " (choose a folder you may write to)",
        E::StorageFull | E::QuotaExceeded | E::FileTooLarge => " (free some space or choose another disk)",
        E::NotFound | E::NotADirectory => " (choose a folder that exists)",
        E::IsADirectory => " (choose a file name, not a folder)",
        E::InvalidFilename => " (choose a shorter name)",
        E::InvalidInput => " (choose the name of a file)",
        _ => "",
    }
}

impl From<&WriteFileError> for Reason {
    fn from(error: &WriteFileError) -> Self {
        use std::io::ErrorKind as E;
        let kind = match error.cause.kind() {
            E::PermissionDenied | E::ReadOnlyFilesystem => ReasonKind::WriteDenied,
            E::StorageFull | E::QuotaExceeded | E::FileTooLarge => ReasonKind::DiskFull,
            E::NotFound | E::NotADirectory => ReasonKind::NoFolderToWrite,
            E::IsADirectory => ReasonKind::NameIsFolder,
            E::InvalidFilename => ReasonKind::NameTooLong,
            E::InvalidInput => ReasonKind::NameInvalid,
            _ => ReasonKind::WriteFailed,
        };
        Self::new(kind, error).with([&error.cause as _]).at(&error.path)
    }
}
