//! Mixing in a second latent: that of any other document of the same shape.

use egui::Ui;

use super::heading;
use crate::latent::{Blend, BlendMode, Latent};
use crate::panels::controls::{named, opens, rails, tip};
use crate::panels::desk::Desk;
use crate::panels::words::title_words;
use crate::session::{Action, Document, Session, Touch};

pub(super) fn blend_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    document: &Document,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let inspector = document.inspector();
    let Some(own) = &inspector.latent else { return };
    let mut others: Vec<(String, Latent)> = Vec::new();
    for other in session.documents().filter(|other| other.id() != document.id()) {
        if let Some(latent) = other.final_latent().filter(|latent| latent.shape() == own.shape()) {
            others.push((title_words(&other.title(), text), latent.clone()));
        }
    }
    let before = &inspector.adjustments.blend;
    let mut after = before.clone();
    let mut released = false;
    heading(ui, text.blend);
    let same = |a: &Latent, b: &Latent| a.values().as_ptr() == b.values().as_ptr();
    let chosen = after
        .as_ref()
        .and_then(|blend| others.iter().find(|(_, latent)| same(latent, &blend.with)))
        .map_or(text.blend_none, |(name, _)| name.as_str());
    let combo =
        egui::ComboBox::from_id_salt("blend").width(ui.available_width()).truncate().selected_text(chosen);
    let combo = ui
        .add_enabled_ui(!others.is_empty() || after.is_some(), |ui| {
            combo.show_ui(ui, |ui| {
                if ui.selectable_label(after.is_none(), text.blend_none).clicked() {
                    after = None;
                    released = true;
                }
                for (name, latent) in &others {
                    let chosen = after.as_ref().is_some_and(|blend| same(&blend.with, latent));
                    if ui.selectable_label(chosen, name).clicked() {
                        let mode = after.as_ref().map_or(BlendMode::Slerp, |blend| blend.mode);
                        let amount = after.as_ref().map_or(0.5, |blend| blend.amount);
                        after = Some(Blend { with: latent.clone(), amount, mode });
                        released = true;
                    }
                }
            })
        })
        .inner;
    opens(&combo);
    let combo = combo.response.on_disabled_hover_text(text.blend_hint).on_hover_text(text.blend_choice_hint);
    named(&combo, text.blend);
    if let Some(blend) = &mut after {
        ui.horizontal(|ui| {
            rails(ui);
            ui.spacing_mut().slider_width = ui.available_width() - 56.0;
            let slider = ui.add(egui::Slider::new(&mut blend.amount, 0.0..=1.0).fixed_decimals(2));
            named(&slider, text.blend_amount);
            released |= slider.drag_stopped() || slider.lost_focus();
            tip(slider, text.blend_amount, "");
        });
        ui.horizontal(|ui| {
            for (mode, name, why) in [
                (BlendMode::Lerp, text.lerp, text.lerp_hint),
                (BlendMode::Slerp, text.slerp, text.slerp_hint),
            ] {
                released |= tip(ui.radio_value(&mut blend.mode, mode, name), why, "").clicked();
            }
        });
    }
    if after != *before {
        let begins = super::channels::gesture_begins(ui);
        actions.push(Action::Touch(Touch::Blend { blend: after, begins }));
    }
    if released {
        actions.push(Action::Touch(Touch::Release));
    }
}
