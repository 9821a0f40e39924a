//! Pictures that move: animated WebP, GIF and PNG, MP4, and numbered pictures in a folder.
//!
//! Frames come one by one and are written as they come, so that the memory does not grow with their number. A file, or a
//! folder, is written completely or not at all.

mod apng;
mod changed_rectangle;
mod error;
mod folder;
mod gif;
mod mp4;
mod palette;
mod webp;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::atomic::write_atomically;
use super::destination::{DestinationKind, check_writable};
use super::metadata::GenerationFacts;
use crate::request::Picture;

pub use error::AnimationError;
pub use mp4::has_ffmpeg;

/// A kind of moving picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnimationFormat {
    /// Animated WebP, lossless.
    Webp,
    /// GIF: up to 256 colours in each frame.
    Gif,
    /// Animated PNG, lossless.
    Apng,
    /// H.264 in MP4, by the program ffmpeg.
    Mp4,
    /// Numbered PNG files in a folder, each frame once.
    Frames,
}

impl AnimationFormat {
    /// Every format, in the order a chooser shows them.
    pub const ALL: [Self; 5] = [Self::Webp, Self::Gif, Self::Apng, Self::Mp4, Self::Frames];

    /// The name shown to users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webp => "WebP",
            Self::Gif => "GIF",
            Self::Apng => "PNG",
            Self::Mp4 => "MP4",
            Self::Frames => "PNG files",
        }
    }

    /// File name extensions, the usual one first; none for a folder.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Webp => &["webp"],
            Self::Gif => &["gif"],
            Self::Apng => &["png", "apng"],
            Self::Mp4 => &["mp4"],
            Self::Frames => &[],
        }
    }

    /// The format of a path: of its extension, or numbered pictures if it is a folder or has no extension.
    ///
    /// # Errors
    /// [`AnimationError::UnknownExtension`].
    pub fn of_path(path: &Path) -> Result<Self, AnimationError> {
        let Some(extension) = path.extension().filter(|_| !path.is_dir()) else { return Ok(Self::Frames) };
        let extension = extension.to_string_lossy().to_lowercase();
        let format = Self::ALL.into_iter().find(|format| format.extensions().contains(&extension.as_str()));
        format.ok_or_else(|| AnimationError::UnknownExtension { extension, path: path.to_owned() })
    }

    /// The largest picture of this format that is not larger than `width`×`height` pixels.
    pub fn size_within(self, width: usize, height: usize) -> [usize; 2] {
        // The colours of a video are stored for two by two pixels.
        let fitted = |edge: usize| if self == Self::Mp4 { (edge / 2 * 2).max(2) } else { edge.max(1) };
        [fitted(width), fitted(height)]
    }

    /// Checks before the work whether it can be written there: see [`check_writable`].
    ///
    /// # Errors
    /// [`AnimationError`], such as that ffmpeg is not there.
    pub fn check(self, path: &Path) -> Result<(), AnimationError> {
        if self == Self::Frames {
            return folder::check(path);
        }
        if check_writable(path)? == DestinationKind::Stream {
            return Err(AnimationError::Stream(path.to_owned()));
        }
        if self == Self::Mp4 && !has_ffmpeg() {
            return Err(AnimationError::NoFfmpeg);
        }
        Ok(())
    }
}

/// A frame, and for how long it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct AnimationFrame {
    /// The picture.
    pub picture: Picture,
    /// Milliseconds.
    pub millis: u32,
}

/// What is known of an animation before its frames.
#[derive(Clone, Copy, Debug)]
pub struct AnimationSettings<'a> {
    /// Width and height of every frame, pixels.
    pub size: [usize; 2],
    /// The number of frames.
    pub frames: usize,
    /// How often it is shown, 0 for without end. A video and pictures in a folder do not say it.
    pub plays: u16,
    /// Frames of a second, which only a video needs to know: a frame stands for a whole number of them.
    pub frames_per_second: u32,
    /// The settings written into the file.
    pub facts: Option<&'a GenerationFacts>,
}

/// The frames of an animation, the first error of which ends the writing.
pub type Frames<'a> = dyn Iterator<Item = Result<AnimationFrame, AnimationError>> + 'a;

/// Writes an animation, completely or not at all. Returns the path written.
///
/// # Errors
/// [`AnimationError`] with the path. Nothing is left of what was written, and an older file is unchanged.
pub fn write_animation(
    path: &Path,
    format: AnimationFormat,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<PathBuf, AnimationError> {
    format.check(path)?;
    match format {
        AnimationFormat::Webp => in_one_file(path, |file| webp::write(file, settings, frames))?,
        AnimationFormat::Gif => in_one_file(path, |file| gif::write(file, settings, frames))?,
        AnimationFormat::Apng => in_one_file(path, |file| apng::write(file, settings, frames))?,
        AnimationFormat::Mp4 => mp4::write(path, settings, frames)?,
        AnimationFormat::Frames => folder::write(path, settings, frames)?,
    }
    Ok(path.to_owned())
}

/// Writes a file atomically with a writer whose errors are those of an animation.
fn in_one_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), AnimationError>,
) -> Result<(), AnimationError> {
    let mut failed = None;
    let written = write_atomically(path, |file| match write(file) {
        Ok(()) => file.flush(),
        Err(AnimationError::Io(error)) => Err(error),
        Err(error) => {
            failed = Some(error);
            Err(std::io::ErrorKind::Other.into())
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}
