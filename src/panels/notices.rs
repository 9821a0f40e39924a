//! Messages, over the window's upper right corner.

use egui::{Align2, RichText, Ui};

use super::words::message_words;
use super::{Desk, theme};
use crate::session::{Action, Session, Severity};

/// Older messages wait behind the newest.
const MOST: usize = 3;

pub(super) fn notices_ui(ui: &Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    if session.notices().is_empty() {
        return;
    }
    let dark = ui.visuals().dark_mode;
    egui::Area::new(egui::Id::unique("notices"))
        .anchor(Align2::RIGHT_TOP, [-16.0, 100.0])
        .order(egui::Order::Foreground)
        .show(ui.ctx(), |ui| {
            for notice in session.notices().iter().rev().take(MOST) {
                egui::Frame::window(ui.style()).show(ui, |ui| {
                    ui.set_width(340.0);
                    let [what, why] = message_words(&notice.message, desk.language);
                    let title = RichText::new(what).family(theme::strong());
                    let title = match notice.message.severity() {
                        Severity::Error => title.color(theme::accent(dark)),
                        Severity::Info => title,
                    };
                    ui.label(title);
                    if !why.is_empty() {
                        ui.label(RichText::new(why).color(theme::quiet(dark)));
                    }
                    ui.horizontal(|ui| {
                        if session.can_come_back(notice.id) && ui.small_button(desk.text.undo).clicked() {
                            actions.push(Action::UndoRemove(notice.id));
                        }
                        if ui.small_button(desk.text.dismiss).clicked() {
                            actions.push(Action::Dismiss(notice.id));
                        }
                    });
                });
            }
        });
}
