//! Shown on the empty easel: what the program is for, and examples to begin with.

use egui::{Rect, RichText, Ui, Vec2};

use crate::panels::controls::tip;
use crate::panels::desk::Desk;
use crate::panels::theme;
use crate::session::{Action, ModelState, Session, builtin_vocabulary};

pub(super) fn welcome_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    easel: Rect,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let dark = ui.visuals().dark_mode;
    let width = (easel.width() - 40.0).min(480.0);
    let height = (easel.height() - 16.0).min(288.0);
    let column = Rect::from_center_size(easel.center(), Vec2::new(width, height));
    let layout = egui::Layout::top_down(egui::Align::Center);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(column).layout(layout));
    ui.label(RichText::new(text.welcome).family(theme::strong()).size(24.0));
    if let ModelState::Failed(why) = session.model_state() {
        ui.label(RichText::new(why).color(theme::quiet(dark)));
        ui.label(RichText::new(text.welcome_failed).color(theme::quiet(dark)));
        return;
    }
    let hint = if session.is_builtin() { text.welcome_examples } else { text.welcome_hint };
    ui.label(RichText::new(hint).color(theme::quiet(dark)));
    ui.add_space(10.0);
    if !session.is_builtin() {
        return;
    }
    for example in builtin_vocabulary().examples.iter().take(4) {
        let button = egui::Button::new(example).min_size(Vec2::new(width, 34.0)).truncate();
        let button = ui.add_enabled(session.takes_jobs(), button);
        if tip(button, text.example_hint, "").clicked() {
            let mut draft = session.draft().clone();
            draft.prompt.clone_from(example);
            actions.push(Action::Edit(Box::new(draft)));
            actions.push(Action::Generate);
        }
    }
}
