//! What can go wrong with a kept run.

use std::path::PathBuf;

use super::record::RunId;
use crate::formats::atomic::WriteFileError;
use crate::formats::latent_file::LatentFileError;
use crate::formats::picture::{PictureError, WritePictureError};
use crate::reason::{Reason, ReasonKind};

/// Why a kept run cannot be written, read or changed. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No run has this id.
    #[error("the run {id} is not kept; it may have been deleted: {}", folder.display())]
    NoRun {
        /// The id.
        id: RunId,
        /// Where its folder would be.
        folder: PathBuf,
    },
    /// Another window or command writes the run.
    #[error("another window or command is writing this run; wait until it has ended: {}", .0.display())]
    InUse(PathBuf),
    /// A newer version of the program kept the run.
    #[error(
        "a newer version of this program kept this run, in format {found}; update the program: {}",
        path.display()
    )]
    Newer {
        /// The number of the format.
        found: u64,
        /// The file.
        path: PathBuf,
    },
    /// A file of a run is damaged.
    #[error("the kept run cannot be used: {reason}: {}", path.display())]
    Damaged {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A step is not kept, or not any more.
    #[error(
        "step {wanted} is not kept: {kept} steps of the run are (older steps are removed when the limit of space is \
         reached): {}",
        folder.display()
    )]
    StepNotKept {
        /// The step.
        wanted: usize,
        /// How many are kept.
        kept: usize,
        /// The run's folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("the file cannot be read: {cause}: {}", path.display())]
    Read {
        /// The operating system's error.
        cause: std::io::Error,
        /// The file or folder.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteFileError),
    /// A picture cannot be written.
    #[error(transparent)]
    WritePicture(#[from] WritePictureError),
    /// The file of a latent cannot be used.
    #[error("{error}: {}", path.display())]
    Latent {
        /// Why.
        error: LatentFileError,
        /// The file.
        path: PathBuf,
    },
    /// The file of a picture cannot be used.
    #[error("{error}: {}", path.display())]
    Picture {
        /// Why.
        error: PictureError,
        /// The file.
        path: PathBuf,
    },
    /// The folder of a run cannot be moved to the trash.
    #[error("it cannot be moved to the trash: {why}; delete it with the file manager: {}", folder.display())]
    Trash {
        /// What the system said.
        why: String,
        /// The run's folder.
        folder: PathBuf,
    },
}

impl From<&HistoryError> for Reason {
    fn from(error: &HistoryError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            HistoryError::NoRun { folder, .. } => new(Kind::NoSuchFile).at(folder),
            HistoryError::InUse(folder) => new(Kind::RunInUse).at(folder),
            HistoryError::Newer { path, .. } => new(Kind::RunIsNewer).at(path),
            HistoryError::Damaged { reason, path } => new(Kind::RunDamaged).with([reason as _]).at(path),
            HistoryError::StepNotKept { wanted, kept, folder } => {
                new(Kind::StepNotKept).with([wanted as _, kept as _]).at(folder)
            }
            HistoryError::Read { cause, path } => new(Kind::FileUnread).with([cause as _]).at(path),
            HistoryError::Write(error) => error.into(),
            HistoryError::WritePicture(error) => error.into(),
            HistoryError::Latent { error: cause, path } => Self::from(cause).said(error).at(path),
            HistoryError::Picture { error: cause, path } => Self::from(cause).said(error).at(path),
            HistoryError::Trash { why, folder } => new(Kind::TrashFailed).with([why as _]).at(folder),
        }
    }
}
