//! Watching the library's folders: which of them changed, and when it has been quiet for long enough to search them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// How long a folder is quiet before it is searched, so that a file that is being copied is read once.
const QUIET: Duration = Duration::from_secs(1);
/// How long a search waits for that at most.
const LONGEST: Duration = Duration::from_secs(10);
/// Subfolders of a tree that is watched at most: each takes a handle of the system, which other programs need, too.
const MOST_FOLDERS: usize = 4_000;
/// Endings of files that are being downloaded or are no models.
const PASSING: [&str; 5] = ["part", "incomplete", "lock", "tmp", "crdownload"];

/// Trees that are watched, each with the folder of the library that it belongs to.
type Trees = Vec<(PathBuf, PathBuf)>;

/// Watches trees of files, and collects the folders of the library that changed.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    trees: Arc<Mutex<Trees>>,
    watched: BTreeSet<PathBuf>,
    changed: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Gets a message after a change.
    pub(super) changes: Receiver<()>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let (sender, changes) = bounded(1);
        let trees = Arc::new(Mutex::new(Vec::new()));
        let changed = Arc::new(Mutex::new(BTreeSet::new()));
        let (known, found) = (Arc::clone(&trees), Arc::clone(&changed));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) => note(&event, &known, &found, &sender),
            Err(error) => log::debug!("a folder of the library is not watched any more: {error}"),
        });
        let watcher = watcher.inspect_err(|error| log::warn!("folders cannot be watched: {error}")).ok();
        Self { watcher, trees, watched: BTreeSet::new(), changed, changes, first: None, last: None }
    }

    /// Watches these trees and no others. One that cannot be watched is searched when the list of models is opened.
    pub(super) fn follow(&mut self, trees: Trees) {
        let Some(watcher) = &mut self.watcher else { return };
        // A watcher reports real paths on some systems, and paths as they were given on others.
        let mut known = Vec::new();
        let mut wanted = BTreeSet::new();
        for (folder, tree) in trees {
            if let Ok(real) = std::fs::canonicalize(&tree).map(|real| (folder.clone(), real)) {
                known.push(real);
            }
            wanted.insert(tree.clone());
            known.push((folder, tree));
        }
        *self.trees.lock().unwrap_or_else(PoisonError::into_inner) = known;
        for gone in self.watched.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        self.watched.retain(|tree| wanted.contains(tree));
        for tree in wanted {
            if self.watched.contains(&tree) || !tree.is_dir() || has_more_folders(&tree, MOST_FOLDERS) {
                continue;
            }
            match watcher.watch(&tree, RecursiveMode::Recursive) {
                Ok(()) => {
                    self.watched.insert(tree);
                }
                Err(error) => log::info!("this folder is not watched: {error}: {}", tree.display()),
            }
        }
    }

    /// Begins or prolongs the wait after a change.
    pub(super) fn delay(&mut self) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// When the folders that changed are to be searched.
    pub(super) fn due(&self) -> Option<Instant> {
        Some((self.last? + QUIET).min(self.first? + LONGEST))
    }

    /// The folders that changed since the last call.
    pub(super) fn take(&mut self) -> BTreeSet<PathBuf> {
        (self.first, self.last) = (None, None);
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Keeps which folder of the library an event is about.
fn note(event: &Event, trees: &Mutex<Trees>, changed: &Mutex<BTreeSet<PathBuf>>, sender: &Sender<()>) {
    if matches!(event.kind, EventKind::Access(_)) || event.paths.iter().all(|path| is_passing(path)) {
        return;
    }
    let trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
    let is_in = |tree: &Path| event.paths.iter().any(|path| path.starts_with(tree));
    // The events of a whole tree may be lost at once.
    let folders = trees.iter().filter(|(_, tree)| event.need_rescan() || is_in(tree));
    let mut changed = changed.lock().unwrap_or_else(PoisonError::into_inner);
    changed.extend(folders.map(|(folder, _)| folder.clone()));
    if !changed.is_empty() {
        let _ = sender.try_send(());
    }
}

fn is_passing(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| PASSING.contains(&ending.as_str()))
}

/// Whether a tree has more subfolders than this.
fn has_more_folders(tree: &Path, most: usize) -> bool {
    let (mut open, mut count) = (vec![tree.to_owned()], 0);
    while let Some(folder) = open.pop() {
        count += 1;
        if count > most {
            return true;
        }
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        open.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_waits_for_quiet_but_not_for_ever() {
        let mut watch = Watch::new();
        assert_eq!(watch.due(), None);
        watch.delay();
        let first = watch.due().unwrap();
        watch.delay();
        assert!(watch.due().unwrap() >= first);
        watch.first = Instant::now().checked_sub(LONGEST);
        assert!(watch.due().unwrap() <= Instant::now());
        assert!(watch.take().is_empty() && watch.due().is_none());
    }

    #[test]
    fn a_tree_of_too_many_folders_is_told() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a/b", "c"] {
            std::fs::create_dir_all(root.path().join(name)).unwrap();
        }
        assert!(has_more_folders(root.path(), 3) && !has_more_folders(root.path(), 4));
    }

    #[test]
    fn what_is_being_downloaded_is_no_change() {
        for (name, wanted) in
            [("a.safetensors.part", true), ("b.incomplete", true), ("c.gguf", false), ("d", false)]
        {
            assert_eq!(is_passing(Path::new(name)), wanted, "{name}");
        }
    }
}
