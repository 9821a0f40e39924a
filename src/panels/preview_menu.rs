//! The choice of preview: x̂₀ or x_t, and the method, each with its agreement with the true decode.

use egui::{RadioButton, Ui};

use super::controls::{choices, named, opens, quiet, segment, tip};
use super::desk::{Desk, PreviewMethod};
use super::library;
use super::preview_choice::TinyObstacle;
use super::text::Text;
use crate::projection::ProjectionQuality;
use crate::session::{Action, Session, TinyState};

/// The name of a preview method.
pub(super) fn method_name(method: PreviewMethod, text: &Text) -> &'static str {
    match method {
        PreviewMethod::Linear => text.linear,
        PreviewMethod::Patch => text.patch,
        PreviewMethod::Tiny => text.tiny,
    }
}

/// The previewed quantity (x̂₀ or x_t), and a menu of methods.
pub(super) fn preview_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    for (noisy, name, why) in [(false, "x̂₀", text.denoised), (true, "xₜ", text.noisy)] {
        if segment(ui, session.shows_noisy() == noisy, true, name).on_hover_text(why).clicked() {
            actions.push(Action::ShowNoisy(noisy));
        }
    }
    let shown = method_name(desk.method(session, session.on_easel()), text);
    let menu = ui.menu_button(format!("{shown} ▾"), |ui| method_ui(ui, session, desk, actions));
    opens(&menu);
    named(&menu.response, text.preview_menu);
    menu.response.on_hover_text(text.preview_menu);
}

fn with_quality(name: &str, quality: Option<ProjectionQuality>) -> String {
    match quality {
        Some(quality) => format!("{name} · {:.1} dB · SSIM {:.2}", quality.psnr, quality.ssim),
        None => name.to_owned(),
    }
}

fn method_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    choices(ui);
    let used = desk.method(session, session.on_easel());
    let fit = desk.fit(session).cloned();
    let linear = with_quality(text.linear, fit.as_ref().map(|fit| fit.linear_quality));
    if ui.add(RadioButton::new(used == PreviewMethod::Linear, linear)).clicked() {
        desk.previews = PreviewMethod::Linear;
    }
    if let Some(fit) = &fit {
        let patch =
            RadioButton::new(used == PreviewMethod::Patch, with_quality(text.patch, Some(fit.patch_quality)));
        if ui.add_enabled(fit.patch_is_better(), patch).on_disabled_hover_text(text.patch_worse).clicked() {
            desk.previews = PreviewMethod::Patch;
        }
    }
    tiny_ui(ui, session, desk, used, actions);
    if fit.is_some() {
        quiet(ui, text.held_out_hint);
    } else if let Some((done, total)) = session.fit_progress() {
        ui.label(format!("{} {done}/{total}", text.fitting));
    } else {
        quiet(ui, text.linear_table);
    }
}

/// The row of the tiny decoder, or one line that says what is missing.
fn tiny_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, used: PreviewMethod, actions: &mut Vec<Action>) {
    let text = desk.text;
    match session.tiny_state() {
        TinyState::Unknown => {}
        TinyState::Opening => {
            quiet(ui, text.tiny_opening);
        }
        TinyState::Unfit(name) => {
            quiet(ui, text.tiny_unfit.replace("{}", name));
        }
        TinyState::Missing(published) => {
            let words = text.tiny_missing.replace("{}", &published.name);
            if tip(ui.button(words), text.tiny_missing_hint, "").clicked() {
                library::show_catalogue(desk);
                desk.models.item = Some(published.id.clone());
                ui.close();
            }
        }
        TinyState::Open(opened) => {
            let obstacle = desk.tiny_obstacle(session, session.on_easel());
            let radio =
                RadioButton::new(used == PreviewMethod::Tiny, with_quality(text.tiny, opened.quality));
            // It is chosen and waits for a quieter moment, or it is not possible here.
            let waits = matches!(obstacle, Some(TinyObstacle::Slow(_)));
            if ui.add_enabled(obstacle.is_none() || waits, radio).clicked() {
                desk.previews = PreviewMethod::Tiny;
            }
            if let Some(obstacle) = obstacle {
                quiet(ui, obstacle_words(obstacle, text));
            }
            if session.can_decode_quickly()
                && tip(ui.button(text.decode_quickly), text.decode_quickly_hint, "").clicked()
            {
                actions.push(Action::DecodeQuickly);
                ui.close();
            }
        }
    }
}

/// Why previews are not made by the tiny decoder.
fn obstacle_words(obstacle: TinyObstacle, text: &Text) -> String {
    match obstacle {
        TinyObstacle::Unable => text.tiny_unable.to_owned(),
        TinyObstacle::OtherNetwork => text.tiny_other_network.to_owned(),
        TinyObstacle::Measuring => text.tiny_measuring.to_owned(),
        TinyObstacle::Slow(secs) => text.tiny_slow.replace("{}", &format!("{secs:.2} s")),
    }
}
