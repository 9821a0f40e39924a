//! The gallery's search by what is in the pictures.

use egui::{Key, Ui};

use crate::panels::controls::{field_tip, named, quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::library::{filled, show_catalogue};
use crate::session::history::RunId;
use crate::session::{Action, Like, MeaningAction, Session};

/// The field for words, and the button that searches.
pub(super) fn field_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let words = &mut desk.runs.meaning_words;
    let field = egui::TextEdit::singleline(words).hint_text(text.meaning_field).desired_width(280.0);
    let field = ui.add_enabled(session.search_weights().is_some(), field);
    named(&field, text.meaning_field);
    field_tip(&field, text.meaning_prompt);
    desk.runs.search_field = Some(field.id);
    let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if session.meaning().is_searching() {
        if tip(ui.button(text.stop), text.stop, "").clicked() {
            actions.push(Action::Meaning(MeaningAction::StopSearch));
        }
        return;
    }
    let has_words = !desk.runs.meaning_words.trim().is_empty();
    let may = has_words && session.search_weights().is_some();
    let button = ui.add_enabled(may, egui::Button::new(text.meaning_search));
    if may && (tip(button, text.meaning_prompt, "Enter").clicked() || is_entered) {
        let words = desk.runs.meaning_words.trim().to_owned();
        actions.push(Action::Meaning(MeaningAction::Find(Like::Words(words))));
    }
}

/// What was found, or what is needed first, in one line.
pub(super) fn state_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let (text, meaning) = (desk.text, session.meaning());
    if session.search_weights().is_none() {
        if tip(ui.button(text.get_model), text.models_get_hint, "").clicked() {
            show_catalogue(desk);
        }
        return;
    }
    if meaning.is_searching() {
        ui.spinner();
        quiet(ui, text.meaning_searching);
        return;
    }
    let Some(found) = meaning.found() else { return };
    let mut words = filled(text.meaning_found, &[&desk.runs.listed.len().to_string()]);
    if !matches!(found.like, Like::Words(_)) {
        words = format!("{} · {words}", text.meaning_like_picture);
    }
    if found.runs.without_place > 0 {
        let unplaced = filled(text.meaning_unplaced, &[&found.runs.without_place.to_string()]);
        words = format!("{words} · {unplaced}");
    }
    quiet(ui, words);
}

/// Why nothing is listed in this mode.
pub(super) fn nothing_words(session: &Session, desk: &Desk) -> &'static str {
    let (text, meaning) = (desk.text, session.meaning());
    match meaning.found() {
        _ if session.search_weights().is_none() => text.meaning_needs_model,
        _ if meaning.is_searching() => text.meaning_searching,
        None => text.meaning_prompt,
        Some(found) if found.runs.runs.is_empty() && found.runs.without_place > 0 => text.meaning_none,
        Some(_) => text.no_run_found,
    }
}

/// Finds pictures like that of a run.
pub(super) fn more_like(desk: &mut Desk, run: &RunId, actions: &mut Vec<Action>) {
    desk.runs.by_meaning = true;
    actions.push(Action::Meaning(MeaningAction::Find(Like::Run(run.clone()))));
}
