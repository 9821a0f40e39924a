//! Where file dialogs start, and where the program keeps its own files.

use egui::Ui;

use crate::panels::controls::{named, tip};
use crate::panels::desk::Desk;
use crate::panels::page_rows::{heading, note, path_label, place, radios, row};
use crate::session::{Action, FolderFor};

pub(super) fn folders_ui(ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    row(ui, text.dialogs, |ui| {
        let mut is_fixed = desk.dialog_folder.is_some();
        let all = [(false, text.dialogs_last), (true, text.dialogs_fixed)];
        radios(ui, text.dialogs, text.dialogs_hint, &mut is_fixed, &all);
        if is_fixed != desk.dialog_folder.is_some() {
            // A folder to begin with: that of all pictures.
            let pictures = desk.pictures_folder.parent().unwrap_or(&desk.pictures_folder).to_owned();
            desk.dialog_folder = is_fixed.then_some(pictures);
        }
        if let Some(folder) = &desk.dialog_folder {
            ui.horizontal(|ui| {
                let choose = ui.button(text.source_choose);
                named(&choose, format!("{}: {}", text.dialogs, text.source_choose));
                if tip(choose, text.dialogs_hint, "").clicked() {
                    actions.push(Action::ChooseFolder(FolderFor::Dialogs));
                }
                path_label(ui, folder);
            });
        }
    });
    heading(ui, text.kept_files);
    let places = &desk.surroundings;
    for (name, path) in [
        (text.kept_settings, &places.settings_file),
        (text.kept_unsaved, &places.unsaved),
        (text.kept_fits, &places.fits),
    ] {
        row(ui, name, |ui| match path {
            Some(path) => place(ui, name, path, text, actions),
            None => note(ui, text.kept_nowhere),
        });
    }
}
