//! The library of models, as the window shows it: what the thread that searches the folders last said, what is listed
//! of it, and what is chosen.

mod actions;
mod listing;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Session;
use super::downloads::{Catalogue, CatalogueFile, FetchedModel};
use crate::catalog::ModelSource;
use crate::engine::MemoryNeed;
use crate::reason::Reason;

pub use crate::store::library::{
    Entry, EntryKind, Facts, Family, FileFormat, FolderOwner, LibraryFolder, MissingPart, Note,
};
pub use actions::LibraryAction;
pub use listing::{EntryGroup, LibraryFilter};

/// What the library's thread is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LibraryCommand {
    /// Search all folders. With `anew`, headers are read also of files that have not changed.
    Search {
        /// Whether headers are read anew.
        anew: bool,
    },
    /// Stop searching.
    Stop,
    /// Stop computing a hash.
    StopHash,
    /// Take the entry of this path off the list.
    Remove(PathBuf),
    /// Put the entry of this path back onto the list.
    Restore(PathBuf),
    /// Search this folder, too.
    AddFolder(PathBuf),
    /// Search this folder no longer.
    DropFolder(PathBuf),
    /// Compute the sha256 of the entry of this path.
    Hash(PathBuf),
    /// Move the files of the entry of this path to the trash.
    Delete(PathBuf),
    /// Search for files that were downloaded, in a folder that is searched from now on.
    Fetched(FetchedModel),
    /// Compute the memory that this model needs.
    Forecast(Box<ModelSource>),
    /// Read what the headers of this file say, which may lie outside the library's folders.
    Survey(PathBuf),
}

/// What the library's thread says.
#[derive(Debug)]
pub enum LibraryReport {
    /// The library as it is now.
    Listed(LibrarySnapshot),
    /// How far the search is; `None` for no search.
    Searching(Option<SearchProgress>),
    /// How far the computing of a hash is; `None` for none.
    Hashing(Option<HashProgress>),
    /// The memory that a model needs; `None` if it cannot be told.
    Forecast(Box<ModelSource>, Option<MemoryNeed>),
    /// What the headers of a file say.
    Surveyed(PathBuf, Box<Facts>),
    /// The files of this name were downloaded; the model among them.
    Fetched(String, Option<PathBuf>),
    /// The files of the entry of this name are in the trash.
    Deleted(String),
    /// Something could not be done.
    Failed(Reason),
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchProgress {
    /// Headers that were read.
    pub read: usize,
    /// Headers to read; 0 while folders are listed.
    pub total: usize,
}

/// How far the computing of a hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashProgress {
    /// The path of the entry.
    pub path: PathBuf,
    /// Bytes that were read.
    pub read: u64,
}

/// What is known of the memory that a model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// Nobody asked yet.
    Unknown,
    /// It is being computed.
    Asked,
    /// This much; `None` if it cannot be told.
    Known(Option<MemoryNeed>),
}

/// The library at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibrarySnapshot {
    /// The entries that are listed, by their names.
    pub entries: Arc<[Entry]>,
    /// The folders that are searched.
    pub folders: Vec<LibraryFolder>,
    /// Folders of other programs that can be added.
    pub offered: Vec<LibraryFolder>,
    /// What the search passed by.
    pub notes: Vec<Note>,
    /// Whether all folders were searched to their ends.
    pub is_complete: bool,
}

/// Whether the files of an entry can be deleted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// They can.
    Possible,
    /// They lie in the Hugging Face cache, in which repositories share files.
    InSharedCache,
    /// They lie outside the folders of the library.
    Outside,
}

/// The library as the window shows it.
#[derive(Debug, Default)]
pub struct ModelLibrary {
    snapshot: LibrarySnapshot,
    /// Names of the files of the catalogue that are among the entries.
    catalogued: HashSet<&'static str>,
    search: Option<SearchProgress>,
    hashing: Option<HashProgress>,
    /// The memory that models need, of those that were asked for.
    forecasts: HashMap<ModelSource, Forecast>,
    /// What the headers say of the last model that lacked a part when it was opened.
    pub(in crate::session) lacking: Option<(PathBuf, Box<Facts>)>,
    filter: LibraryFilter,
    stars: Vec<PathBuf>,
    selected: Option<PathBuf>,
    /// Indices of the entries that are listed.
    listed: Vec<usize>,
    /// Entries that were taken off the list and can be put back, each after its notice.
    removed: Vec<(u64, PathBuf)>,
}

