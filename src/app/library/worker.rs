//! The work of the library's thread.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, after, never, select};

use super::beside::{Beside, Hashed};
use super::watch::Watch;
use super::{LibraryPlace, PROGRESS, Reporter, Stops, ToTrash};
use crate::reason::{Reason, ReasonKind};
use crate::session::downloads::FetchedModel;
use crate::session::library::{LibraryCommand, LibraryReport, LibrarySnapshot, SearchProgress};
use crate::store::library::{Entry, Library, LibraryError, ScanProgress};

pub(super) struct Worker {
    library: Library,
    to_trash: ToTrash,
    watch: Watch,
    commands: Receiver<LibraryCommand>,
    reporter: Reporter,
    stops: Stops,
    beside: Beside,
}

impl Worker {
    pub(super) fn new(
        place: LibraryPlace,
        commands: Receiver<LibraryCommand>,
        reporter: Reporter,
        stops: Stops,
        hash_stops: Stops,
    ) -> Self {
        let library = Library::new(place.paths, place.environment);
        let beside = Beside::new(reporter.clone(), hash_stops);
        Self { library, to_trash: place.to_trash, watch: Watch::new(), commands, reporter, stops, beside }
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
                recv(self.beside.hashes) -> hashed => if let Ok(hashed) = hashed { self.hashed(hashed) },
            }
        }
    }

    fn carry_out(&mut self, command: LibraryCommand) {
        let done = match command {
            LibraryCommand::Search { anew } => {
                self.search(anew);
                return;
            }
            LibraryCommand::Stop | LibraryCommand::StopHash => return,
            LibraryCommand::Hash(path) => {
                if let Some(entry) = self.library.entries.iter().find(|entry| entry.path == path) {
                    self.beside.hash(self.library.paths().clone(), entry.clone());
                }
                return;
            }
            LibraryCommand::Forecast(model) => return self.beside.forecast(*model),
            LibraryCommand::Survey(path) => return self.beside.survey(&path),
            LibraryCommand::Fetched(fetched) => return self.fetched(fetched),
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
            self.reporter.say(LibraryReport::Failed(error.into()));
        }
    }

    fn list(&self) {
        let library = &self.library;
        self.reporter.say(LibraryReport::Searching(None));
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
        reporter.progress(LibraryReport::Searching(Some(SearchProgress { read: 0, total: 0 })));
        let last = Mutex::new(Instant::now());
        search(&mut self.library, &cancel, &|progress| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= PROGRESS {
                *last = Instant::now();
                let ScanProgress { read, total } = progress;
                reporter.progress(LibraryReport::Searching(Some(SearchProgress { read, total })));
            }
        });
        self.list();
    }

    /// Takes a hash that was computed.
    fn hashed(&mut self, Hashed { path, hash }: Hashed) {
        match hash {
            Ok(hashed) => {
                self.library.keep_hash(&hashed);
                if let Some(entry) = self.library.entries.iter_mut().find(|entry| entry.path == path) {
                    entry.sha256 = Some(hashed.sha256);
                }
                self.list();
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Searches for files that were downloaded. Their folder is one of the library's from now on.
    fn fetched(&mut self, fetched: FetchedModel) {
        let FetchedModel { name, folder, files } = fetched;
        // A folder inside one that is searched is searched, too.
        let is_searched = self.library.folders.iter().any(|known| folder.starts_with(&known.path));
        if !is_searched && let Err(error) = self.library.add_folder(&folder) {
            self.fail(&error);
        }
        self.search(false);
        let is_model =
            |entry: &&Entry| entry.facts.kind.is_model() && files.iter().any(|file| belongs_to(file, entry));
        let model = self.library.entries.iter().find(is_model);
        let model = model.map(|entry| entry.path.clone());
        self.reporter.say(LibraryReport::Fetched(name, model));
    }

    fn delete(&mut self, path: &Path) {
        let Some(entry) = self.library.entries.iter().find(|entry| entry.path == path).cloned() else {
            return;
        };
        let moved = self.files_to_delete(&entry).and_then(|files| {
            files.iter().try_for_each(|file| {
                (self.to_trash)(file).map_err(|why| {
                    let file_shown = file.display();
                    let said = format!("it cannot be moved to the trash: {why}; delete it with the file manager: {file_shown}");
                    Reason::new(ReasonKind::TrashFailed, said).with([&why as _]).at(file)
                })
            })
        });
        self.reporter.say(match moved {
            Ok(()) => LibraryReport::Deleted(entry.name),
            Err(why) => LibraryReport::Failed(why),
        });
        self.search(false);
    }

    /// The files of an entry, or its folder, all of which must lie in a folder of the library, and not behind a link.
    fn files_to_delete(&self, entry: &Entry) -> Result<Vec<PathBuf>, Reason> {
        let files = if entry.files.is_empty() { vec![entry.path.clone()] } else { entry.files.clone() };
        let folders: Vec<PathBuf> =
            self.library.folders.iter().filter_map(|folder| folder.path.canonicalize().ok()).collect();
        for file in &files {
            let real = file.canonicalize().map_err(|error| {
                let said = format!("{error}: {}", file.display());
                Reason::new(ReasonKind::FileUnread, said).with([&error as _]).at(file)
            })?;
            let lies_in = |folder: &PathBuf| real.starts_with(folder) && real != *folder;
            if !folders.iter().any(lies_in) {
                let said = format!(
                    "a link leads out of the library's folders to it; delete it there: {}",
                    real.display()
                );
                return Err(Reason::new(ReasonKind::LinkLeadsOut, said).at(&real));
            }
        }
        Ok(files)
    }
}

/// Whether a file is one of an entry, perhaps by another path.
fn belongs_to(file: &Path, entry: &Entry) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    if file.starts_with(&entry.path) {
        return true;
    }
    match (entry.files.is_empty(), file.parent()) {
        (true, Some(folder)) => {
            real(folder).zip(real(&entry.path)).is_some_and(|(folder, entry)| folder.starts_with(entry))
        }
        // Files of the Hugging Face cache are links to their blobs.
        _ => entry.files.iter().any(|own| own.file_name() == file.file_name() && real(own) == real(file)),
    }
}
