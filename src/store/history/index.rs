//! The list of all runs, and a cache of it in one file, so that a start does not read thousands of records.
//!
//! A run in the cache is believed while the size and the time of its `run.json` are the same; the folders alone say which
//! runs there are. The file begins with a line that names its format and the hash of the rest, which has a line of JSON
//! for each run. A file that is damaged or of another format counts as empty.

use std::collections::{HashMap, HashSet};
use std::fs::DirEntry;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::HistoryError;
use super::record::{RunId, RunSummary};
use super::run_folder::RunFolder;
use crate::formats::atomic::{WriteFileError, write_atomically};

/// Raised when the fields change.
const FORMAT: u64 = 2;
/// Runs that are read anew at each start at most, before the file is written again.
const MAX_UNSAVED: usize = 32;
/// A file may change again within the same tick of its file system's clock, which is 2 s on FAT, and keep its size.
const SETTLED: Duration = Duration::from_secs(3);

/// All runs that are kept.
#[derive(Debug, Default)]
pub struct RunList {
    /// Those that can be read, the newest first.
    pub runs: Vec<RunSummary>,
    /// Why others cannot be. They are left as they are.
    pub unreadable: Vec<HistoryError>,
}

/// What is known of the runs.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashMap<RunId, Known>,
    /// Runs that changed since the file was written.
    unsaved: usize,
}

/// What is known of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    #[serde(flatten)]
    stamp: Stamp,
    run: RunSummary,
}

/// What tells whether a `run.json` changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    /// Nanoseconds after the beginning of 1970.
    modified: u64,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    format: u64,
    blake3: String,
}

impl Index {
    fn path(root: &Path) -> PathBuf {
        root.join("index.jsonl")
    }

    /// Reads the file; empty if there is none that can be used.
    pub(super) fn load(root: &Path) -> Self {
        Self { known: Self::read(&Self::path(root)).unwrap_or_default(), unsaved: 0 }
    }

    fn read(path: &Path) -> Option<HashMap<RunId, Known>> {
        let bytes = std::fs::read(path).ok()?;
        let (first, rest) = bytes.split_at(bytes.iter().position(|&b| b == b'\n')? + 1);
        let first: FirstLine = serde_json::from_slice(first).ok()?;
        if first.format != FORMAT || first.blake3 != blake3::hash(rest).to_hex().as_str() {
            return None;
        }
        let runs = serde_json::Deserializer::from_slice(rest).into_iter::<Known>();
        runs.map(|known| known.ok().map(|known| (known.run.id.clone(), known))).collect()
    }

    fn save(&self, root: &Path) -> Result<(), WriteFileError> {
        let mut rest = Vec::new();
        for known in self.known.values() {
            serde_json::to_writer(&mut rest, known).expect("a summary is JSON");
            rest.push(b'\n');
        }
        let first = FirstLine { format: FORMAT, blake3: blake3::hash(&rest).to_hex().to_string() };
        write_atomically(&Self::path(root), |file| {
            serde_json::to_writer(&mut *file, &first)?;
            file.write_all(b"\n")?;
            file.write_all(&rest)
        })
    }

    /// All runs below the root.
    ///
    /// # Errors
    /// [`HistoryError::Read`] if the folders cannot be listed.
    pub(super) fn list(&mut self, root: &Path) -> Result<RunList, HistoryError> {
        let mut list = RunList::default();
        let mut found = HashSet::new();
        for id in ids(root)? {
            let folder = RunFolder::of(root, &id);
            // Without a record it is being made, or was just deleted.
            let Some(stamp) = Stamp::of(&folder.record_path()) else { continue };
            match self.summary(&folder, &id, stamp) {
                Ok(run) => list.runs.push(run),
                Err(HistoryError::NoRun { .. }) => continue,
                Err(error) => list.unreadable.push(error),
            }
            found.insert(id);
        }
        let before = self.known.len();
        self.known.retain(|id, _| found.contains(id));
        self.unsaved += before - self.known.len();
        list.runs.sort_by(|a, b| (b.created_ms, &b.id).cmp(&(a.created_ms, &a.id)));
        if self.unsaved > MAX_UNSAVED {
            match self.save(root) {
                Ok(()) => self.unsaved = 0,
                // It only costs time at the next start.
                Err(error) => log::warn!("the index of the kept runs: {error}"),
            }
        }
        Ok(list)
    }

    fn summary(&mut self, folder: &RunFolder, id: &RunId, stamp: Stamp) -> Result<RunSummary, HistoryError> {
        if let Some(known) = self.known.get(id).filter(|known| known.stamp == stamp) {
            return Ok(known.run.clone());
        }
        let run = RunSummary::from(&folder.read_record()?);
        if stamp.is_settled() {
            self.known.insert(id.clone(), Known { stamp, run: run.clone() });
            self.unsaved += 1;
        }
        Ok(run)
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        let modified = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { bytes: data.len(), modified: modified.as_nanos() as u64 })
    }

    /// Whether a later change has another time.
    fn is_settled(self) -> bool {
        let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_nanos(self.modified));
        age.is_ok_and(|age| age > SETTLED)
    }
}

/// The ids of all folders that have one as their name, in the folder of its month.
pub(super) fn ids(root: &Path) -> Result<Vec<RunId>, HistoryError> {
    let mut ids = Vec::new();
    for month in folders(root)? {
        let name = month.file_name();
        // The folder of a month with no run in it yet, or any more.
        let runs = folders(&month.path())?.into_iter();
        let named = runs.filter_map(|entry| entry.file_name().to_str()?.parse::<RunId>().ok());
        ids.extend(named.filter(|id| name == id.month().as_str()));
    }
    Ok(ids)
}

/// The folders in a folder; none if it does not exist.
fn folders(path: &Path) -> Result<Vec<DirEntry>, HistoryError> {
    let unread = |cause| HistoryError::Read { cause, path: path.to_owned() };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unread(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unread)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry);
        }
    }
    Ok(folders)
}
