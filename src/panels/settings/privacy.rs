//! What the program writes, and what it forgets on request.

use egui::{Label, Ui};

use crate::panels::Text;
use crate::panels::controls::tip;
use crate::panels::page_rows::{heading, note, row};
use crate::session::downloads::DownloadAction;
use crate::session::{Action, Session};

pub(super) fn privacy_ui(ui: &mut Ui, session: &Session, text: &Text, actions: &mut Vec<Action>) {
    for (name, words) in [
        (text.privacy_network, text.privacy_network_words),
        (text.privacy_written, text.privacy_written_words),
    ] {
        heading(ui, name);
        ui.add(Label::new(words).wrap());
        ui.add_space(8.0);
    }
    heading(ui, text.privacy_forget);
    for (name, button, hint, action) in [
        (text.forget_models_name, text.forget_models, text.forget_models_hint, Action::ForgetModels),
        (text.forget_prompts_name, text.forget_prompts, text.forget_prompts_hint, Action::ForgetPrompts),
    ] {
        row(ui, name, |ui| {
            if tip(ui.button(button), hint, "").clicked() {
                actions.push(action);
            }
            note(ui, hint);
        });
    }
    row(ui, text.forget_token_name, |ui| {
        let button = ui.add_enabled(session.downloads().has_token(), egui::Button::new(text.forget_token));
        if tip(button, text.forget_token_hint, "").clicked() {
            actions.push(Action::Downloads(DownloadAction::ForgetToken));
        }
    });
}
