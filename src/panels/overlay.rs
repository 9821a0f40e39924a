//! Windows within the window: the settings, past messages, the list of keys, and about the program.

use egui::{RichText, Ui};

use super::controls::{field_tip, named, quiet, tip};
use super::desk::{Desk, Overlay};
use super::{keys, messages, theme};
use crate::formats::metadata::GenerationFacts;
use crate::request::Seed;
use crate::session::{AUTOSAVE_PATTERN, Action, AutosaveKind, Session, autosave_name};

pub(super) fn overlay_ui(ui: &Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let Some(overlay) = desk.overlay else { return };
    let text = desk.text;
    let title = match overlay {
        Overlay::Settings => text.settings,
        Overlay::Messages => text.messages,
        Overlay::Shortcuts => text.shortcuts,
        Overlay::About => text.about,
    };
    let mut open = true;
    // The ellipsis belongs to the menu entry.
    egui::Window::new(title.trim_end_matches('…'))
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .open(&mut open)
        .show(ui.ctx(), |ui| match overlay {
            Overlay::Settings => settings_ui(ui, desk, actions),
            Overlay::Messages => messages::messages_ui(ui, session, desk),
            Overlay::Shortcuts => shortcuts_ui(ui, desk),
            Overlay::About => {
                ui.set_max_width(380.0);
                ui.label(RichText::new("Safelight").family(theme::strong()).size(20.0));
                ui.label(env!("CARGO_PKG_VERSION"));
                ui.label(text.about_words);
            }
        });
    if !open {
        desk.overlay = None;
    }
}

/// The list of keys, which scrolls in a low window.
fn shortcuts_ui(ui: &mut Ui, desk: &Desk) {
    let height = ui.ctx().content_rect().height() - 80.0;
    egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        egui::Grid::new("shortcuts").num_columns(2).spacing([20.0, 4.0]).show(ui, |ui| {
            for (keys, what) in keys::all(desk.language) {
                ui.label(RichText::new(keys).family(theme::strong()));
                ui.label(what);
                ui.end_row();
            }
        });
    });
}

/// Saving pictures as they are drawn, and what saved pictures contain.
fn settings_ui(ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.set_width(420.0);
    ui.label(RichText::new(text.autosave).family(theme::strong()));
    quiet(ui, text.autosave_hint);
    for (kind, name) in [
        (AutosaveKind::Off, text.autosave_off),
        (AutosaveKind::Pictures, text.autosave_pictures),
        (AutosaveKind::PicturesAndLatents, text.autosave_both),
    ] {
        tip(ui.radio_value(&mut desk.autosave.kind, kind, name), text.autosave, "");
    }
    ui.add_enabled_ui(desk.autosave.kind != AutosaveKind::Off, |ui| {
        ui.horizontal(|ui| {
            if tip(ui.button(text.folder_choose), text.autosave_folder_hint, "").clicked() {
                actions.push(Action::ChooseAutosaveFolder);
            }
            let folder = desk.autosave.folder.as_ref().unwrap_or(&desk.pictures_folder).display().to_string();
            ui.add(egui::Label::new(RichText::new(&folder).small()).truncate()).on_hover_text(&folder);
        });
        let label = ui.label(text.pattern);
        let field = egui::TextEdit::singleline(&mut desk.autosave.pattern).desired_width(f32::INFINITY);
        let field = ui.add(field.hint_text(AUTOSAVE_PATTERN)).labelled_by(label.id);
        named(&field, text.pattern);
        field_tip(&field, "{date} {time} {seed} {model} {prompt} {prompt:40} {n}");
        let example = GenerationFacts {
            prompt: Some(text.pattern_example.to_owned()),
            seed: Some(Seed(418)),
            model: Some("sd15".to_owned()),
            ..GenerationFacts::default()
        };
        let name = autosave_name(&desk.autosave.pattern, &example, 1_767_225_600, 1);
        quiet(ui, format!("{name}.png"));
    });
    ui.separator();
    ui.label(RichText::new(text.metadata_title).family(theme::strong()));
    tip(ui.checkbox(&mut desk.save_metadata, text.metadata), text.metadata_hint, "");
}