impl ModelLibrary {
    /// The library as it was last searched.
    pub fn snapshot(&self) -> &LibrarySnapshot {
        &self.snapshot
    }

    /// How far a search is, if there is one.
    pub fn search(&self) -> Option<SearchProgress> {
        self.search
    }

    /// What is listed.
    pub fn filter(&self) -> &LibraryFilter {
        &self.filter
    }

    /// The paths of the entries with a star.
    pub fn stars(&self) -> &[PathBuf] {
        &self.stars
    }

    /// Whether an entry has a star.
    pub fn has_star(&self, entry: &Entry) -> bool {
        self.stars.contains(&entry.path)
    }

    /// The number of entries that are listed.
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether no entry is listed.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The entry at a place of the list.
    pub fn at(&self, place: usize) -> Option<&Entry> {
        self.snapshot.entries.get(*self.listed.get(place)?)
    }

    /// The selected entry.
    pub fn selected(&self) -> Option<&Entry> {
        self.at(self.place()?)
    }

    /// The place of the selected entry in the list.
    pub fn place(&self) -> Option<usize> {
        let selected = self.selected.as_deref()?;
        self.listed.iter().position(|index| self.snapshot.entries[*index].path == selected)
    }

    /// The families of the entries of the chosen kinds.
    pub fn families(&self) -> Vec<Family> {
        let group = self.filter.group;
        let mut found: Vec<Family> = self
            .snapshot
            .entries
            .iter()
            .filter(|entry| group.is_none_or(|group| EntryGroup::of(entry.facts.kind) == group))
            .flat_map(|entry| entry.facts.families.iter().copied())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The number of entries of these kinds; `None` for all.
    pub fn count(&self, group: Option<EntryGroup>) -> usize {
        let is_of = |entry: &&Entry| group.is_none_or(|group| EntryGroup::of(entry.facts.kind) == group);
        self.snapshot.entries.iter().filter(is_of).count()
    }

    /// Whether the files of an entry can be deleted here.
    pub fn deletion(&self, entry: &Entry) -> Deletion {
        let around: Vec<&LibraryFolder> =
            self.snapshot.folders.iter().filter(|folder| entry.path.starts_with(&folder.path)).collect();
        if entry.repository.is_some() || around.iter().any(|folder| folder.owner == FolderOwner::HuggingFace)
        {
            Deletion::InSharedCache
        } else if around.is_empty() {
            Deletion::Outside
        } else {
            Deletion::Possible
        }
    }

    /// Whether a file of the catalogue is among the entries.
    pub fn has_file(&self, file: &CatalogueFile) -> bool {
        self.catalogued.contains(file.id.as_str())
    }

    /// The file of the catalogue that an entry is.
    pub fn catalogue_file(entry: &Entry) -> Option<&'static CatalogueFile> {
        let name = entry.path.file_name()?.to_str()?;
        Catalogue::of_program().file_named(entry.repository.as_deref(), name)
    }

    fn entry(&self, path: &Path) -> Option<&Entry> {
        self.snapshot.entries.iter().find(|entry| entry.path == path)
    }

    /// Lists the entries again; if the selected one is not listed any more, the first is selected.
    fn list(&mut self, recent: &[&Path]) {
        self.listed = self.filter.listed(&self.snapshot.entries, &self.stars, recent);
        if self.place().is_none() {
            self.selected = self.at(0).map(|entry| entry.path.clone());
        }
    }
}

impl Session {
    /// The library of models.
    pub fn library(&self) -> &ModelLibrary {
        &self.library
    }

    /// Restores the models with stars.
    pub fn restore_stars(&mut self, stars: Vec<PathBuf>) {
        self.library.stars = stars;
    }
}
