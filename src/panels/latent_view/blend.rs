//! A second latent mixed in.

use egui::{RichText, Ui};

use crate::latent::{Blend, BlendMode, Latent};
use crate::panels::{Desk, named, theme};
use crate::session::{Action, Session, Touch};

pub(super) fn blend_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let inspector = session.inspector();
    let Some(own) = &inspector.latent else { return };
    let fits = |latent: &Latent| latent.shape() == own.shape() && latent != own;
    let mut others: Vec<(String, Latent)> = Vec::new();
    if let Some((name, held)) = inspector.held.as_ref().filter(|(_, held)| fits(held)) {
        others.push((format!("{} {name}", text.held), held.clone()));
    }
    for (index, item) in session.results().iter().enumerate().filter(|(_, item)| fits(&item.latent)) {
        others.push((format!("{} {}", text.picture, index + 1), item.latent.clone()));
    }
    let before = &inspector.adjustments.blend;
    let mut after = before.clone();
    let mut released = false;
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(RichText::new(text.blend).color(theme::quiet(ui.visuals().dark_mode)));
        let same = |a: &Latent, b: &Latent| a.values().as_ptr() == b.values().as_ptr();
        let chosen = after
            .as_ref()
            .and_then(|blend| others.iter().find(|(_, latent)| same(latent, &blend.with)))
            .map_or(text.blend_none, |(name, _)| name.as_str());
        let combo = egui::ComboBox::from_id_salt("blend").width(150.0).selected_text(chosen.trim());
        let combo = ui
            .add_enabled_ui(!others.is_empty() || after.is_some(), |ui| {
                combo.show_ui(ui, |ui| {
                    if ui.selectable_label(after.is_none(), text.blend_none).clicked() {
                        after = None;
                        released = true;
                    }
                    for (name, latent) in &others {
                        let chosen = after.as_ref().is_some_and(|blend| same(&blend.with, latent));
                        if ui.selectable_label(chosen, name.trim()).clicked() {
                            let mode = after.as_ref().map_or(BlendMode::Slerp, |blend| blend.mode);
                            let amount = after.as_ref().map_or(0.5, |blend| blend.amount);
                            after = Some(Blend { with: latent.clone(), amount, mode });
                            released = true;
                        }
                    }
                })
            })
            .inner
            .response
            .labelled_by(label.id)
            .on_disabled_hover_text(text.blend_hint);
        named(&combo, text.blend);
        if let Some(blend) = &mut after {
            let slider = ui.add(egui::Slider::new(&mut blend.amount, 0.0..=1.0).fixed_decimals(2));
            named(&slider, text.blend_amount);
            released |= slider.drag_stopped() || slider.lost_focus();
            for (mode, name) in [(BlendMode::Lerp, text.lerp), (BlendMode::Slerp, text.slerp)] {
                released |= ui.selectable_value(&mut blend.mode, mode, name).clicked();
            }
        }
        if ui.button(text.hold).on_hover_text(text.hold_hint).clicked() {
            actions.push(Action::Touch(Touch::Hold));
        }
    });
    if after != *before {
        actions
            .push(Action::Touch(Touch::Blend { blend: after, begins: super::channels::gesture_begins(ui) }));
    }
    if released {
        actions.push(Action::Touch(Touch::Release));
    }
}
