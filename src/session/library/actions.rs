//! What a user does with the library, and what its thread says.

use std::path::{Path, PathBuf};

use super::{Deletion, Entry, Forecast, LibraryCommand, LibraryFilter, LibraryReport, ModelLibrary};
use crate::catalog::{ModelParts, ModelSource, PartRole};
use crate::session::{Effect, Message, Question, Session};
use crate::store::library::source_of;

/// What a user does with the library.
#[derive(Clone, Debug, PartialEq)]
pub enum LibraryAction {
    /// Searches the folders; see [`LibraryCommand::Search`].
    Search {
        /// Whether headers are read anew.
        anew: bool,
    },
    /// Stops the search.
    Stop,
    /// Stops the computing of a hash.
    StopHash,
    /// Computes the memory that the model of this path needs.
    Forecast(PathBuf),
    /// Changes what is listed.
    Filter(LibraryFilter),
    /// Selects the entry of this path.
    Select(PathBuf),
    /// Selects the entry this many places further in the list.
    Move(isize),
    /// Gives the entry of this path a star, or takes it away.
    Star(PathBuf),
    /// Opens the model of this path.
    Open(PathBuf),
    /// Opens the file dialog for a part that the model of this path lacks.
    FindPart(PathBuf, PartRole),
    /// Takes the entry of this path off the list. Can be undone.
    Remove(PathBuf),
    /// Asks whether the files of this entry go to the trash.
    AskDelete(PathBuf),
    /// Answers that: they do.
    Delete(PathBuf),
    /// Computes the sha256 of the entry of this path.
    Hash(PathBuf),
    /// Searches this folder, too.
    AddFolder(PathBuf),
    /// Searches this folder no longer.
    DropFolder(PathBuf),
}

impl Session {
    pub(in crate::session) fn use_library(&mut self, action: LibraryAction) {
        match action {
            LibraryAction::Search { anew } => self.command(LibraryCommand::Search { anew }),
            LibraryAction::Stop => self.command(LibraryCommand::Stop),
            LibraryAction::StopHash => self.command(LibraryCommand::StopHash),
            LibraryAction::Forecast(path) => {
                let Some(model) = self.library.entry(&path).and_then(|entry| self.model_of(entry)) else {
                    return;
                };
                if !self.library.forecasts.contains_key(&model) {
                    self.library.forecasts.insert(model.clone(), Forecast::Asked);
                    self.command(LibraryCommand::Forecast(Box::new(model)));
                }
            }
            LibraryAction::Filter(filter) => {
                self.library.filter = filter;
                // The best match is at the top.
                self.library.selected = None;
                self.list_models();
            }
            LibraryAction::Select(path) => self.library.selected = Some(path),
            LibraryAction::Move(by) => {
                let last = self.library.len().saturating_sub(1);
                let place = self.library.place().map_or(0, |place| place.saturating_add_signed(by).min(last));
                self.library.selected = self.library.at(place).map(|entry| entry.path.clone());
            }
            LibraryAction::Star(path) => {
                let before = self.library.stars.len();
                self.library.stars.retain(|known| *known != path);
                if self.library.stars.len() == before {
                    self.library.stars.push(path);
                }
                self.list_models();
            }
            LibraryAction::Open(path) => {
                let Some(entry) = self.library.entry(&path) else { return };
                if let Some(model) = self.model_of(entry) {
                    self.open_model(model);
                } else {
                    let why = source_of(entry).err().map_or_else(|| "".into(), |error| (&error).into());
                    self.notify(Message::NotOpened(why));
                }
            }
            LibraryAction::FindPart(path, role) => {
                let Some(entry) = self.library.entry(&path) else { return };
                self.model.lacking = Some((self.known_parts(entry), role));
                self.outbox.effects.push(Effect::AskPart);
            }
            LibraryAction::Remove(path) => {
                let Some(name) = self.library.entry(&path).map(|entry| entry.name.clone()) else { return };
                self.select_neighbour(&path);
                let notice = self.notify(Message::EntryRemoved(name));
                self.library.removed.push((notice, path.clone()));
                self.command(LibraryCommand::Remove(path));
            }
            LibraryAction::AskDelete(path) => {
                let Some(entry) = self.library.entry(&path) else { return };
                if self.library.deletion(entry) == Deletion::Possible {
                    let (name, bytes) = (entry.name.clone(), entry.bytes);
                    self.opening.question = Some(Question::DeleteModel { path, name, bytes });
                }
            }
            LibraryAction::Delete(path) => {
                self.opening.question = None;
                self.select_neighbour(&path);
                self.command(LibraryCommand::Delete(path));
            }
            LibraryAction::Hash(path) => self.command(LibraryCommand::Hash(path)),
            LibraryAction::AddFolder(path) => self.command(LibraryCommand::AddFolder(path)),
            LibraryAction::DropFolder(path) => self.command(LibraryCommand::DropFolder(path)),
        }
    }

