//! Numbered PNG files in a folder, each frame once, and a list of them with their durations, as ffmpeg reads it.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::{AnimationError, AnimationFrame, AnimationSettings, Frames};
use crate::formats::atomic::WriteFileError;
use crate::formats::destination::{folder_of, without_temporary_name};
use crate::formats::picture::{PictureFormat, WriteOptions, WritePictureError, encode_picture};
use crate::formats::strays;

/// The list of the files. Source: ffmpeg's documentation of its concat demuxer.
const LIST: &str = "frames.ffconcat";

/// Checks that the folder is new or empty, and that one can be made there.
///
/// # Errors
/// [`AnimationError::FolderNotEmpty`], [`AnimationError::NotAFolder`] and [`AnimationError::File`].
pub(super) fn check(path: &Path) -> Result<(), AnimationError> {
    let failed = |cause| AnimationError::File(WriteFileError { cause, path: path.to_owned() });
    if path.file_name().is_none() {
        return Err(failed(ErrorKind::InvalidInput.into()));
    }
    match std::fs::read_dir(path) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(AnimationError::FolderNotEmpty(path.to_owned()));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory && path.exists() => {
            return Err(AnimationError::NotAFolder(path.to_owned()));
        }
        Err(error) => return Err(failed(error)),
    }
    tempfile::tempfile_in(folder_of(path)).map_err(|error| failed(without_temporary_name(&error)))?;
    Ok(())
}

pub(super) fn write(
    path: &Path,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<(), AnimationError> {
    let failed = |cause| AnimationError::File(WriteFileError { cause, path: path.to_owned() });
    strays::sweep_once(folder_of(path));
    let mut builder = tempfile::Builder::new();
    builder.prefix(strays::PREFIX).suffix(strays::SUFFIX).rand_bytes(strays::RANDOM_LEN);
    // Permissions of any new folder, limited by the umask, instead of those of a temporary one.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    // Removed with its files if it is dropped before it has its name.
    let folder = builder.tempdir_in(folder_of(path)).map_err(|e| failed(without_temporary_name(&e)))?;
    let digits = settings.frames.to_string().len().max(4);
    let mut list = "ffconcat version 1.0\n".to_owned();
    let mut last = String::new();
    let options = WriteOptions { metadata: settings.facts.is_some(), ..WriteOptions::default() };
    for (index, frame) in frames.enumerate() {
        let AnimationFrame { picture, millis } = frame?;
        let bytes =
            encode_picture(&picture, PictureFormat::Png, settings.facts, &options).map_err(|error| {
                match error {
                    WritePictureError::Encode { format, reason } => AnimationError::Encode { format, reason },
                    error => AnimationError::Encode { format: "PNG", reason: error.to_string() },
                }
            })?;
        let name = format!("frame-{:0digits$}.png", index + 1);
        std::fs::write(folder.path().join(&name), bytes).map_err(failed)?;
        let entry = format!("file {name}\nduration {}.{:03}\n", millis / 1000, millis % 1000);
        list.push_str(&entry);
        last = name;
    }
    // Named once more, without a duration: ffmpeg reads no duration after which nothing comes.
    let entry = format!("file {last}\n");
    list.push_str(&entry);
    let mut file = std::fs::File::create(folder.path().join(LIST)).map_err(failed)?;
    file.write_all(list.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    // An empty folder gives its name to the new one.
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    std::fs::rename(folder.path(), path).map_err(failed)?;
    // It has another name now, and nothing is to be removed.
    let _ = folder.keep();
    Ok(())
}
