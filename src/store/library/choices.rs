//! A person's choices about the library: its folders, and the entries taken off its list. They are written to the file
//! of choices; the next scan follows them.

use std::path::{Path, PathBuf};

use super::{FolderOwner, Library, LibraryConfig, LibraryError, LibraryFolder};

impl Library {
    /// The folder that is searched under this path, or under another path to the same place.
    pub fn folder(&self, path: &Path) -> Option<&LibraryFolder> {
        let plain = plain(path);
        self.folders.iter().find(|known| known.path == path || is_same_place(&known.path, &plain))
    }

    /// Adds a folder. Returns its path as it is kept; `None` if it is searched already.
    ///
    /// # Errors
    /// If the choices cannot be written.
    pub fn add_folder(&self, path: &Path) -> Result<Option<PathBuf>, LibraryError> {
        if self.folder(path).is_some() {
            return Ok(None);
        }
        let folder = plain(path);
        LibraryConfig::edit(&self.paths().config, |config| {
            let is_new = !config.folders.contains(&folder);
            if is_new {
                config.folders.push(folder.clone());
            }
            is_new
        })?;
        Ok(Some(folder))
    }

    /// Drops a folder that was added; its files stay. The program's own folder stays, too.
    ///
    /// # Errors
    /// If the choices cannot be written.
    pub fn drop_folder(&self, folder: &LibraryFolder) -> Result<(), LibraryError> {
        if folder.owner == FolderOwner::Own {
            return Ok(());
        }
        LibraryConfig::edit(&self.paths().config, |config| {
            let before = config.folders.len();
            config.folders.retain(|path| *path != folder.path);
            config.folders.len() != before
        })
    }

    /// Takes the entry of this path off the list; its files stay.
    ///
    /// # Errors
    /// If the choices cannot be written.
    pub fn remove(&self, entry: &Path) -> Result<(), LibraryError> {
        LibraryConfig::edit(&self.paths().config, |config| {
            let is_new = !config.removed.iter().any(|path| path == entry);
            if is_new {
                config.removed.push(entry.to_owned());
            }
            is_new
        })
    }

    /// Puts the entry of this path back onto the list.
    ///
    /// # Errors
    /// If the choices cannot be written.
    pub fn restore(&self, entry: &Path) -> Result<(), LibraryError> {
        LibraryConfig::edit(&self.paths().config, |config| {
            let before = config.removed.len();
            config.removed.retain(|path| path != entry);
            config.removed.len() != before
        })
    }
}

/// A path that does not depend on the current folder, without a separator at its end.
fn plain(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components().collect()
}

/// Whether two paths lead to one place.
fn is_same_place(a: &Path, b: &Path) -> bool {
    a == b || matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