    pub(in crate::session) fn library_says(&mut self, report: LibraryReport) {
        match report {
            LibraryReport::Listed(snapshot) => {
                self.library.snapshot = snapshot;
                let entries = self.library.snapshot.entries.iter();
                let catalogued =
                    entries.filter_map(ModelLibrary::catalogue_file).map(|file| file.id.as_str());
                self.library.catalogued = catalogued.collect();
                // A file may have been replaced by another of its name.
                self.library.forecasts.retain(|_, forecast| *forecast == Forecast::Asked);
                self.list_models();
                self.tell_what_places();
            }
            LibraryReport::Searching(progress) => self.library.search = progress,
            LibraryReport::Hashing(progress) => self.library.hashing = progress,
            LibraryReport::Forecast(model, need) => {
                self.library.forecasts.insert(*model, Forecast::Known(need));
            }
            LibraryReport::Surveyed(path, facts) => self.library.lacking = Some((path, facts)),
            LibraryReport::Fetched(name, model) => self.model_fetched(name, model),
            LibraryReport::Deleted(name) => {
                self.notify(Message::EntryDeleted(name));
            }
            LibraryReport::Failed(why) => {
                self.notify(Message::LibraryFailed(why));
            }
        }
    }

    /// Puts the entry back onto the list whose removal this notice reported.
    pub(in crate::session) fn restore_entry(&mut self, notice: u64) {
        let Some(at) = self.library.removed.iter().position(|(id, _)| *id == notice) else { return };
        let (_, path) = self.library.removed.remove(at);
        self.library.selected = Some(path.clone());
        self.command(LibraryCommand::Restore(path));
    }

    /// The notices of the removals that can be undone.
    pub(in crate::session) fn removed_entries(&self) -> impl Iterator<Item = u64> {
        self.library.removed.iter().map(|(notice, _)| *notice)
    }

    /// Drops what a notice offered to put back.
    pub(in crate::session) fn forget_removed_entry(&mut self, notice: u64) {
        self.library.removed.retain(|(id, _)| *id != notice);
    }

    /// The model of an entry, if it can be opened: with the files of the library, or those that were named before, for
    /// the parts that it lacks.
    pub fn model_of(&self, entry: &Entry) -> Option<ModelSource> {
        if let Ok(model) = source_of(entry) {
            return Some(model);
        }
        if !entry.facts.kind.is_model() || entry.facts.problem.is_some() {
            return None;
        }
        let parts = self.known_parts(entry);
        let is_named = |role: Option<PartRole>| role.is_some_and(|role| parts.file(role).is_some());
        let is_whole = entry.missing.iter().all(|part| part.is_optional || is_named(part.role));
        is_whole.then(|| ModelSource::Parts(Box::new(parts)))
    }

    /// The file of a part that a model lacks: of the library, or one that was named before.
    pub fn file_of_part(&self, entry: &Entry, role: PartRole) -> Option<PathBuf> {
        self.known_parts(entry).file(role).cloned()
    }

    fn known_parts(&self, entry: &Entry) -> ModelParts {
        let mut parts = ModelParts { model: entry.path.clone(), ..ModelParts::default() };
        for part in &entry.missing {
            if let (Some(role), Some(file)) = (part.role, part.completed_by.first()) {
                parts.set_file(role, file.clone());
            }
        }
        match self.model.answers.all().iter().find(|named| named.model == entry.path) {
            Some(named) => parts.completed_by(named),
            None => parts,
        }
    }

    /// Whether the library's thread computes the hash of this entry; the share that is done.
    pub fn hashing(&self, entry: &Entry) -> Option<f32> {
        let progress = self.library.hashing.as_ref().filter(|progress| progress.path == entry.path)?;
        Some(progress.read as f32 / entry.bytes.max(1) as f32)
    }

    /// What is known of the memory that the model of an entry needs.
    pub fn forecast(&self, entry: &Entry) -> Forecast {
        let known = self.model_of(entry).and_then(|model| self.library.forecasts.get(&model).copied());
        known.unwrap_or(Forecast::Unknown)
    }

    fn command(&mut self, command: LibraryCommand) {
        self.outbox.effects.push(Effect::Library(command));
    }

    /// Selects the entry after this one, or before it at the end of the list.
    fn select_neighbour(&mut self, path: &Path) {
        let Some(place) = self.library.place() else { return };
        if self.library.selected.as_deref() == Some(path) {
            let neighbour = self.library.at(place + 1).or_else(|| self.library.at(place.checked_sub(1)?));
            self.library.selected = neighbour.map(|entry| entry.path.clone());
        }
    }

    /// Lists the entries again, as after a model was loaded.
    pub(in crate::session) fn list_models(&mut self) {
        let recent: Vec<&Path> = self.model.recent.iter().map(|known| known.folder.as_path()).collect();
        self.library.list(&recent);
    }
}
