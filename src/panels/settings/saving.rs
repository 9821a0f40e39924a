//! Pictures that are saved as they are drawn, and what saved pictures contain.

use egui::{Label, Ui};

use crate::formats::metadata::GenerationFacts;
use crate::panels::controls::{field_tip, named, tip};
use crate::panels::desk::Desk;
use crate::panels::page_rows::{heading, note, path_label, radios, row};
use crate::request::Seed;
use crate::session::{AUTOSAVE_PATTERN, Action, AutosaveKind, FolderFor, autosave_name};

/// The placeholders of a pattern.
const PLACEHOLDERS: &str = "{date} {time} {seed} {model} {prompt} {prompt:40} {n}";
/// 2026-01-01, seconds since the Unix epoch.
const EXAMPLE_SECS: u64 = 1_767_225_600;

pub(super) fn saving_ui(ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    heading(ui, text.autosave);
    row(ui, text.autosave_what, |ui| {
        let all = [
            (AutosaveKind::Off, text.autosave_off),
            (AutosaveKind::Pictures, text.autosave_pictures),
            (AutosaveKind::PicturesAndLatents, text.autosave_both),
        ];
        radios(ui, text.autosave, text.autosave, &mut desk.autosave.kind, &all);
        note(ui, text.autosave_hint);
    });
    ui.add_enabled_ui(desk.autosave.kind != AutosaveKind::Off, |ui| {
        row(ui, text.autosave_folder, |ui| {
            let folder = desk.autosave.folder.as_ref().unwrap_or(&desk.pictures_folder);
            ui.horizontal(|ui| {
                let choose = ui.button(text.source_choose);
                named(&choose, format!("{}: {}", text.autosave_folder, text.source_choose));
                if tip(choose, text.autosave_folder_hint, "").clicked() {
                    actions.push(Action::ChooseFolder(FolderFor::Autosave));
                }
                let show = ui.button(text.show_in_folder);
                named(&show, format!("{}: {}", text.autosave_folder, text.show_in_folder));
                if tip(show, text.show_in_folder_hint, "").clicked() {
                    actions.push(Action::ShowInFolder(folder.clone()));
                }
            });
            path_label(ui, folder);
        });
        row(ui, text.pattern, |ui| {
            let field = egui::TextEdit::singleline(&mut desk.autosave.pattern).desired_width(f32::INFINITY);
            let field = ui.add(field.hint_text(AUTOSAVE_PATTERN));
            named(&field, text.pattern);
            field_tip(&field, text.pattern_hint);
            let example = GenerationFacts {
                prompt: Some(text.pattern_example.to_owned()),
                seed: Some(Seed(418)),
                model: Some("sd15".to_owned()),
                ..GenerationFacts::default()
            };
            let name = autosave_name(&desk.autosave.pattern, &example, EXAMPLE_SECS, 1);
            ui.add(Label::new(format!("→ {name}.png")).wrap());
            note(ui, PLACEHOLDERS);
        });
    });
    heading(ui, text.metadata_title);
    row(ui, text.metadata_what, |ui| {
        tip(ui.checkbox(&mut desk.save_metadata, text.metadata), text.metadata_hint, "");
        note(ui, text.metadata_hint);
    });
}
