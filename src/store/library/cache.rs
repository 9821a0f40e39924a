//! What earlier scans found, by path, size and time, in one JSON file. A file that is damaged or of another version of the
//! program counts as empty: its content is only ever what a scan finds again.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::{Facts, FileFormat};
use super::walk::Fingerprint;
use crate::formats::atomic::{WriteFileError, write_atomically};

/// Raised when the fields change; a new version of the program may know more of the same files.
const VERSION: &str = concat!("3 ", env!("CARGO_PKG_VERSION"));
/// More bytes than the cache of the largest library has.
const MAX_BYTES: u64 = 256 << 20;

/// What was found, by path. Paths that are no text are not cached.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<String, Cached>,
    has_changed: bool,
}

/// What is known of one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cached {
    fingerprint: Fingerprint,
    facts: Facts,
    sha256: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CacheFile {
    version: String,
    entries: BTreeMap<String, Cached>,
}

impl Cache {
    /// Reads the cache; empty if there is none that can be used.
    pub(super) fn load(path: &Path) -> Self {
        Self { entries: Self::read(path).unwrap_or_default(), has_changed: false }
    }

    fn read(path: &Path) -> Option<BTreeMap<String, Cached>> {
        if !std::fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let file: CacheFile = serde_json::from_slice(&bytes).ok()?;
        (file.version == VERSION).then_some(file.entries)
    }

    /// Writes the cache if it has changed.
    ///
    /// # Errors
    /// If it cannot be written, which costs the next scan time and nothing else.
    pub(super) fn save(&mut self, path: &Path) -> Result<(), WriteFileError> {
        if !self.has_changed {
            return Ok(());
        }
        let file = CacheFile { version: VERSION.to_owned(), entries: std::mem::take(&mut self.entries) };
        // The folder's own error is reported by the write.
        if let Some(folder) = path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let written = write_atomically(path, |writer| {
            serde_json::to_writer(&mut *writer, &file)?;
            writer.flush()
        });
        self.entries = file.entries;
        self.has_changed = written.is_err();
        written
    }

    /// What is known of an item that has not changed since, with its sha256.
    pub(super) fn get(&self, path: &Path, fingerprint: Fingerprint) -> Option<(Facts, Option<String>)> {
        let cached = self.entries.get(path.to_str()?).filter(|cached| cached.fingerprint == fingerprint)?;
        Some((cached.facts.clone(), cached.sha256.clone()))
    }

    /// Keeps what was read, unless reading failed: the reason may be gone the next time, with the file unchanged.
    pub(super) fn put(&mut self, path: &Path, fingerprint: Fingerprint, facts: &Facts) {
        let was_read =
            facts.problem.is_none() || !facts.precision.is_empty() || facts.format == FileFormat::Pickle;
        if let (Some(path), true) = (path.to_str(), was_read) {
            let cached = Cached { fingerprint, facts: facts.clone(), sha256: None };
            self.entries.insert(path.to_owned(), cached);
            self.has_changed = true;
        }
    }

    /// Keeps a hash, if the file is the one that the entry is of.
    pub(super) fn put_hash(&mut self, path: &Path, fingerprint: Fingerprint, sha256: &str) {
        let cached = path.to_str().and_then(|path| self.entries.get_mut(path));
        if let Some(cached) = cached.filter(|cached| cached.fingerprint == fingerprint) {
            cached.sha256 = Some(sha256.to_owned());
            self.has_changed = true;
        }
    }

    /// Forgets what is in these folders and is not among `found`.
    pub(super) fn keep(&mut self, folders: &[PathBuf], found: &dyn Fn(&Path) -> bool) {
        let before = self.entries.len();
        self.entries.retain(|path, _| {
            let path = Path::new(path);
            found(path) || !folders.iter().any(|folder| path.starts_with(folder))
        });
        self.has_changed |= self.entries.len() != before;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.has_changed |= !self.entries.is_empty();
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::library::entry::EntryKind;

    fn facts() -> Facts {
        Facts {
            precision: "f16".into(),
            kind: EntryKind::Vae,
            ..Facts::of_problem(FileFormat::Gguf, "x".into())
        }
    }

    #[test]
    fn what_was_found_is_kept_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, model) = (folder.path().join("sub/cache.json"), folder.path().join("a.gguf"));
        std::fs::write(&model, b"12").unwrap();
        let fingerprint = Fingerprint::of_file(&model).unwrap();
        let mut cache = Cache::load(&file);
        cache.put(&model, fingerprint, &facts());
        cache.put_hash(&model, fingerprint, "ab");
        cache.save(&file).unwrap();
        let mut cache = Cache::load(&file);
        assert_eq!(cache.get(&model, fingerprint), Some((facts(), Some("ab".into()))));
        std::fs::write(&model, b"123").unwrap();
        let changed = Fingerprint::of_file(&model).unwrap();
        assert_eq!(cache.get(&model, changed), None);
        cache.put_hash(&model, changed, "cd");
        assert_eq!(cache.get(&model, fingerprint).unwrap().1.as_deref(), Some("ab"));
        cache.keep(&[folder.path().join("other")], &|_| false);
        assert!(cache.get(&model, fingerprint).is_some());
        cache.keep(&[folder.path().to_owned()], &|_| false);
        assert_eq!(cache.get(&model, fingerprint), None);
    }

    #[test]
    fn failures_are_not_kept() {
        let mut cache = Cache::default();
        let path = Path::new("/a");
        let fingerprint = Fingerprint::of_file(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        cache.put(path, fingerprint, &Facts::of_problem(FileFormat::Other, "no permission".into()));
        assert_eq!(cache.get(path, fingerprint), None);
        let pickle = Facts::of_problem(FileFormat::Pickle, "a pickle".into());
        cache.put(path, fingerprint, &pickle);
        assert_eq!(cache.get(path, fingerprint), Some((pickle, None)));
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache.json");
        for content in
            [&b""[..], b"{", b"\xff", b"[]", b"{\"version\": \"0\", \"entries\": {}}", b"{\"entries\": 7}"]
        {
            std::fs::write(&file, content).unwrap();
            assert!(Cache::load(&file).entries.is_empty());
        }
        assert!(Cache::load(folder.path()).entries.is_empty());
    }
}
