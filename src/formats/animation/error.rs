//! Why an animation could not be written.

use std::path::PathBuf;

use crate::formats::atomic::WriteFileError;
use crate::reason::{Reason, ReasonKind};

/// Why an animation could not be written. An older file of the same name is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum AnimationError {
    /// The extension is not that of an animation.
    #[error(
        "cannot write animations as ‘.{extension}’: use .webp, .gif, .png or .mp4, or a folder without an extension: {}",
        path.display()
    )]
    UnknownExtension {
        /// The extension, lower case.
        extension: String,
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path is a pipe or a device.
    #[error("an animation is not written into a pipe or a device: choose the name of a file: {}", .0.display())]
    Stream(PathBuf),
    /// The folder for numbered pictures has other files.
    #[error("the folder for the pictures is not empty: choose a new one: {}", .0.display())]
    FolderNotEmpty(PathBuf),
    /// Something else has the name of the folder for numbered pictures.
    #[error("a file has the name of the folder for the pictures: choose another name: {}", .0.display())]
    NotAFolder(PathBuf),
    /// The program ffmpeg is not on the `PATH`.
    #[error(
        "MP4 is written by the program ffmpeg, which is not installed or not on the PATH: install it, or choose WebP, \
         GIF or PNG"
    )]
    NoFfmpeg,
    /// The program ffmpeg failed.
    #[error("ffmpeg could not write the video: {reason} (choose WebP, GIF or PNG, or another ffmpeg)")]
    Ffmpeg {
        /// The last thing it said.
        reason: String,
    },
    /// An encoder does not support the frames, such as an edge of more than 16 384 pixels in WebP.
    #[error("could not encode the frames as {format}: {reason} (choose a smaller size)")]
    Encode {
        /// The format.
        format: &'static str,
        /// The encoder's error.
        reason: String,
    },
    /// It was stopped.
    #[error("stopped")]
    Stopped,
    /// A file or folder could not be written.
    #[error(transparent)]
    File(#[from] WriteFileError),
    /// The file could not be written; its path is added where it is known.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<&AnimationError> for Reason {
    fn from(error: &AnimationError) -> Self {
        use AnimationError as E;
        use ReasonKind as Kind;
        match error {
            E::UnknownExtension { extension, path } => {
                Self::new(Kind::UnknownAnimation, error).with([extension as _]).at(path)
            }
            E::Stream(path) => Self::new(Kind::IsStream, error).at(path),
            E::FolderNotEmpty(path) => Self::new(Kind::FolderNotEmpty, error).at(path),
            E::NotAFolder(path) => Self::new(Kind::NameIsFile, error).at(path),
            E::NoFfmpeg => Self::new(Kind::NoFfmpeg, error),
            E::Ffmpeg { reason } => Self::new(Kind::FfmpegFailed, error).with([reason as _]),
            E::Encode { format, reason } => {
                Self::new(Kind::FramesNotEncoded, error).with([format as _, reason as _])
            }
            E::Stopped => Self::new(Kind::Stopped, error),
            E::File(error) => error.into(),
            E::Io(cause) => Self::new(Kind::WriteFailed, error).with([cause as _]),
        }
    }
}
