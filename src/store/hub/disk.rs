//! The disk under a download: the one place where a full disk shows.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::HubError;

/// What a download asks of the disk. Tests put a full one in its place.
pub trait Disk: Send + Sync {
    /// Free space in an existing folder, bytes.
    ///
    /// # Errors
    /// The operating system's.
    fn available(&self, folder: &Path) -> io::Result<u64>;
    /// Writes bytes at the file's position.
    ///
    /// # Errors
    /// The operating system's.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
}

/// The system's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn available(&self, folder: &Path) -> io::Result<u64> {
        fs4::available_space(folder)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
}

/// Space that is left free: a system with a full disk works badly.
const KEPT_FREE: u64 = 64 << 20;

/// Checks that `needed` bytes fit into a folder that need not exist yet.
///
/// # Errors
/// [`HubError::Space`] if they do not. A system that does not tell is no error.
pub fn require_space(disk: &dyn Disk, folder: &Path, needed: u64) -> Result<(), HubError> {
    let existing = folder.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(folder);
    check_space(disk, existing, needed)
}

/// Checks that `needed` bytes fit into an existing folder.
///
/// # Errors
/// [`HubError::Space`] if they do not. A system that does not tell is no error.
pub(super) fn check_space(disk: &dyn Disk, folder: &Path, needed: u64) -> Result<(), HubError> {
    match disk.available(folder) {
        Ok(free) if needed > 0 && free < needed.saturating_add(KEPT_FREE) => {
            Err(HubError::Space { needed, free, folder: folder.to_owned() })
        }
        Ok(_) => Ok(()),
        Err(error) => {
            log::warn!("the free space is not known: {error}: {}", folder.display());
            Ok(())
        }
    }
}
