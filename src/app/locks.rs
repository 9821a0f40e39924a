//! Locks between processes: the operating system lets go of a dead process's.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// What a lock's holder is.
pub(super) enum Held {
    /// This process, as long as the value lives.
    Here(File),
    /// Another process that lives.
    Elsewhere,
    /// The file system does not say.
    Unknown,
}

/// Tries to take the lock of a file, which is made if it is not there.
pub(super) fn lock(path: &Path) -> Held {
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    let Ok(file) = opened else { return Held::Unknown };
    match file.try_lock() {
        Ok(()) => Held::Here(file),
        Err(TryLockError::WouldBlock) => Held::Elsewhere,
        Err(TryLockError::Error(_)) => Held::Unknown,
    }
}

/// Takes a lock that others hold for moments only; `None` when that takes too long or locks do not work here.
pub(super) fn lock_soon(path: &Path) -> Option<File> {
    for _ in 0..100 {
        match lock(path) {
            Held::Here(file) => return Some(file),
            Held::Elsewhere => std::thread::sleep(Duration::from_millis(10)),
            Held::Unknown => return None,
        }
    }
    None
}
