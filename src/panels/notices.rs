//! Messages, over the window's lower right corner.

use egui::{Align2, RichText, Ui};

use super::{Text, theme};
use crate::session::{Action, Session, Severity};

/// Older messages wait behind the newest.
const MOST: usize = 3;

pub(super) fn notices_ui(ui: &Ui, session: &Session, text: &Text, actions: &mut Vec<Action>) {
    if session.notices.is_empty() {
        return;
    }
    let dark = ui.visuals().dark_mode;
    egui::Area::new(egui::Id::unique("notices"))
        .anchor(Align2::RIGHT_TOP, [-16.0, 56.0])
        .order(egui::Order::Foreground)
        .show(ui.ctx(), |ui| {
            for notice in session.notices.iter().rev().take(MOST) {
                egui::Frame::window(ui.style()).show(ui, |ui| {
                    ui.set_width(340.0);
                    let title = RichText::new(&notice.what).family(theme::strong());
                    let title = match notice.severity {
                        Severity::Error => title.color(theme::accent(dark)),
                        Severity::Info => title,
                    };
                    ui.label(title);
                    if !notice.why.is_empty() {
                        ui.label(RichText::new(&notice.why).color(theme::quiet(dark)));
                    }
                    if ui.small_button(text.dismiss).clicked() {
                        actions.push(Action::Dismiss(notice.id));
                    }
                });
            }
        });
}
