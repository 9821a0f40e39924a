//! Windows within the window: the settings, the models, saving an animation, past messages, the list of keys, and about the program.

use egui::{RichText, Ui};

use super::desk::{Desk, Overlay};
use super::{keys, library, messages, reel, settings, theme};
use crate::session::{Action, Session};

pub(super) fn overlay_ui(ui: &Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    if desk.overlay != Some(Overlay::Settings) {
        settings::close(desk, actions);
    }
    if desk.overlay != Some(Overlay::Models) {
        library::close(desk);
    }
    if desk.overlay != Some(Overlay::Reel) {
        reel::close(desk);
    }
    let Some(overlay) = desk.overlay else { return };
    let text = desk.text;
    let title = match overlay {
        Overlay::Settings => text.settings,
        Overlay::Models => text.models,
        Overlay::Messages => text.messages,
        Overlay::Reel => text.save_reel,
        Overlay::Shortcuts => text.shortcuts,
        Overlay::About => text.about,
    };
    let mut open = true;
    // The ellipsis belongs to the menu entry.
    egui::Window::new(title.trim_end_matches('…'))
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .open(&mut open)
        .show(ui.ctx(), |ui| match overlay {
            Overlay::Settings => settings::settings_ui(ui, session, desk, actions),
            Overlay::Models => library::library_ui(ui, session, desk, actions),
            Overlay::Messages => messages::messages_ui(ui, session, desk),
            Overlay::Reel => reel::reel_ui(ui, session, desk, actions),
            Overlay::Shortcuts => shortcuts_ui(ui, desk),
            Overlay::About => {
                ui.set_max_width(380.0);
                ui.label(RichText::new("Safelight").family(theme::strong()).size(20.0));
                ui.label(env!("CARGO_PKG_VERSION"));
                ui.label(text.about_words);
            }
        });
    if !open {
        desk.overlay = None;
    }
}

/// The list of keys, which scrolls in a low window.
fn shortcuts_ui(ui: &mut Ui, desk: &Desk) {
    let height = ui.ctx().content_rect().height() - 80.0;
    egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 20.0;
        let all = keys::all(desk.language).collect::<Vec<_>>();
        ui.horizontal_top(|ui| {
            for (side, keys) in all.chunks(all.len().div_ceil(2)).enumerate() {
                egui::Grid::new(("shortcuts", side)).num_columns(2).spacing([20.0, 4.0]).show(ui, |ui| {
                    for (keys, what) in keys {
                        ui.label(RichText::new(*keys).family(theme::strong()));
                        ui.label(*what);
                        ui.end_row();
                    }
                });
                ui.add_space(24.0);
            }
        });
    });
}
