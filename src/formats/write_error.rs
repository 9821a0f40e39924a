//! Why a file could not be written.

use std::path::PathBuf;

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
