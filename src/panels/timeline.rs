//! Every step of the shown result, to look at again.

use egui::{RichText, Ui};

use super::{Desk, theme};
use crate::session::{Action, Session};

pub(super) fn timeline_ui(ui: &mut Ui, session: &mut Session, look: &mut Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    let steps = session.shown_result().map_or(0, |item| item.trajectory.steps.len());
    ui.horizontal(|ui| {
        let quiet = theme::quiet(ui.visuals().dark_mode);
        let label = ui.label(RichText::new(text.timeline).color(quiet));
        // The place after the last step is the final picture.
        let mut at = session.scrubbed.unwrap_or(steps);
        ui.spacing_mut().slider_width = (ui.available_width() - 420.0).max(80.0);
        let slider = egui::Slider::new(&mut at, 0..=steps.max(1)).show_value(false);
        if ui.add_enabled(steps > 0, slider).labelled_by(label.id).changed() {
            actions.push(Action::Scrub((at < steps).then_some(at)));
        }
        let place = if steps == 0 || at >= steps {
            text.final_picture.to_owned()
        } else {
            format!("{}/{steps}", at + 1)
        };
        ui.add_sized([96.0, 20.0], egui::Label::new(RichText::new(place).color(quiet)));
        let mut noisy = session.show_noisy;
        if ui.checkbox(&mut noisy, text.noisy).changed() {
            actions.push(Action::ShowNoisy(noisy));
        }
        if session.is_builtin() {
            ui.checkbox(&mut look.use_patch, text.patch_preview).on_hover_text(fit_figures());
        }
    });
}

/// The held-out agreement of both previews with the true decode.
fn fit_figures() -> String {
    crate::session::builtin_preview_figures()
        .map(|[linear, patch]| {
            format!(
                "linear {:.1} dB, SSIM {:.2}\npatch {:.1} dB, SSIM {:.2}",
                linear.psnr, linear.ssim, patch.psnr, patch.ssim
            )
        })
        .unwrap_or_default()
}
