//! Writing a file whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that could not be written. What stood at the path before still stands there.
#[derive(Debug, thiserror::Error)]
#[error("could not write the file: {}{}: {}", source, advice(source), path.display())]
pub struct WriteFileError {
    /// What the operating system said.
    pub source: std::io::Error,
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
        _ => "",
    }
}

/// Writes a file through a temporary one beside it: written, flushed to the disk, then renamed.
///
/// A full disk, a crash or an error of `content` leaves the file that was there. A symbolic link is
/// followed, so that its target is replaced and not the link.
///
/// # Errors
/// [`WriteFileError`] with the operating system's reason.
pub fn write_atomically(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> Result<(), WriteFileError> {
    replace(path, content).map_err(|source| WriteFileError { source, path: path.to_owned() })
}

fn replace(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    use std::io::{Error, ErrorKind};
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(metadata) = std::fs::metadata(&target) {
        if metadata.is_dir() {
            return Err(Error::from(ErrorKind::IsADirectory));
        }
        // A rename would replace a file that its owner has locked against writing.
        if metadata.permissions().readonly() {
            return Err(Error::new(ErrorKind::PermissionDenied, "the file is read-only"));
        }
    }
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".safelight-").suffix(".tmp");
    // As any new file: readable as far as the user's umask allows, not only by its owner.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // Dropped before it is persisted, the temporary file is removed.
    let temporary = builder.tempfile_in(folder)?;
    let mut writer = BufWriter::new(temporary.as_file());
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.as_file().sync_all()?;
    temporary.persist(&target).map_err(|e| e.error)?;
    // The rename itself is on the disk once the folder is; a file system that cannot say so is no failure.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        write_atomically(&path, |w| w.write_all(b"old")).unwrap();
        let error = write_atomically(&path, |w| {
            w.write_all(b"half of the new")?;
            Err(std::io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowhere").join("a.png");
        let error = write_atomically(&path, |w| w.write_all(b"x")).unwrap_err().to_string();
        assert!(error.contains("choose a folder that exists") && error.ends_with("a.png"), "{error}");
        let error = write_atomically(folder.path(), |w| w.write_all(b"x")).unwrap_err().to_string();
        assert!(error.contains("not a folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::fs::write(&target, b"old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomically(&link, |w| w.write_all(b"new")).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn a_read_only_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        std::fs::write(&path, b"old").unwrap();
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions).unwrap();
        assert!(write_atomically(&path, |w| w.write_all(b"new")).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
    }
}
