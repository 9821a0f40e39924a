//! The library: the models on this machine, found where they lie. Nothing is moved or copied, and a scan reads headers
//! only.
//!
//! A scan goes through the folders (`folders`) and lists what may be an entry (`walk`), takes from the cache what it
//! knows of files that have not changed, reads the headers of the others (`scan`, `facts`), and says which files complete
//! which models (`resolve`). What is wrong with a file is said in its entry, what is wrong with a folder in a [`Note`].

mod cache;
mod choices;
mod comfy_paths;
mod config;
mod entry;
mod environment;
mod error;
mod facts;
mod family;
mod folders;
mod hash;
mod names;
mod note;
mod resolve;
mod scan;
#[cfg(test)]
mod tests;
mod tiny;
mod walk;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use config::LibraryConfig;
pub use entry::{Entry, EntryKind, Facts, FileFormat, MissingPart};
pub use environment::Environment;
pub use error::LibraryError;
pub use family::Family;
pub use folders::{FolderOwner, LibraryFolder, offered};
pub use names::{source_of, weights_of_kind};
pub use note::Note;
pub use scan::ScanProgress;
pub use tiny::{TinyCandidate, tiny_decoder_of, tiny_decoders};

use self::cache::Cache;
use self::scan::Found;
use self::walk::{Fingerprint, Walk};
use crate::reason::ReasonKind;
use crate::request::CancelToken;

/// Where a library keeps what it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryPaths {
    /// The program's own folder of models.
    pub models: PathBuf,
    /// The file of a person's choices.
    pub config: PathBuf,
    /// The file of what earlier scans found.
    pub cache: PathBuf,
}

impl LibraryPaths {
    /// The usual places on this system.
    ///
    /// # Errors
    /// [`LibraryError::NoPlace`] if there is no home folder.
    pub fn of_system() -> Result<Self, LibraryError> {
        let folders = directories::ProjectDirs::from("", "", "safelight").ok_or(LibraryError::NoPlace)?;
        Ok(Self {
            models: folders.data_dir().join("models"),
            config: folders.config_dir().join("library.json"),
            cache: folders.cache_dir().join("library.json"),
        })
    }
}

/// The models on this machine.
#[derive(Clone, Debug)]
pub struct Library {
    paths: LibraryPaths,
    environment: Environment,
    /// The folders that are searched: the program's own first, then those that were added.
    pub folders: Vec<LibraryFolder>,
    /// All entries that are listed, sorted by their names.
    pub entries: Vec<Entry>,
    /// Entries that were taken off the list.
    pub removed: Vec<Entry>,
    /// What the scan passed by.
    pub notes: Vec<Note>,
    /// Headers that the last scan read; the others were in the cache.
    pub headers_read: usize,
    /// Whether the last scan went to its end.
    pub is_complete: bool,
    /// What was found, by the folder that it was found in.
    found: Vec<(PathBuf, Vec<Found>)>,
    /// Notes of each folder.
    folder_notes: Vec<(PathBuf, Vec<Note>)>,
}

impl Library {
    /// A library with its folders, before the first scan.
    ///
    /// A damaged file of a person's choices is a note: the program's own folder is searched without it.
    pub fn new(paths: LibraryPaths, environment: Environment) -> Self {
        let mut library = Self {
            folders: Vec::new(),
            entries: Vec::new(),
            removed: Vec::new(),
            notes: Vec::new(),
            headers_read: 0,
            is_complete: false,
            found: Vec::new(),
            folder_notes: Vec::new(),
            paths,
            environment,
        };
        library.read_config();
        library
    }

    /// Reads the choices again. The notes begin anew.
    fn read_config(&mut self) -> LibraryConfig {
        self.notes.clear();
        let config = LibraryConfig::load(&self.paths.config).unwrap_or_else(|error| {
            let (what, reason) = match error {
                LibraryError::Config { reason, .. } => (
                    format!("the folders that were added are not known: {reason}; repair or remove the file"),
                    reason,
                ),
                error => (error.to_string(), error.to_string()),
            };
            let note = Note::new(ReasonKind::LibraryChoices, what, &self.paths.config);
            self.notes.push(note.with(reason));
            LibraryConfig::default()
        });
        self.folders = vec![LibraryFolder::own(&self.paths.models)];
        self.folders.extend(config.folders.iter().map(|folder| LibraryFolder::of_path(folder)));
        config
    }

