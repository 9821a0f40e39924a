//! Which window the file of the queue belongs to: two would write each other's downloads away.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The file of the queue for this window, with the lock that is held as long; `None` while another window has it, whose
/// downloads are not shown here.
pub(super) struct QueueFile {
    pub(super) path: Option<PathBuf>,
    #[expect(dead_code, reason = "the lock is released when the file is closed")]
    lock: Option<File>,
}

impl QueueFile {
    pub(super) fn take(path: &Path) -> Self {
        let lock = path.with_extension("lock");
        let open = || {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock)
        };
        let file = match open() {
            Ok(file) => file,
            Err(error) => {
                log::warn!("the downloads are not kept for a later session: {error}: {}", lock.display());
                return Self { path: None, lock: None };
            }
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Self { path: None, lock: None },
            // On a file system without locks two windows at once are rarer than one.
            Ok(()) | Err(TryLockError::Error(_)) => Self { path: Some(path.to_owned()), lock: Some(file) },
        }
    }
}
