//! File dialogs: where they open, and what happens with the paths that were chosen.

use std::path::{Path, PathBuf};

use super::Window;
use crate::app::background::Finished;
use crate::app::dialogs::{Answer, Purpose};
use crate::app::files;
use crate::app::grid_files::write_grid;
use crate::app::saving::{Chooser, Replacing, reel_path, targets, was_shown, would_replace};
use crate::catalog::ModelSource;
use crate::session::library::LibraryAction;
use crate::session::{Action, FolderFor, Message, ReelAction};
use crate::store::history::History;

impl Window {
    /// Opens a file dialog.
    pub(super) fn ask(&mut self, purpose: Purpose, name: &str) {
        let folder = self.folder_of(&purpose);
        self.dialogs.ask(purpose, folder, name, self.desk.text);
    }

    /// Where the dialog for a purpose opens: in the folder of the settings, or where files were last saved or opened.
    fn folder_of(&self, purpose: &Purpose) -> Option<PathBuf> {
        match purpose {
            Purpose::Folder(FolderFor::Autosave) => self.desk.autosave.folder.clone(),
            _ => None,
        }
        .or_else(|| self.desk.dialog_folder.clone())
        .or_else(|| self.settings.folder(purpose.saves()).map(Path::to_owned))
        .or_else(files::home)
    }

    /// Handles the answer of a dialog; without a program for dialogs the path is typed.
    pub(super) fn answered(&mut self, answer: Answer) {
        if was_shown(&answer) {
            self.paths_chosen(answer.purpose, answer.paths, Chooser::Dialog);
        } else {
            let folder = self.folder_of(&answer.purpose).unwrap_or_default();
            let path = folder.join(answer.name).display().to_string();
            self.questions.typed_path = Some((answer.purpose, path));
        }
    }

    /// Opens or writes the chosen paths, after a confirmation if files would be overwritten.
    pub(super) fn paths_chosen(&mut self, purpose: Purpose, paths: Vec<PathBuf>, by: Chooser) {
        let Some(chosen) = paths.first().cloned() else { return };
        match would_replace(&targets(&purpose, &chosen), &chosen, by) {
            Err(why) => {
                self.session.notify(Message::NotSaved(why));
            }
            Ok(replaced) if replaced.is_empty() => self.carry_out_choice(purpose, paths),
            Ok(replaced) => self.questions.replacing = Some(Replacing { purpose, chosen, replaced, by }),
        }
    }

    /// Opens or writes the chosen paths.
    pub(super) fn carry_out_choice(&mut self, purpose: Purpose, paths: Vec<PathBuf>) {
        let Some(path) = paths.first().cloned() else { return };
        let is_folder = matches!(purpose, Purpose::SaveAll | Purpose::Folder(_));
        let folder = if is_folder { Some(path.as_path()) } else { path.parent() };
        self.settings.remember_folder(purpose.saves(), folder);
        match purpose {
            Purpose::Open => self.session.apply(Action::OpenPaths(paths)),
            Purpose::OpenSource => self.open_source(path),
            Purpose::Folder(FolderFor::Autosave) => self.desk.autosave.folder = Some(path),
            Purpose::Folder(FolderFor::Dialogs) => self.desk.dialog_folder = Some(path),
            Purpose::Folder(FolderFor::Library) => {
                self.session.apply(Action::Library(LibraryAction::AddFolder(path)));
            }
            Purpose::Part => self.session.apply(Action::NamePart(path)),
            Purpose::OpenModel => self.session.apply(Action::SetModel(ModelSource::Folder(path))),
            Purpose::Reel(work) => {
                let path = reel_path(&path, work.options.kind);
                self.session.apply(Action::Reel(ReelAction::Make(work, path)));
            }
            Purpose::Grid(export) => {
                let (metadata, root) = (self.desk.save_metadata, self.runs_root.clone());
                self.background.begin_writing(move || {
                    let history = root.map(History::open);
                    let written = write_grid(&path, &export, metadata, history.as_ref());
                    Finished::Written { document: None, written }
                });
            }
            Purpose::Export(export) => {
                let metadata = self.desk.save_metadata;
                let document = export.saves.then_some(export.of);
                self.background.begin_writing(move || {
                    let written = files::write(&path, &export, metadata);
                    Finished::Written { document, written }
                });
            }
            Purpose::SaveAll => {
                let (metadata, unsaved) = (self.desk.save_metadata, self.session.exports_of_unsaved());
                self.questions.save_begins(unsaved.len());
                self.background
                    .begin_writing(move || Finished::AllWritten(files::save_all(&path, &unsaved, metadata)));
            }
        }
    }
}
