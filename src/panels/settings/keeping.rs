//! The pictures that are kept in the gallery, and the room they may take.

use egui::Ui;

use crate::panels::controls::{field_tip, named, tip};
use crate::panels::desk::Desk;
use crate::panels::page_rows::{note, place, radios, row};
use crate::session::Action;

/// The limit that a user begins with, GiB.
const DEFAULT_LIMIT_GIB: u64 = 20;

pub(super) fn keeping_ui(ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    row(ui, text.keeping_what, |ui| {
        tip(ui.checkbox(&mut desk.keep_runs, text.keep_runs), text.keep_runs_hint, "");
        note(ui, text.keep_runs_hint);
    });
    ui.add_enabled_ui(desk.keep_runs, |ui| {
        row(ui, text.find_by_meaning, |ui| {
            tip(ui.checkbox(&mut desk.place_runs, text.place_runs), text.place_runs_hint, "");
            note(ui, text.place_runs_hint);
        });
        limit_ui(ui, desk);
    });
    if let Some(folder) = &desk.surroundings.runs {
        row(ui, text.kept_runs, |ui| place(ui, text.kept_runs, folder, text, actions));
    }
}

/// The room that kept runs may take.
fn limit_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = desk.text;
    row(ui, text.runs_limit, |ui| {
        let mut is_limited = desk.runs_limit_gib.is_some();
        let all = [(false, text.runs_unlimited), (true, text.runs_limited)];
        radios(ui, text.runs_limit, text.runs_limit_hint, &mut is_limited, &all);
        if is_limited != desk.runs_limit_gib.is_some() {
            desk.runs_limit_gib = is_limited.then_some(DEFAULT_LIMIT_GIB);
        }
        if let Some(limit) = &mut desk.runs_limit_gib {
            let field = ui.add(egui::DragValue::new(limit).range(1..=10_000).suffix(" GiB"));
            named(&field, text.runs_limit);
            field_tip(&field, text.runs_limit_hint);
        }
        note(ui, text.runs_limit_hint);
    });
}
