//! The settings page: a list of sections, and the settings of the chosen one.

mod drawing;
mod folders;
mod general;
mod keeping;
mod privacy;
mod saving;

use egui::{Align, Button, Layout, Rect, Ui, UiBuilder, Vec2};

use super::controls::tip;
use super::desk::{Desk, SettingsSection};
use super::{Text, theme};
use crate::session::{Action, Session};

/// Greatest width and height of the page, points.
const SIZE: Vec2 = Vec2::new(720.0, 420.0);
/// What the window around it takes, and the least distance to the edges of the program's window, points.
const AROUND: Vec2 = Vec2::new(80.0, 120.0);
/// Width of the list of sections, and its distance to the settings, points.
const SECTIONS: f32 = 148.0;
const GAP: f32 = 20.0;

pub(super) fn settings_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let room = (ui.ctx().content_rect().size() - AROUND).min(SIZE);
    let (page, _) = ui.allocate_exact_size(room, egui::Sense::hover());
    let list = Rect::from_min_size(page.min, Vec2::new(SECTIONS, page.height()));
    let layout = Layout::top_down_justified(Align::Min);
    sections_ui(&mut ui.new_child(UiBuilder::new().id_salt("sections").max_rect(list).layout(layout)), desk);
    let seam = egui::Stroke::new(1.0, theme::seam(ui.visuals().dark_mode));
    ui.painter().vline(list.right() + GAP / 2.0, page.y_range(), seam);
    let rest = Rect::from_min_max(list.right_top() + Vec2::new(GAP, 0.0), page.max);
    let mut ui = ui.new_child(UiBuilder::new().id_salt("settings").max_rect(rest));
    let section = desk.settings.section;
    egui::ScrollArea::vertical().id_salt(section).auto_shrink(false).show(&mut ui, |ui| {
        // The scroll bar does not cover the controls.
        ui.set_width(ui.available_width() - 12.0);
        match section {
            SettingsSection::General => general::general_ui(ui, desk),
            SettingsSection::Keeping => keeping::keeping_ui(ui, desk, actions),
            SettingsSection::Saving => saving::saving_ui(ui, desk, actions),
            SettingsSection::Folders => folders::folders_ui(ui, desk, actions),
            SettingsSection::Drawing => drawing::drawing_ui(ui, session, desk, actions),
            SettingsSection::Privacy => privacy::privacy_ui(ui, session, desk.text, actions),
        }
    });
}

/// Ends the editing of a figure that the page was closed over.
pub(super) fn close(desk: &mut Desk, actions: &mut Vec<Action>) {
    desk.settings.is_open = false;
    actions.extend(desk.settings.engine.take().map(Action::SetEngine));
}

fn sections_ui(ui: &mut Ui, desk: &mut Desk) {
    ui.spacing_mut().item_spacing.y = 2.0;
    let chosen = desk.settings.section;
    for (section, name, hint) in sections(desk.text) {
        let is_chosen = section == chosen;
        let response = section_ui(ui, is_chosen, name);
        // The keys begin at the chosen section.
        if is_chosen && !desk.settings.is_open && !ui.is_sizing_pass() {
            response.request_focus();
        }
        if tip(response, hint, "").clicked() {
            desk.settings.section = section;
        }
    }
    desk.settings.is_open = !ui.is_sizing_pass();
}

/// A section's name; the chosen one has a lighter ground and a line of the accent colour before it.
fn section_ui(ui: &mut Ui, is_chosen: bool, name: &str) -> egui::Response {
    let dark = ui.visuals().dark_mode;
    let response = ui
        .scope(|ui| {
            let visuals = ui.visuals_mut();
            visuals.widgets.inactive.bg_stroke = egui::Stroke::NONE;
            visuals.widgets.inactive.weak_bg_fill = egui::Color32::TRANSPARENT;
            visuals.selection.bg_fill = theme::raised(dark);
            visuals.selection.stroke.color = visuals.widgets.inactive.fg_stroke.color;
            ui.spacing_mut().button_padding = egui::vec2(12.0, 5.0);
            ui.add(Button::selectable(is_chosen, name).min_size(Vec2::new(0.0, 32.0)))
        })
        .inner;
    if is_chosen {
        let line = Rect::from_min_max(response.rect.min, response.rect.left_bottom() + Vec2::new(2.0, 0.0));
        ui.painter().rect_filled(line.shrink2(Vec2::new(0.0, 6.0)), 1.0, theme::accent(dark));
    }
    response
}

/// The sections with their names, and what each is about.
fn sections(text: &Text) -> [(SettingsSection, &'static str, &'static str); 6] {
    [
        (SettingsSection::General, text.settings_general, text.settings_general_hint),
        (SettingsSection::Keeping, text.settings_keeping, text.settings_keeping_hint),
        (SettingsSection::Saving, text.settings_saving, text.settings_saving_hint),
        (SettingsSection::Folders, text.settings_folders, text.settings_folders_hint),
        (SettingsSection::Drawing, text.settings_drawing, text.settings_drawing_hint),
        (SettingsSection::Privacy, text.settings_privacy, text.settings_privacy_hint),
    ]
}
