//! The rows of pages over the easel: of the settings, and of a model's card.

use std::path::Path;

use egui::{Align, Label, Layout, RichText, Ui, Vec2};

use crate::panels::controls::{named, tip};
use crate::panels::{Text, theme};
use crate::session::Action;

/// Width of the labels, points.
const LABEL: f32 = 116.0;

/// The title of a group of rows.
pub(super) fn heading(ui: &mut Ui, name: &str) {
    ui.label(RichText::new(name).family(theme::strong()));
}

/// A [`tight_row`] with some room below it.
pub(super) fn row(ui: &mut Ui, name: &str, controls: impl FnOnce(&mut Ui)) {
    tight_row(ui, name, controls);
    ui.add_space(8.0);
}

/// A row: a label, and the controls that it is about, one below the other.
pub(super) fn tight_row(ui: &mut Ui, name: &str, controls: impl FnOnce(&mut Ui)) {
    ui.horizontal_top(|ui| {
        let height = ui.spacing().interact_size.y;
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(Vec2::new(LABEL, height), layout, |ui| {
            ui.set_min_size(Vec2::new(LABEL, height));
            ui.add(Label::new(RichText::new(name).color(theme::quiet(ui.visuals().dark_mode))).wrap());
        });
        ui.vertical(|ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 4.0;
            controls(ui);
        });
    });
}

/// What a setting means, in small letters.
pub(super) fn note(ui: &mut Ui, words: impl Into<String>) {
    let words = RichText::new(words).small().color(theme::quiet(ui.visuals().dark_mode));
    ui.add(Label::new(words).wrap());
}

/// Choices side by side. `name`: of the setting.
pub(super) fn radios<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    hint: &str,
    value: &mut T,
    all: &[(T, &str)],
) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 14.0;
        for (choice, words) in all {
            let response = ui.radio_value(value, *choice, *words);
            named(&response, format!("{name}: {words}"));
            tip(response, hint, "");
        }
    });
}

/// A path that leaves the rest of the line, with a button that shows it in the system's file manager.
pub(super) fn place(ui: &mut Ui, name: &str, path: &Path, text: &Text, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let button = ui.button(text.show_in_folder);
        named(&button, format!("{name}: {}", text.show_in_folder));
        if tip(button, text.show_in_folder_hint, "").clicked() {
            actions.push(Action::ShowInFolder(path.to_owned()));
        }
        path_label(ui, path);
    });
}

/// A path in the rest of the line.
pub(super) fn path_label(ui: &mut Ui, path: &Path) {
    let path = path.display().to_string();
    ui.add(Label::new(RichText::new(&path).small()).truncate()).on_hover_text(path);
}
