//! Every step of the shown result, to look at again; and how latents are seen before they are decoded.

use egui::{RichText, Ui};

use super::{Desk, named, theme};
use crate::session::{Action, Session};

pub(super) fn timeline_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let steps = session.shown_result().map_or(0, |item| item.trajectory.steps.len());
    ui.horizontal(|ui| {
        let quiet = theme::quiet(ui.visuals().dark_mode);
        let label = ui.label(RichText::new(text.timeline).color(quiet));
        // The place after the last step is the final picture.
        let mut at = session.scrubbed().unwrap_or(steps);
        ui.spacing_mut().slider_width = (ui.available_width() - 300.0).max(80.0);
        let slider = egui::Slider::new(&mut at, 0..=steps.max(1)).show_value(false);
        let slider = ui.add_enabled(steps > 0, slider).labelled_by(label.id);
        named(&slider, text.timeline);
        if slider.changed() {
            actions.push(Action::Scrub((at < steps).then_some(at)));
        }
        let place = if steps == 0 || at >= steps {
            text.final_picture.to_owned()
        } else {
            format!("{}/{steps}", at + 1)
        };
        ui.add_sized([96.0, 20.0], egui::Label::new(RichText::new(place).color(quiet)));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.menu_button(text.preview_menu, |ui| preview_ui(ui, session, desk, actions));
        });
    });
}

/// What is previewed, and through which projection, with its agreement with the true decode.
fn preview_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let quiet = theme::quiet(ui.visuals().dark_mode);
    let mut noisy = session.shows_noisy();
    ui.radio_value(&mut noisy, false, text.denoised);
    ui.radio_value(&mut noisy, true, text.noisy);
    if noisy != session.shows_noisy() {
        actions.push(Action::ShowNoisy(noisy));
    }
    ui.separator();
    if let Some(fit) = desk.fit(session).cloned() {
        for (patch, name, quality) in
            [(false, text.linear, fit.linear_quality), (true, text.patch, fit.patch_quality)]
        {
            let usable = !patch || fit.patch_is_better();
            let label = format!("{name} · {:.1} dB · SSIM {:.2}", quality.psnr, quality.ssim);
            let radio = egui::RadioButton::new(desk.use_patch == patch, label);
            if ui.add_enabled(usable, radio).on_disabled_hover_text(text.patch_worse).clicked() {
                desk.use_patch = patch;
            }
        }
        ui.label(RichText::new(text.held_out_hint).small().color(quiet));
    } else if let Some((done, total)) = session.fit_progress() {
        ui.label(format!("{} {done}/{total}", text.fitting));
    } else {
        ui.label(RichText::new(text.linear_table).color(quiet));
    }
}
