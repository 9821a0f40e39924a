//! Why a file could not be written.

use std::path::PathBuf;

/// A file that could not be written. What stood at the path before still stands there.
#[derive(Debug, thiserror::Error)]
#[error("could not write the file: {}{}: {}", cause, advice(cause), path.display())]
pub struct WriteFileError {
    /// What the operating system said.
    pub cause: std::io::Error,
    /// Where the file was to be.
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
