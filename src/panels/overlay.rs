//! What lies over the window until it is closed: the list of keys, and what this program is.

use egui::{RichText, Ui};

use super::desk::{Desk, Overlay};
use super::{keys, theme};

pub(super) fn overlay_ui(ui: &Ui, desk: &mut Desk) {
    let Some(overlay) = desk.overlay else { return };
    let text = desk.text;
    let title = match overlay {
        Overlay::Shortcuts => text.shortcuts,
        Overlay::About => text.about,
    };
    let mut open = true;
    egui::Window::new(title)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .open(&mut open)
        .show(ui.ctx(), |ui| match overlay {
            Overlay::Shortcuts => {
                egui::Grid::new("shortcuts").num_columns(2).spacing([20.0, 4.0]).show(ui, |ui| {
                    for (keys, what) in keys::all(desk.language) {
                        ui.label(RichText::new(keys).family(theme::strong()));
                        ui.label(what);
                        ui.end_row();
                    }
                });
            }
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
