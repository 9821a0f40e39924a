//! How far both are apart, and the settings in which they differ.

use egui::{RichText, Sense, Ui, Vec2};

use super::colours;
use crate::formats::metadata::SettingName;
use crate::panels::controls::{named, quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::{Text, theme};
use crate::session::{Action, CompareAction, PairDecode, Session, Side};

/// A peak signal-to-noise ratio.
pub(super) fn decibels(figure: Option<f64>, text: &Text) -> String {
    match figure {
        Some(figure) if figure == f64::INFINITY => text.pair_equal.to_owned(),
        Some(figure) => format!("PSNR {figure:.1} dB"),
        None => "PSNR –".to_owned(),
    }
}

pub(super) fn facts_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    sides: [&Side; 2],
    actions: &mut Vec<Action>,
) {
    egui::ScrollArea::vertical().auto_shrink(false).id_salt("compared facts").show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 4.0;
        figures_ui(ui, session, desk, sides, actions);
        ui.separator();
        settings_ui(ui, desk, sides);
    });
}

fn figures_ui(ui: &mut Ui, session: &Session, desk: &Desk, sides: [&Side; 2], actions: &mut Vec<Action>) {
    let text = desk.text;
    let figures = session.pair_figures();
    quiet(ui, text.picture);
    let pictures = figures.and_then(|figures| figures.pictures.as_ref());
    let words = match pictures {
        Some(difference) => {
            let ssim = difference.ssim.map(|ssim| format!(" · SSIM {ssim:.3}")).unwrap_or_default();
            format!("{}{ssim}", decibels(Some(difference.psnr), text))
        }
        None if sides.iter().any(|side| side.picture.is_none()) => text.pair_not_decoded.to_owned(),
        None if figures.is_none() => text.pair_computing.to_owned(),
        None => text.pair_other_sizes.to_owned(),
    };
    value_ui(ui, &words, text.pair_picture_hint);
    decode_ui(ui, session, desk, actions);
    quiet(ui, text.enlarger);
    let latents = figures.and_then(|figures| figures.latents.as_ref());
    let words = match latents {
        Some(difference) => {
            let relative = difference.relative_l2.map_or("–".to_owned(), |share| format!("{share:.3}"));
            format!("L2 {relative} · {}", decibels(difference.psnr, text))
        }
        None if sides.iter().any(|side| side.latent.is_none()) => text.pair_no_latent.to_owned(),
        None if figures.is_none() => text.pair_computing.to_owned(),
        None => text.pair_other_shapes.to_owned(),
    };
    value_ui(ui, &words, text.pair_latent_hint);
    if let Some(difference) = latents {
        let channels: Vec<String> = difference.channel_rms.iter().map(|rms| format!("{rms:.2}")).collect();
        value_ui(ui, &format!("{} {}", text.pair_channels, channels.join("  ")), text.pair_channels_hint);
    }
}

fn value_ui(ui: &mut Ui, words: &str, why: &str) {
    ui.add(egui::Label::new(RichText::new(words).small()).wrap()).on_hover_text(why);
}

/// The button that decodes what has no picture yet.
fn decode_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let (able, why) = match session.pair_decode() {
        PairDecode::NotNeeded => return,
        PairDecode::Possible => (true, text.pair_decode_hint),
        PairDecode::Running => (false, text.decoding),
        PairDecode::OtherModel => (false, text.pair_decode_other_model),
    };
    let button = ui.add_enabled(able, egui::Button::new(text.decode));
    named(&button, text.decode);
    if tip(button, why, "").clicked() {
        actions.push(Action::Compare(CompareAction::Decode));
    }
}

fn settings_ui(ui: &mut Ui, desk: &Desk, [first, second]: [&Side; 2]) {
    let text = desk.text;
    ui.label(RichText::new(text.pair_settings).family(theme::strong()));
    if first.step.map(|step| step.step) != second.step.map(|step| step.step) {
        let words = |side: &Side| match side.step {
            Some(step) => format!("{}/{} · σ {:.2}", step.step, step.steps, step.sigma),
            None => text.pair_final.to_owned(),
        };
        difference_ui(ui, text.pair_step, [first, second].map(|side| Some(words(side))));
    }
    let (Some(a), Some(b)) = (&first.facts, &second.facts) else {
        quiet(ui, text.pair_settings_unknown);
        return;
    };
    let differences = a.differences(b);
    if differences.is_empty() {
        quiet(ui, text.pair_settings_same);
    }
    for difference in differences {
        difference_ui(ui, name_words(&difference.name, text), difference.values);
    }
}

/// One setting with both values, each beside the colour of its side.
fn difference_ui(ui: &mut Ui, name: &str, values: [Option<String>; 2]) {
    quiet(ui, name);
    let dark = ui.visuals().dark_mode;
    for (value, colour) in values.into_iter().zip(colours(dark)) {
        let value = value.unwrap_or_else(|| "–".to_owned());
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let (mark, _) = ui.allocate_exact_size(Vec2::new(8.0, 16.0), Sense::hover());
            let square = egui::Rect::from_center_size(mark.center(), Vec2::splat(8.0));
            ui.painter().rect_filled(square, 2.0, colour);
            ui.add(egui::Label::new(RichText::new(&value).small()).wrap());
        });
    }
}

/// The name of a setting.
fn name_words<'a>(name: &'a SettingName, text: &'a Text) -> &'a str {
    match name {
        SettingName::Prompt => text.prompt,
        SettingName::NegativePrompt => text.negative_prompt,
        SettingName::Steps => text.steps,
        SettingName::Sampler => text.sampler,
        SettingName::Schedule => text.schedule,
        SettingName::GuidanceScale => text.guidance,
        SettingName::Seed => text.seed,
        SettingName::Size => text.size,
        SettingName::Model => text.model,
        SettingName::Strength => text.strength,
        SettingName::ClipSkip => text.clip_skip,
        SettingName::Other(name) => name,
    }
}
