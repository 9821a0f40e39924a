//! Where a file is to be written, and whether it can be.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::write_error::WriteFileError;

/// The longest chain of symbolic links that is followed, as in Linux.
const MAX_LINKS: usize = 40;

/// What a path for writing refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationKind {
    /// A regular file, which may not exist yet; it is written completely or not at all.
    File,
    /// A pipe or a device such as `/dev/null`, which is written to and never replaced.
    Stream,
}

/// The target of the bytes.
pub(super) enum Destination {
    /// A regular file, which may exist already; the path is not a link.
    File {
        path: PathBuf,
        /// Metadata of the file that is replaced.
        replaced: Option<std::fs::Metadata>,
    },
    /// A pipe or a character device.
    Stream,
}

/// Checks before any work whether a file can be written: its folder exists and is writable, and the path is not a
/// folder, a read-only file, a disk or a socket. Nothing is left behind, and a pipe is not opened.
///
/// Later failures, such as a disk that fills up, are not predicted.
///
/// # Errors
/// [`WriteFileError`] with the path as it was given.
pub fn check_writable(path: &Path) -> Result<DestinationKind, WriteFileError> {
    let check = || match destination(path)? {
        Destination::Stream => Ok(DestinationKind::Stream),
        Destination::File { path, .. } => {
            // Unnamed where the system supports that, so that nothing remains even if the program is killed.
            tempfile::tempfile_in(folder_of(&path)).map_err(|e| without_temporary_name(&e))?;
            Ok(DestinationKind::File)
        }
    };
    check().map_err(|cause| WriteFileError { cause, path: path.to_owned() })
}

/// Follows links to the file at a path, or to the place where it is to be created.
pub(super) fn destination(path: &Path) -> std::io::Result<Destination> {
    let names_a_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/")
        || path.file_name().is_none()
        || cfg!(windows) && path.as_os_str().as_encoded_bytes().ends_with(b"\\");
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) if names_a_folder => Err(ErrorKind::IsADirectory.into()),
        Ok(metadata) if metadata.is_file() => {
            // A rename would replace the file although its owner has made it read-only.
            if metadata.permissions().readonly() {
                return Err(Error::new(ErrorKind::PermissionDenied, "the file is read-only"));
            }
            let path = std::fs::canonicalize(path)?;
            Ok(Destination::File { path, replaced: Some(metadata) })
        }
        Ok(metadata) => stream(&metadata),
        Err(error) if error.kind() == ErrorKind::NotFound && names_a_folder => {
            Err(ErrorKind::IsADirectory.into())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = end_of_links(path)?;
            // The error about the folder is more informative than one about the file.
            if !std::fs::metadata(folder_of(&path))?.is_dir() {
                return Err(ErrorKind::NotADirectory.into());
            }
            Ok(Destination::File { path, replaced: None })
        }
        Err(error) => Err(error),
    }
}

/// Pipes and terminals are written to; disks and sockets are refused.
#[cfg(unix)]
fn stream(metadata: &std::fs::Metadata) -> std::io::Result<Destination> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    if kind.is_block_device() {
        Err(Error::new(ErrorKind::InvalidInput, "this is a disk"))
    } else if kind.is_socket() {
        Err(Error::new(ErrorKind::InvalidInput, "this is a socket"))
    } else {
        Ok(Destination::Stream)
    }
}

#[cfg(not(unix))]
fn stream(_: &std::fs::Metadata) -> std::io::Result<Destination> {
    Ok(Destination::Stream)
}

/// The end of a chain of links, whether or not the file exists.
fn end_of_links(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&path) {
            // A relative target starts in the link's folder; an absolute one replaces all of it.
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(Error::other("too many symbolic links"))
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The operating system's error without the name of the temporary file, which `tempfile` adds and the user did not
/// give.
pub(super) fn without_temporary_name(error: &Error) -> Error {
    let inner = error.get_ref().and_then(|e| e.source()).and_then(|e| e.downcast_ref::<Error>());
    match error.raw_os_error().or_else(|| inner.and_then(Error::raw_os_error)) {
        Some(code) => Error::from_raw_os_error(code),
        None => Error::from(error.kind()),
    }
}

/// Opens a pipe or a device for writing. A pipe without a reader is an error; opening it would block.
///
/// Also returns the handle that tested for a reader; it keeps the pipe open while the first one is opened.
pub(super) fn open_stream(path: &Path) -> std::io::Result<(File, Option<File>)> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let probe = options.clone().custom_flags(libc::O_NONBLOCK).open(path).map_err(|error| {
            if error.raw_os_error() == Some(libc::ENXIO) {
                Error::new(ErrorKind::BrokenPipe, "nothing reads from this pipe")
            } else {
                error
            }
        })?;
        Ok((options.open(path)?, Some(probe)))
    }
    #[cfg(not(target_os = "linux"))]
    Ok((options.open(path)?, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(path: &Path) -> String {
        check_writable(path).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_written_is_known_before_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = |name: &str| folder.path().join(name);
        std::fs::write(in_folder("file"), b"x").unwrap();
        assert_eq!(check_writable(&in_folder("a.png")).unwrap(), DestinationKind::File);
        assert_eq!(check_writable(&in_folder("file")).unwrap(), DestinationKind::File);
        assert_eq!(check_writable(Path::new("a-name-alone.png")).unwrap(), DestinationKind::File);
        assert!(reason(&in_folder("nowhere/a.png")).contains("choose a folder that exists"));
        assert!(reason(&in_folder("file/a.png")).contains("choose a folder that exists"));
        for name in ["", "new/", "."] {
            assert!(reason(&in_folder(name)).contains("choose a file name"), "{name}");
        }
        assert!(reason(Path::new("")).contains("choose a file name"));
        assert!(check_writable(&in_folder(&"x".repeat(300))).is_err(), "a name longer than names can be");
        assert!(check_writable(&in_folder("nul\0byte")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!Path::new("a-name-alone.png").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_message_names_the_path_that_was_given_and_nothing_else() {
        let error = reason(Path::new("/proc/a.png"));
        assert!(error.contains("choose a folder") && error.ends_with("/proc/a.png"), "{error}");
        assert!(!error.contains(".tmp") && !error.contains("safelight-"), "{error}");
        assert_eq!(check_writable(Path::new("/dev/null")).unwrap(), DestinationKind::Stream);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_where_the_file_is_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("second", in_folder("first")).unwrap();
        std::os::unix::fs::symlink(in_folder("nowhere/target"), in_folder("second")).unwrap();
        std::os::unix::fs::symlink("circle", in_folder("circle")).unwrap();
        assert!(reason(&in_folder("first")).contains("choose a folder that exists"));
        assert!(check_writable(&in_folder("circle")).is_err());
        std::fs::create_dir(in_folder("nowhere")).unwrap();
        assert_eq!(check_writable(&in_folder("first")).unwrap(), DestinationKind::File);
    }
}
