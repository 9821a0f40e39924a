//! Whose turn it is: the lock by which programs that share the cache fetch a file once.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::HubError;
use crate::request::CancelToken;

/// Between two looks at a lock that another program holds.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A held lock; `File` is `None` on a file system without locks.
pub(super) struct Lock(
    #[expect(dead_code, reason = "the lock is released when the file is closed")] Option<File>,
);

/// Takes the lock. Calls `waiting` once if another program holds it. `None` if it was stopped.
///
/// # Errors
/// [`HubError::Disk`] if the file cannot be made.
pub(super) fn take(
    path: &Path,
    cancel: &CancelToken,
    waiting: impl FnOnce(),
) -> Result<Option<Lock>, HubError> {
    let mut waiting = Some(waiting);
    let failed = |error: &std::io::Error| HubError::disk("make the lock", path, error);
    let mut file = open(path).map_err(|error| failed(&error))?;
    loop {
        match file.try_lock() {
            // Who held it may have removed the file: then others lock another one.
            Ok(()) if is_at(&file, path) => return Ok(Some(Lock(Some(file)))),
            Ok(()) => file = open(path).map_err(|error| failed(&error))?,
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                if cancel.is_stopped() {
                    return Ok(None);
                }
                std::thread::sleep(POLL_INTERVAL);
            }
            Err(TryLockError::Error(error)) => {
                // Two downloads at once then write the same bytes to the same places, and each is checked.
                log::info!("this file system has no locks: {error}: {}", path.display());
                return Ok(Some(Lock(None)));
            }
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    // A file that is open cannot be removed there.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_waited_for_until_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let cancel = CancelToken::new();
        let first = take(&path, &cancel, || panic!("free")).unwrap();
        assert!(first.is_some());
        assert!(take(&path, &cancel, || cancel.stop()).unwrap().is_none());
        drop(first);
        assert!(take(&path, &CancelToken::new(), || panic!("free")).unwrap().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_whose_file_was_removed_is_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = take(&path, &CancelToken::new(), || ()).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = take(&path, &CancelToken::new(), || panic!("another file")).unwrap();
        assert!(first.is_some() && second.is_some() && path.exists());
    }
}