    /// Where it keeps what it knows.
    pub fn paths(&self) -> &LibraryPaths {
        &self.paths
    }

    /// The folders of other programs on this machine that are not searched yet.
    pub fn offered(&self) -> Vec<LibraryFolder> {
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let used: Vec<PathBuf> = self.folders.iter().map(|folder| real(&folder.path)).collect();
        let mut offered = offered(&self.environment);
        offered.retain(|folder| !used.contains(&real(&folder.path)));
        offered
    }

    /// The trees of files that a scan goes through, each after the folder of the library that it belongs to.
    pub fn trees(&self) -> Vec<(PathBuf, PathBuf)> {
        let of = |folder: &LibraryFolder| {
            let (trees, _) = folder.trees(&self.environment);
            trees.into_iter().map(|tree| (folder.path.clone(), tree.path)).collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(of).collect()
    }

    /// Searches all folders. With `anew`, headers are read also of files that have not changed.
    ///
    /// Blocks, on a slow drive for long: call it in a thread of its own. `progress` is called from several threads. Once
    /// `cancel` is stopped the scan ends, with what it found by then.
    pub fn scan(&mut self, anew: bool, cancel: &CancelToken, progress: &(dyn Fn(ScanProgress) + Sync)) {
        self.found.clear();
        self.folder_notes.clear();
        let mut cache = Cache::load(&self.paths.cache);
        if anew {
            cache.clear();
        }
        let config = self.read_config();
        let mut walk = Walk::default();
        self.headers_read = 0;
        let mut searched = Vec::new();
        for folder in self.folders.clone() {
            searched.extend(self.scan_into(&folder, &mut walk, &mut cache, cancel, progress));
        }
        self.finish(cache, &config, &searched, cancel);
    }

    /// Searches one of the folders again, as after a change in it; the others stay as they are.
    pub fn rescan_folder(
        &mut self,
        folder: &Path,
        cancel: &CancelToken,
        progress: &(dyn Fn(ScanProgress) + Sync),
    ) {
        let config = self.read_config();
        let Some(folder) = self.folders.iter().find(|known| known.path == folder).cloned() else { return };
        // What another process dropped goes, too.
        let stays =
            |path: &PathBuf| *path != folder.path && self.folders.iter().any(|known| known.path == *path);
        self.found.retain(|(path, _)| stays(path));
        self.folder_notes.retain(|(path, _)| stays(path));
        let mut cache = Cache::load(&self.paths.cache);
        let elsewhere = self.found.iter().flat_map(|(_, found)| found).map(|found| found.item.path.as_path());
        let mut walk = Walk::without(elsewhere);
        self.headers_read = 0;
        let searched = self.scan_into(&folder, &mut walk, &mut cache, cancel, progress);
        self.finish(cache, &config, &searched, cancel);
    }

    /// Searches a folder; gives the folders in it that could be searched.
    fn scan_into(
        &mut self,
        folder: &LibraryFolder,
        walk: &mut Walk,
        cache: &mut Cache,
        cancel: &CancelToken,
        progress: &(dyn Fn(ScanProgress) + Sync),
    ) -> Vec<PathBuf> {
        // This program's own folder is made when something is downloaded.
        if folder.owner == FolderOwner::Own && !folder.path.exists() {
            return Vec::new();
        }
        let (trees, mut notes) = folder.trees(&self.environment);
        for tree in &trees {
            walk.tree(tree, cancel);
        }
        let (found, read) = scan::read(std::mem::take(&mut walk.items), cache, cancel, progress);
        self.headers_read += read;
        notes.append(&mut walk.notes);
        self.found.push((folder.path.clone(), found));
        self.folder_notes.push((folder.path.clone(), notes));
        trees.into_iter().map(|tree| tree.path).filter(|path| path.is_dir()).collect()
    }

    fn finish(
        &mut self,
        mut cache: Cache,
        config: &LibraryConfig,
        searched: &[PathBuf],
        cancel: &CancelToken,
    ) {
        self.is_complete = !cancel.is_stopped();
        if self.is_complete {
            let paths: BTreeSet<&Path> = self
                .found
                .iter()
                .flat_map(|(_, found)| found)
                .map(|found| found.item.path.as_path())
                .collect();
            cache.keep(searched, &|path| paths.contains(path));
        }
        if let Err(error) = cache.save(&self.paths.cache) {
            log::warn!("the library's cache: {error}");
        }
        self.notes.extend(self.folder_notes.iter().flat_map(|(_, notes)| notes.iter().cloned()));
        let is_removed = |found: &Found| config.removed.contains(&found.item.path);
        let all = || {
            self.found
                .iter()
                .flat_map(|(folder, found)| found.iter().map(move |found| (found, folder.as_path())))
        };
        let removed = resolve::entries(all().filter(|(found, _)| is_removed(found)));
        self.entries = resolve::entries(all().filter(|(found, _)| !is_removed(found)));
        self.removed = removed;
    }

    /// The listed entries that were found in one of the folders.
    pub fn entries_in(&self, folder: &Path) -> Vec<&Entry> {
        let found = self.found.iter().filter(|(path, _)| path == folder).flat_map(|(_, found)| found);
        let paths: BTreeSet<&Path> = found.map(|found| found.item.path.as_path()).collect();
        self.entries.iter().filter(|entry| paths.contains(entry.path.as_path())).collect()
    }

    /// The sha256 of an entry's file, hexadecimal: from the cache if the file has not changed, or computed, which takes a
    /// second for a gigabyte or longer. `progress` gets the bytes read so far.
    ///
    /// # Errors
    /// [`LibraryError::SeveralFiles`] if the entry has no one file, [`LibraryError::Read`] and [`LibraryError::Stopped`].
    pub fn hash(
        &self,
        entry: &Entry,
        cancel: &CancelToken,
        progress: &dyn Fn(u64),
    ) -> Result<String, LibraryError> {
        let hashed = HashedFile::compute(&self.paths, entry, cancel, progress)?;
        self.keep_hash(&hashed);
        Ok(hashed.sha256)
    }

    /// Keeps a hash that was computed elsewhere.
    pub fn keep_hash(&self, hashed: &HashedFile) {
        let Some(fingerprint) = hashed.fingerprint else { return };
        let mut cache = Cache::load(&self.paths.cache);
        cache.put_hash(&hashed.file, fingerprint, &hashed.sha256);
        if let Err(error) = cache.save(&self.paths.cache) {
            log::warn!("the library's cache: {error}");
        }
    }
}

/// The sha256 of a file of the library, computed apart from it: another thread may search meanwhile.
#[derive(Clone, Debug)]
pub struct HashedFile {
    file: PathBuf,
    /// The sha256, hexadecimal.
    pub sha256: String,
    /// Of the file with this hash; `None` if the hash is in the cache, or if the file was replaced meanwhile.
    fingerprint: Option<Fingerprint>,
}

impl HashedFile {
    /// As [`Library::hash`], without keeping it. `paths`: of the library.
    ///
    /// # Errors
    /// As [`Library::hash`].
    pub fn compute(
        paths: &LibraryPaths,
        entry: &Entry,
        cancel: &CancelToken,
        progress: &dyn Fn(u64),
    ) -> Result<Self, LibraryError> {
        let [file] = &entry.files[..] else { return Err(LibraryError::SeveralFiles(entry.path.clone())) };
        let before = Fingerprint::of_file(file);
        let known = before.and_then(|fingerprint| Cache::load(&paths.cache).get(file, fingerprint)?.1);
        if let Some(sha256) = known {
            return Ok(Self { file: file.clone(), sha256, fingerprint: None });
        }
        let sha256 = hash::sha256(file, cancel, progress)?;
        // A file that was replaced in the meantime has another hash.
        let fingerprint = before.filter(|before| Fingerprint::of_file(file) == Some(*before));
        Ok(Self { file: file.clone(), sha256, fingerprint })
    }
}
