//! Language, theme, motion and notifications.

use egui::Ui;

use crate::panels::controls::tip;
use crate::panels::desk::{Desk, ThemeChoice};
use crate::panels::page_rows::{note, radios, row};
use crate::panels::text::Language;

pub(super) fn general_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = desk.text;
    row(ui, text.language_name, |ui| {
        let mut language = desk.language;
        let all = [(Language::English, "English"), (Language::Korean, "한국어")];
        radios(ui, text.language_name, text.language_hint, &mut language, &all);
        if language != desk.language {
            desk.speak(language);
        }
    });
    row(ui, text.theme, |ui| {
        let all = [
            (ThemeChoice::System, text.theme_system),
            (ThemeChoice::Light, text.theme_light),
            (ThemeChoice::Dark, text.theme_dark),
        ];
        radios(ui, text.theme, text.theme_hint, &mut desk.theme, &all);
    });
    row(ui, text.motion, |ui| {
        let hint = text.reduced_motion_hint;
        tip(ui.checkbox(&mut desk.reduced_motion, text.reduced_motion), hint, "");
        note(ui, hint);
    });
    row(ui, text.notifications, |ui| {
        tip(ui.checkbox(&mut desk.notify, text.notify), text.notify_hint, "");
        note(ui, text.notify_hint);
    });
}
