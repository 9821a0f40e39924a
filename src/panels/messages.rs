//! The list of past messages, which can be read and copied after the toasts have gone.

use std::time::Duration;

use egui::{RichText, Ui, Vec2};

use super::controls::{Icon, quiet, tip};
use super::desk::Desk;
use super::words::message_words;
use super::{Text, theme};
use crate::session::{PastMessage, Session, Severity};

const WIDTH: f32 = 480.0;

pub(super) fn messages_ui(ui: &mut Ui, session: &Session, desk: &Desk) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    ui.set_width(WIDTH.min(ui.ctx().content_rect().width() - 80.0));
    if session.past_messages().next().is_none() {
        quiet(ui, text.no_messages);
        return;
    }
    let height = (ui.ctx().content_rect().height() - 160.0).min(420.0);
    egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 4.0;
        for (place, past) in session.past_messages().enumerate() {
            if place > 0 {
                ui.separator();
            }
            message_ui(ui, past, desk, dark);
        }
    });
    // Keeps the times up to date while the list is open.
    ui.ctx().request_repaint_after(Duration::from_secs(30));
    ui.add_space(4.0);
    if tip(ui.button(text.copy_messages), text.copy_messages_hint, "").clicked() {
        let all: Vec<String> = session.past_messages().map(|past| as_text(past, desk)).collect();
        ui.ctx().copy_text(all.join("\n\n"));
    }
}

fn message_ui(ui: &mut Ui, past: &PastMessage, desk: &Desk, dark: bool) {
    let [what, why] = message_words(&past.message, desk.language);
    ui.horizontal_top(|ui| {
        let (icon, colour) = if past.message.severity() == Severity::Error {
            (Icon::Warning, theme::warning(dark))
        } else {
            (Icon::Check, theme::quiet(dark))
        };
        let (place, _) = ui.allocate_exact_size(Vec2::new(16.0, 28.0), egui::Sense::hover());
        icon.paint(ui.painter(), egui::Rect::from_center_size(place.center(), Vec2::splat(14.0)), colour);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(what).family(theme::strong()));
                quiet(ui, ago(past.at.elapsed(), desk.text));
            });
            if !why.is_empty() {
                ui.add(egui::Label::new(RichText::new(why).color(theme::quiet(dark))).wrap());
            }
        });
    });
}

fn as_text(past: &PastMessage, desk: &Desk) -> String {
    let [what, why] = message_words(&past.message, desk.language);
    format!("{what} ({})\n{why}", ago(past.at.elapsed(), desk.text)).trim_end().to_owned()
}

/// A time in the past, such as "3 min ago".
fn ago(since: Duration, text: &Text) -> String {
    match since.as_secs() / 60 {
        0 => text.just_now.to_owned(),
        minutes @ 1..60 => text.minutes_ago.replace("{}", &minutes.to_string()),
        minutes => text.hours_ago.replace("{}", &(minutes / 60).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panels::Language;

    #[test]
    fn times_are_told_in_both_languages() {
        let said = |secs, language| ago(Duration::from_secs(secs), Text::of(language));
        let all = [0, 59, 60, 3599, 3600, 86_400];
        assert_eq!(
            all.map(|secs| said(secs, Language::English)),
            ["just now", "just now", "1 min ago", "59 min ago", "1 h ago", "24 h ago"]
        );
        assert_eq!(all.map(|secs| said(secs, Language::Korean))[2..5], ["1분 전", "59분 전", "1시간 전"]);
    }
}
