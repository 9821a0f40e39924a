//! What to do where the hub wants an account: the page to accept, and the field for a token.

use egui::Ui;

use super::Desk;
use crate::panels::controls::{field_tip, named, quiet, tip};
use crate::reason::{Reason, ReasonKind};
use crate::session::Action;
use crate::session::downloads::{DownloadAction, Token};

/// Where tokens are made.
const TOKENS: &str = "https://huggingface.co/settings/tokens";

/// Nothing, unless a failure says that the hub wants an account.
pub(super) fn gate_ui(ui: &mut Ui, desk: &mut Desk, why: &Reason, actions: &mut Vec<Action>) {
    let page = match why.kind() {
        ReasonKind::HubGated | ReasonKind::HubHidden => why.details().get(1).cloned(),
        ReasonKind::HubBadToken => None,
        _ => return,
    };
    let text = desk.text;
    ui.horizontal_wrapped(|ui| {
        if let Some(page) = page
            && tip(ui.button(text.open_gate), &page, "").clicked()
        {
            actions.push(Action::OpenPage(page));
        }
        if tip(ui.button(text.token_new), TOKENS, "").clicked() {
            actions.push(Action::OpenPage(TOKENS.to_owned()));
        }
    });
    let label = quiet(ui, text.token);
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 120.0).clamp(80.0, 260.0);
        let field = egui::TextEdit::singleline(&mut desk.models.token.0).password(true).desired_width(width);
        let field = ui.add(field).labelled_by(label.id);
        named(&field, text.token);
        field_tip(&field, text.token_hint);
        let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let token = Token::new(&desk.models.token.0);
        let button = ui.add_enabled(token.is_some(), egui::Button::new(text.token_use));
        let is_used = tip(button, text.token_use_hint, "Enter").clicked() || entered;
        if let Some(token) = token.filter(|_| is_used) {
            // It is not kept here for longer than it takes to type it, and neither is what an undo would bring back.
            desk.models.token.0.clear();
            egui::TextEdit::store_state(
                ui.ctx(),
                field.id,
                egui::widgets::text_edit::TextEditState::default(),
            );
            actions.push(Action::Downloads(DownloadAction::UseToken(token)));
        }
    });
}
