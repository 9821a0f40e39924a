//! The folders of the library: those that are searched, and those of other programs that can be added.

use egui::{Label, RichText, Ui};

use super::Desk;
use crate::panels::controls::{named, scroll_to_focus, tip};
use crate::panels::page_rows::{heading, note, path_label};
use crate::panels::reasons::reason_words;
use crate::panels::{Text, theme};
use crate::session::library::{FolderOwner, LibraryAction, LibraryFolder, ModelLibrary};
use crate::session::{Action, FolderFor};

/// Notes that are shown at most.
const MOST_NOTES: usize = 30;

pub(super) fn folders_ui(ui: &mut Ui, library: &ModelLibrary, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let snapshot = library.snapshot();
    egui::ScrollArea::vertical().id_salt("folders").auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width() - 12.0);
        ui.spacing_mut().item_spacing.y = 6.0;
        ui.add_space(6.0);
        if !snapshot.offered.is_empty() {
            heading(ui, text.folders_offered);
            note(ui, text.folders_offered_hint);
            for folder in &snapshot.offered {
                folder_ui(ui, folder, text, Some((text.folder_add, text.folder_add_hint)), || {
                    actions.push(Action::Library(LibraryAction::AddFolder(folder.path.clone())));
                });
            }
            ui.add_space(10.0);
        }
        heading(ui, text.folders_searched);
        for folder in &snapshot.folders {
            let drop =
                (folder.owner != FolderOwner::Own).then_some((text.folder_drop, text.folder_drop_hint));
            folder_ui(ui, folder, text, drop, || {
                actions.push(Action::Library(LibraryAction::DropFolder(folder.path.clone())));
            });
        }
        ui.add_space(4.0);
        if tip(ui.button(text.folder_choose), text.folder_choose_hint, "").clicked() {
            actions.push(Action::ChooseFolder(FolderFor::Library));
        }
        if !snapshot.notes.is_empty() {
            ui.add_space(10.0);
            heading(ui, text.library_notes);
            for passed in snapshot.notes.iter().take(MOST_NOTES) {
                let why = reason_words(&passed.why, desk.language);
                let words = RichText::new(format!("{why}: {}", passed.path.display())).small();
                ui.add(Label::new(words.color(theme::quiet(ui.visuals().dark_mode))).wrap());
            }
            if snapshot.notes.len() > MOST_NOTES {
                note(ui, "…");
            }
        }
        scroll_to_focus(ui);
    });
}

/// A folder: whose it is over its path, with a button at the right.
fn folder_ui(
    ui: &mut Ui,
    folder: &LibraryFolder,
    text: &Text,
    button: Option<(&str, &str)>,
    mut act: impl FnMut(),
) {
    let owner = match folder.owner {
        FolderOwner::Own => text.folder_own,
        FolderOwner::Plain => text.folder_plain,
        FolderOwner::Automatic1111 => "AUTOMATIC1111 · Forge",
        owner => owner.name(),
    };
    ui.horizontal(|ui| {
        let width = ui.available_width() - 76.0;
        ui.vertical(|ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.label(owner);
            path_label(ui, &folder.path);
        });
        if let Some((words, hint)) = button {
            let response = ui.button(words);
            named(&response, format!("{words}: {}", folder.path.display()));
            if tip(response, hint, "").clicked() {
                act();
            }
        }
    });
}
