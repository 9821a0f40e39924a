//! Lock files between processes. The operating system releases the locks of a process that ends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// The result of an attempt to lock a file.
pub enum LockAttempt {
    /// This process holds the lock until the file is dropped.
    Acquired(File),
    /// Another running process holds the lock.
    HeldElsewhere,
    /// Locking failed, for example because the file system does not support it.
    Failed,
}

/// Tries to lock a file without waiting. The file is created if it does not exist.
pub fn lock(path: &Path) -> LockAttempt {
    let opened = File::options().create(true).truncate(false).write(true).open(path);
    let Ok(file) = opened else { return LockAttempt::Failed };
    match file.try_lock() {
        Ok(()) => LockAttempt::Acquired(file),
        Err(TryLockError::WouldBlock) => LockAttempt::HeldElsewhere,
        Err(TryLockError::Error(_)) => LockAttempt::Failed,
    }
}

/// Locks a file that other processes hold only briefly. `None` after about one second, or if locking does not work
/// here.
pub fn lock_with_timeout(path: &Path) -> Option<File> {
    for _ in 0..100 {
        match lock(path) {
            LockAttempt::Acquired(file) => return Some(file),
            LockAttempt::HeldElsewhere => std::thread::sleep(Duration::from_millis(10)),
            LockAttempt::Failed => return None,
        }
    }
    None
}
