//! Reading files: once, completely, and up to a limit.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{FileKind, kind_of_bytes};
use crate::content::Content;
use crate::reason::{Reason, ReasonKind};
use crate::weights::{WeightError, WeightsKind, open_weights};

/// The longest file that is read as a picture or a latent, bytes: a 16-channel latent of 8192² pixels takes
/// 64 MiB, a batch of eight 512.
pub const MAX_INPUT_BYTES: u64 = 512 << 20;

/// What may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Files, and pipes such as `<(command)`, which may block.
    Any,
    /// Files only: reading anything else may block, and a window must not.
    Files,
}

/// What was read.
#[derive(Debug)]
pub enum Input {
    /// A folder, which may be a model.
    Folder,
    /// A file of weights.
    Weights(WeightsKind),
    /// A file.
    File {
        /// Its kind, by content and not by name.
        kind: FileKind,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// Why a file cannot be read. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum ReadFileError {
    /// It does not exist.
    #[error("No such file or folder: {}", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A folder where a file is needed.
    #[error("this is a folder, not a file: {}", path.display())]
    Folder {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A pipe, device or socket.
    #[error("this is {what} and not a file (copy its content into a file first): {}", path.display())]
    NoFile {
        /// What it is, with its article.
        what: &'static str,
        /// The path as it was given.
        path: PathBuf,
    },
    /// Longer than the limit.
    #[error(
        "the file is larger than {} MiB, the limit for pictures and latents (it may be a model's weights): {}",
        limit >> 20, path.display()
    )]
    TooManyBytes {
        /// The limit, bytes.
        limit: u64,
        /// The path as it was given.
        path: PathBuf,
    },
    /// A file that can only be one of weights, and is damaged.
    #[error(transparent)]
    Weights(WeightError),
    /// The operating system reported an error.
    #[error("could not read the file: {cause}: {}", path.display())]
    Read {
        /// Its error.
        cause: std::io::Error,
        /// The path as it was given.
        path: PathBuf,
    },
}

/// Reads a file once. A pipe is empty afterwards, so its kind and its content must come from the same bytes
/// ([`picture_from_bytes`](super::picture::picture_from_bytes),
/// [`latent_from_bytes`](super::latent_file::latent_from_bytes)).
///
/// # Errors
/// [`ReadFileError`] with the path as it was given.
pub fn read_input(path: &Path, sources: Sources) -> Result<Input, ReadFileError> {
    // Only the header of a model's weights is read: a file of them may be larger than memory.
    if let Some(kind) = weights_in(path)? {
        return Ok(Input::Weights(kind));
    }
    match read_bytes(path, MAX_INPUT_BYTES, sources) {
        Ok(bytes) => Ok(Input::File { kind: kind_of_bytes(&bytes), bytes }),
        Err(ReadFileError::Folder { .. }) => Ok(Input::Folder),
        Err(error) => Err(error),
    }
}

/// What a file of weights holds; `None` for another file, and for one that may be a latent.
fn weights_in(path: &Path) -> Result<Option<WeightsKind>, ReadFileError> {
    if !path.is_file() {
        return Ok(None);
    }
    let may_be_latent = match Content::of_file(path) {
        Ok(Content::Gguf) => false,
        // Latents are safetensors, too.
        Ok(Content::Safetensors) => path.metadata().is_ok_and(|data| data.len() <= MAX_INPUT_BYTES),
        _ => return Ok(None),
    };
    match open_weights(path).map(|source| WeightsKind::of(&*source)) {
        Ok(WeightsKind::Unknown) | Err(_) if may_be_latent => Ok(None),
        Ok(kind) => Ok(Some(kind)),
        Err(error) => Err(ReadFileError::Weights(error)),
    }
}

