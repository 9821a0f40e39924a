//! Writing a file completely or not at all.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::destination::{Destination, destination, folder_of, open_stream, without_temporary_name};
use super::strays;
pub use super::write_error::WriteFileError;

/// Writes a file through a temporary one beside it: written, flushed to the disk, then renamed.
///
/// After a full disk, a crash or an error of `content` the old file is unchanged. A symbolic link is followed and
/// kept: its target is replaced, or created if it does not exist. The new file gets the mode of the replaced one and,
/// where the system allows it, its owner and group; access lists and extended attributes are not copied. A hard link
/// to the replaced file keeps the old content, which may be a backup. A folder without write permission is an error
/// even if the file itself is writable: writing in place could lose the old content.
///
/// A pipe or a device such as `/dev/null` is written into directly and never replaced.
///
/// # Errors
/// [`WriteFileError`] with the operating system's reason and the path as it was given.
pub fn write_atomically(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> std::io::Result<()>,
) -> Result<(), WriteFileError> {
    let write = || match destination(path)? {
        Destination::File { path, replaced } => replace(&path, replaced.as_ref(), |temporary| {
            // Locked while it is written, so that no other process takes it for a stray. Not every file system has
            // locks.
            let _ = temporary.as_file().try_lock();
            let mut writer = BufWriter::new(temporary.as_file());
            content(&mut writer)?;
            writer.flush()
        }),
        Destination::Stream => {
            let (stream, _kept_open) = open_stream(path)?;
            let mut writer = BufWriter::new(&stream);
            content(&mut writer)?;
            writer.flush()
        }
    };
    write().map_err(|cause| WriteFileError { cause, path: path.to_owned() })
}

/// As [`write_atomically`], for what another program writes: `content` gets the path of the temporary file, which exists
/// and is empty. Pipes and devices are refused.
///
/// # Errors
/// [`WriteFileError`] with the operating system's reason and the path as it was given.
pub fn write_atomically_by_path(
    path: &Path,
    content: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), WriteFileError> {
    let write = || match destination(path)? {
        // Not locked: on some systems the other program could not write it.
        Destination::File { path, replaced } => {
            replace(&path, replaced.as_ref(), |temporary| content(temporary.path()))
        }
        Destination::Stream => Err(std::io::ErrorKind::InvalidInput.into()),
    };
    write().map_err(|cause| WriteFileError { cause, path: path.to_owned() })
}

fn replace(
    target: &Path,
    replaced: Option<&Metadata>,
    content: impl FnOnce(&NamedTempFile) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = folder_of(target);
    strays::sweep_once(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(strays::PREFIX).suffix(strays::SUFFIX).rand_bytes(strays::RANDOM_LEN);
    // Permissions of any new file, limited by the umask, instead of those of a temporary file.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The temporary file is removed if it is dropped before it is persisted.
    let temporary = builder.tempfile_in(folder).map_err(|e| without_temporary_name(&e))?;
    if let Some(replaced) = replaced {
        keep_ownership(temporary.as_file(), replaced);
    }
    content(&temporary)?;
    temporary.as_file().sync_all()?;
    temporary.persist(target).map_err(|e| without_temporary_name(&e.error))?;
    // Makes the rename durable. A file system that cannot sync a folder is not a failure.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Gives a new file the mode of the one it replaces and, where the system allows it, owner and group. A file
/// system without them is not a failure.
#[cfg(unix)]
fn keep_ownership(file: &File, replaced: &Metadata) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    // Members may set a group, but only root may set an owner.
    let _ = fchown(file, None, Some(replaced.gid()));
    let _ = fchown(file, Some(replaced.uid()), None);
    let _ = file.set_permissions(std::fs::Permissions::from_mode(replaced.mode() & 0o777));
}

#[cfg(not(unix))]
fn keep_ownership(_: &File, _: &Metadata) {}

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
    fn a_link_stays_a_link_and_its_target_is_replaced_or_created() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::os::unix::fs::symlink("target", &link).unwrap();
        for content in [&b"first"[..], b"second"] {
            write_atomically(&link, |w| w.write_all(content)).unwrap();
            assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(std::fs::read(&target).unwrap(), content);
        }
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

    #[cfg(unix)]
    #[test]
    fn the_mode_of_an_overwritten_file_is_kept_and_another_name_of_it_keeps_the_old_content() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let (path, second) = (folder.path().join("a"), folder.path().join("b"));
        for mode in [0o600, 0o664, 0o755] {
            std::fs::write(&path, b"old").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let before = std::fs::metadata(&path).unwrap();
            write_atomically(&path, |w| w.write_all(b"new")).unwrap();
            let after = std::fs::metadata(&path).unwrap();
            assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        }
        std::fs::hard_link(&path, &second).unwrap();
        write_atomically(&path, |w| w.write_all(b"newest")).unwrap();
        assert_eq!(
            (std::fs::read(&path).unwrap(), std::fs::read(&second).unwrap()),
            (b"newest".to_vec(), b"new".to_vec())
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_and_devices_are_written_into_and_never_replaced() {
        use std::os::unix::fs::FileTypeExt as _;
        write_atomically(Path::new("/dev/null"), |w| w.write_all(b"x")).unwrap();
        assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = write_atomically(&pipe, |w| w.write_all(b"x")).unwrap_err().to_string();
        assert!(error.contains("nothing reads from this pipe"), "{error}");
        let mut reader = std::process::Command::new("cat")
            .stdin(std::process::Stdio::null())
            .arg(&pipe)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The reader needs a moment to open the pipe.
        let started = std::time::Instant::now();
        while write_atomically(&pipe, |w| w.write_all(b"through the pipe")).is_err() {
            assert!(started.elapsed().as_secs() < 20);
            std::thread::yield_now();
        }
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut reader.stdout.take().unwrap(), &mut read).unwrap();
        assert!(reader.wait().unwrap().success());
        assert_eq!(read, b"through the pipe");
        assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(write_atomically(&socket, |w| w.write_all(b"x")).is_err());
        assert!(std::fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    }
}
