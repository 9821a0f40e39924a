//! The work of the library's thread.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, after, never, select};

use super::watch::Watch;
use super::{LibraryPlace, PROGRESS, Reporter, Stops, ToTrash};
use crate::session::library::{LibraryCommand, LibraryReport, LibrarySnapshot, LibraryWork};
use crate::store::library::{Entry, Library, LibraryError, ScanProgress};

pub(super) struct Worker {
    library: Library,
    to_trash: ToTrash,
    watch: Watch,
    commands: Receiver<LibraryCommand>,
    reporter: Reporter,
    stops: Stops,
}

impl Worker {
    pub(super) fn new(
        place: LibraryPlace,
        commands: Receiver<LibraryCommand>,
        reporter: Reporter,
        stops: Stops,
    ) -> Self {
        let library = Library::new(place.paths, place.environment);
        Self { library, to_trash: place.to_trash, watch: Watch::new(), commands, reporter, stops }
    }

    /// Works until the window drops its end of the channel.
    pub(super) fn run(mut self) {
        self.list();
        loop {
            let due = self
                .watch
                .due()
                .map_or_else(never, |due| after(due.saturating_duration_since(Instant::now())));
            select! {
                recv(self.commands) -> command => match command {
                    Ok(command) => self.carry_out(command),
                    Err(_) => return,
                },
                recv(self.watch.changes) -> _ => self.watch.delay(),
                recv(due) -> _ => self.search_changed(),
            }
        }
    }

    fn carry_out(&mut self, command: LibraryCommand) {
        let done = match command {
            LibraryCommand::Search { anew } => {
                self.search(anew);
                return;
            }
            LibraryCommand::Stop => return,
            LibraryCommand::Hash(path) => {
                if let Err(error) = self.hash(&path) {
                    self.fail(&error);
                }
                self.list();
                return;
            }
            LibraryCommand::Delete(path) => return self.delete(&path),
            LibraryCommand::Remove(path) => self.library.remove(&path),
            LibraryCommand::Restore(path) => self.library.restore(&path),
            LibraryCommand::AddFolder(path) => self.library.add_folder(&path).map(drop),
            LibraryCommand::DropFolder(path) => match self.library.folder(&path) {
                Some(folder) => self.library.drop_folder(folder),
                None => Ok(()),
            },
        };
        if let Err(error) = done {
            self.fail(&error);
        }
        self.search(false);
    }

    fn fail(&self, error: &LibraryError) {
        if !matches!(error, LibraryError::Stopped) {
            self.reporter.say(LibraryReport::Failed(error.to_string().into()));
        }
    }

    fn list(&self) {
        let library = &self.library;
        self.reporter.say(LibraryReport::Working(None));
        self.reporter.say(LibraryReport::Listed(LibrarySnapshot {
            entries: library.entries.as_slice().into(),
            folders: library.folders.clone(),
            offered: library.offered(),
            notes: library.notes.clone(),
            is_complete: library.is_complete,
        }));
    }

    fn search(&mut self, anew: bool) {
        // What changed until now is found by this search.
        self.watch.take();
        self.searching(|library, cancel, progress| library.scan(anew, cancel, progress));
        self.watch.follow(self.library.trees());
    }

    fn search_changed(&mut self) {
        let folders = self.watch.take();
        self.searching(|library, cancel, progress| {
            for folder in folders.iter().take_while(|_| !cancel.is_stopped()) {
                library.rescan_folder(folder, cancel, progress);
            }
        });
    }

    /// Searches with progress, and lists what was found.
    fn searching(
        &mut self,
        search: impl FnOnce(&mut Library, &crate::request::CancelToken, &(dyn Fn(ScanProgress) + Sync)),
    ) {
        let cancel = self.stops.next();
        let reporter = &self.reporter;
        reporter.progress(LibraryWork::Searching { read: 0, total: 0 });
        let last = Mutex::new(Instant::now());
        search(&mut self.library, &cancel, &|progress| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= PROGRESS {
                *last = Instant::now();
                let ScanProgress { read, total } = progress;
                reporter.progress(LibraryWork::Searching { read, total });
            }
        });
        self.list();
    }

    fn hash(&mut self, path: &Path) -> Result<(), LibraryError> {
        let Some(at) = self.library.entries.iter().position(|entry| entry.path == path) else {
            return Ok(());
        };
        let cancel = self.stops.next();
        let reporter = &self.reporter;
        let last = std::cell::Cell::new(Instant::now());
        let hash = self.library.hash(&self.library.entries[at], &cancel, &|read| {
            if last.get().elapsed() >= PROGRESS {
                last.set(Instant::now());
                reporter.progress(LibraryWork::Hashing { path: path.to_owned(), read });
            }
        })?;
        self.library.entries[at].sha256 = Some(hash);
        Ok(())
    }

    fn delete(&mut self, path: &Path) {
        let Some(entry) = self.library.entries.iter().find(|entry| entry.path == path).cloned() else {
            return;
        };
        let moved = self.files_to_delete(&entry).and_then(|files| {
            files.iter().try_for_each(|file| {
                (self.to_trash)(file).map_err(|why| {
                    format!(
                        "it cannot be moved to the trash: {why}; delete it with the file manager: {}",
                        file.display()
                    )
                })
            })
        });
        self.reporter.say(match moved {
            Ok(()) => LibraryReport::Deleted(entry.name),
            Err(why) => LibraryReport::Failed(why.into()),
        });
        self.search(false);
    }

    /// The files of an entry, or its folder, all of which must lie in a folder of the library, and not behind a link.
    fn files_to_delete(&self, entry: &Entry) -> Result<Vec<PathBuf>, String> {
        let files = if entry.files.is_empty() { vec![entry.path.clone()] } else { entry.files.clone() };
        let folders: Vec<PathBuf> =
            self.library.folders.iter().filter_map(|folder| folder.path.canonicalize().ok()).collect();
        for file in &files {
            let real = file.canonicalize().map_err(|error| format!("{error}: {}", file.display()))?;
            let lies_in = |folder: &PathBuf| real.starts_with(folder) && real != *folder;
            if !folders.iter().any(lies_in) {
                return Err(format!(
                    "a link leads out of the library's folders to it; delete it there: {}",
                    real.display()
                ));
            }
        }
        Ok(files)
    }
}