/// Reads a file's bytes, at most `limit` of them.
pub(super) fn read_bytes(path: &Path, limit: u64, sources: Sources) -> Result<Vec<u8>, ReadFileError> {
    let owned = || path.to_owned();
    let failed = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => ReadFileError::Missing { path: owned() },
        _ => ReadFileError::Read { cause, path: owned() },
    };
    // Checked before it is opened, since opening a pipe waits for its other end.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    let refused = refusal(&metadata, sources);
    if metadata.is_dir() {
        return Err(ReadFileError::Folder { path: owned() });
    }
    if let Some(what) = refused {
        return Err(ReadFileError::NoFile { what, path: owned() });
    }
    let too_many = || ReadFileError::TooManyBytes { limit, path: owned() };
    if metadata.is_file() && metadata.len() > limit {
        return Err(too_many());
    }
    let file = open(path, sources).map_err(failed)?;
    // It may have been replaced in the meantime.
    if let Some(what) = refusal(&file.metadata().map_err(failed)?, sources) {
        return Err(ReadFileError::NoFile { what, path: owned() });
    }
    // Allocates the known length at once instead of growing.
    let expected = if metadata.is_file() { metadata.len() as usize + 1 } else { 0 };
    let mut bytes = Vec::with_capacity(expected);
    // A device or a growing file may yield more than its length.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit { Err(too_many()) } else { Ok(bytes) }
}

/// The kind of something that is not a file, with its article.
#[cfg(unix)]
fn refusal(metadata: &std::fs::Metadata, sources: Sources) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    if kind.is_socket() {
        Some("a socket")
    } else if kind.is_block_device() {
        Some("a disk")
    } else if sources == Sources::Files && kind.is_fifo() {
        Some("a pipe")
    } else if sources == Sources::Files && kind.is_char_device() {
        Some("a device")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn refusal(metadata: &std::fs::Metadata, sources: Sources) -> Option<&'static str> {
    (sources == Sources::Files && !metadata.is_file() && !metadata.is_dir()).then_some("a device")
}

fn open(path: &Path, sources: Sources) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    // Without effect on files. A pipe that took the file's place is opened without blocking, and then refused.
    #[cfg(target_os = "linux")]
    if sources == Sources::Files {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NONBLOCK);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = sources;
    options.open(path)
}

impl From<&ReadFileError> for Reason {
    fn from(error: &ReadFileError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            ReadFileError::Missing { path } => new(Kind::NoSuchFile).at(path),
            ReadFileError::Folder { path } => new(Kind::IsFolder).at(path),
            ReadFileError::NoFile { path, .. } => new(Kind::NotAFile).at(path),
            ReadFileError::TooManyBytes { limit, path } => {
                new(Kind::FileTooLong).with([&(limit >> 20) as _]).at(path)
            }
            ReadFileError::Weights(error) => error.into(),
            ReadFileError::Read { cause, path } => new(Kind::FileUnread).with([cause as _]).at(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_told_apart_and_a_limit_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read_input(folder.path(), Sources::Files), Ok(Input::Folder)));
        let path = folder.path().join("a");
        std::fs::write(&path, b"\x93NUMPY\x01\0").unwrap();
        for sources in [Sources::Files, Sources::Any] {
            let Ok(Input::File { kind, bytes }) = read_input(&path, sources) else { panic!() };
            assert_eq!((kind, bytes.len()), (FileKind::Latent, 8));
        }
        assert!(matches!(
            read_bytes(&path, 7, Sources::Any),
            Err(ReadFileError::TooManyBytes { limit: 7, .. })
        ));
        let error = read_input(&folder.path().join("absent"), Sources::Any).unwrap_err().to_string();
        assert!(error.starts_with("No such file or folder") && error.ends_with("absent"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_read_once_to_its_end_or_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = read_input(&pipe, Sources::Files).unwrap_err().to_string();
        assert!(error.contains("a pipe and not a file"), "{error}");
        assert!(read_input(Path::new("/dev/null"), Sources::Files).is_err());
        let content = b"GIF89a".repeat(50_000);
        let writer = {
            let (pipe, content) = (pipe.clone(), content.clone());
            let write = move || std::fs::write(pipe, content).unwrap();
            std::thread::Builder::new().name("writer".to_owned()).spawn(write).unwrap()
        };
        let Ok(Input::File { kind, bytes }) = read_input(&pipe, Sources::Any) else { panic!() };
        writer.join().unwrap();
        assert_eq!((kind, bytes), (FileKind::Picture, content));
        // Nobody ends this one.
        assert!(matches!(
            read_bytes(Path::new("/dev/zero"), 1 << 16, Sources::Any),
            Err(ReadFileError::TooManyBytes { .. })
        ));
    }
}
