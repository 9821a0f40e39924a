//! Facts of a document: its settings, the time it took, and what the VAE kept of an opened picture.

use egui::{RichText, Ui};

use super::heading;
use crate::catalog::ModelSource;
use crate::panels::controls::{quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::foot::duration;
use crate::session::{Action, Document, Reuse};

pub(super) fn facts_ui(ui: &mut Ui, desk: &Desk, document: &Document, actions: &mut Vec<Action>) {
    let text = desk.text;
    heading(ui, text.facts);
    let mut rows: Vec<(&str, String, &str)> = Vec::new();
    let facts = document.facts();
    if let Some(facts) = &facts {
        rows.extend(facts.prompt.clone().filter(|p| !p.is_empty()).map(|p| (text.prompt, p, "")));
        rows.extend(
            facts.negative_prompt.clone().filter(|p| !p.is_empty()).map(|p| (text.negative_prompt, p, "")),
        );
        rows.extend(facts.seed.map(|seed| (text.seed, seed.to_string(), "")));
        rows.extend(facts.size.map(|size| (text.size, size.to_string(), "")));
        let sampler = facts.sampler.clone().unwrap_or_default();
        rows.extend(facts.steps.map(|steps| (text.steps, format!("{steps} · {sampler}"), "")));
        rows.extend(facts.guidance_scale.map(|scale| (text.guidance, format!("{scale:.1}"), "")));
        // The built-in model has a name in each language.
        let own = document.request().is_some_and(|request| request.model == ModelSource::Builtin);
        let model = if own { Some(text.builtin_model.to_owned()) } else { facts.model.clone() };
        rows.extend(model.map(|model| (text.model, model, "")));
    }
    if let Some(item) = document.result() {
        rows.push((text.time, duration(item.elapsed_secs), ""));
    }
    if let Some(file) = document.file() {
        if let Some(comparison) = &file.comparison {
            let ssim = comparison.ssim.map_or(String::new(), |ssim| format!(" · SSIM {ssim:.3}"));
            rows.push((text.kept, format!("{:.1} dB{ssim}", comparison.psnr), text.kept_hint));
            let [x, y] = comparison.worst;
            rows.push((text.worst, format!("{x}, {y}: {:.1} dB", comparison.worst_psnr), text.worst_patch));
            if let Some((jpeg, psnr)) = &comparison.jpeg {
                rows.push(("JPEG", format!("{} B · {psnr:.1} dB", grouped(jpeg.bytes)), text.jpeg_hint));
            }
        }
        if let Some(divergence) = &file.divergence {
            let most = divergence.values().iter().copied().fold(0.0, f32::max);
            rows.push(("KL", format!("0–{most:.0} nats"), text.divergence_hint));
        }
    }
    if let (Some(latent), Some(format)) = (&document.inspector().latent, document.format()) {
        let compression = format.compression(latent.shape());
        let [picture, latent] = compression.bytes().map(grouped);
        let line = format!("{:.0}× · {picture} → {latent} B", compression.ratio());
        rows.push((text.compression, line, text.bytes_hint));
    }
    ui.spacing_mut().interact_size.y = 16.0;
    egui::Grid::new("facts").num_columns(2).spacing([8.0, 4.0]).min_col_width(70.0).show(ui, |ui| {
        for (name, value, why) in rows {
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Min), |ui| {
                ui.set_width(70.0);
                quiet(ui, name);
            });
            let room = ui.available_width();
            let layout = egui::Layout::left_to_right(egui::Align::Min).with_main_wrap(true);
            ui.with_layout(layout, |ui| {
                ui.set_max_width(room);
                let response = ui.add(egui::Label::new(RichText::new(shortened(&value)).small()).wrap());
                let hover = if why.is_empty() { value.as_str() } else { why };
                if !why.is_empty() || shortened(&value) != value {
                    response.on_hover_text(hover);
                }
            });
            ui.end_row();
        }
    });
    if facts.is_some() {
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 26.0;
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding.x = 7.0;
            for (name, what) in
                [(text.use_seed, Reuse::Seed), (text.use_prompt, Reuse::Prompt), (text.use_all, Reuse::All)]
            {
                if tip(ui.button(name), text.reuse_hint, "").clicked() {
                    actions.push(Action::Reuse(document.id(), what));
                }
            }
        });
    }
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// 3145728 as 3,145,728.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(|g| String::from_utf8_lossy(g).into_owned());
    let head = (first > 0).then(|| digits[..first].to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}
