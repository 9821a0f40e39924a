//! Every channel: seen, described, and touched.

use std::fmt::Write as _;

use egui::{Color32, Pos2, Rect, RichText, Sense, Ui, Vec2};

use super::lens::tile_ui;
use super::pictures::fitted;
use crate::latent::{Histogram, Latent, LatentFormat};
use crate::panels::{Desk, named, theme};
use crate::preview::Look;
use crate::projection::{ColourMap, RgbProjection};
use crate::session::{Action, Export, Inspector, Touch};

/// The widest and tallest that a channel is drawn, points.
const WIDEST: f32 = 300.0;

/// Whether a change in this frame begins a gesture: a whole drag is one undo, a key press one each.
pub(super) fn gesture_begins(ui: &Ui) -> bool {
    ui.input(|input| input.pointer.any_pressed() || !input.pointer.any_down())
}

/// The colour that +1 σ of a channel adds to grey in the linear projection.
fn swatch(projection: &RgbProjection, channel: usize, std: f64) -> Color32 {
    let weight = projection.weight.get(channel).copied().unwrap_or_default();
    theme::of_bytes(weight.map(|w| (127.5 + 127.5 * w * std as f32).clamp(0.0, 255.0) as u8))
}

pub(super) fn channels_ui(
    ui: &mut Ui,
    inspector: &Inspector,
    desk: &mut Desk,
    latent: &Latent,
    seen: &Look,
    actions: &mut Vec<Action>,
) {
    let count = latent.shape().channels;
    let gap = ui.spacing().item_spacing.x;
    // Few channels share the width; many keep a width at which their sliders can be used.
    let columns =
        if count <= 4 { count.max(1) } else { ((ui.available_width() + gap) / 190.0).max(2.0) as usize };
    let tile = ((ui.available_width() + gap) / columns as f32 - gap).clamp(150.0, WIDEST).floor();
    let format =
        inspector.format.unwrap_or(LatentFormat { channels: count, ..LatentFormat::STABLE_DIFFUSION });
    let projection = desk.linear_projection(seen, format);
    for row in (0..count).collect::<Vec<_>>().chunks(columns) {
        ui.horizontal_top(|ui| {
            for &channel in row {
                ui.push_id(channel, |ui| {
                    ui.vertical(|ui| {
                        ui.set_width(tile);
                        channel_ui(ui, inspector, desk, latent, channel, tile, &projection, actions);
                    });
                });
            }
        });
    }
}

fn channel_ui(
    ui: &mut Ui,
    inspector: &Inspector,
    desk: &mut Desk,
    latent: &Latent,
    channel: usize,
    tile: f32,
    projection: &RgbProjection,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let shape = latent.shape();
    let [low, high] = inspector.limits_of(channel);
    let map = if inspector.options.grey { ColourMap::Grey } else { ColourMap::Diverging };
    let look = Look::Channel { index: channel, map, low, high, smooth: inspector.options.smooth };
    let size = fitted(shape, tile, WIDEST);
    let texture = desk.texture(latent, &look);
    let response = tile_ui(ui, &mut desk.latent, size, texture, shape, true);
    let name = format!("{} {channel}", text.channel);
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, format!("{name} {}", text.picture))
    });
    response.context_menu(|ui| {
        if ui.button(text.save_channel).clicked() {
            actions.push(Action::Export(Export::Channel(channel)));
        }
    });
    let statistics = inspector.statistics.get(channel).copied();
    ui.horizontal(|ui| {
        let std = statistics.map_or(1.0, |s| s.std);
        let (dot, response) = ui.allocate_exact_size(Vec2::splat(14.0), Sense::hover());
        ui.painter().rect_filled(dot, 3.0, swatch(projection, channel, std));
        response.on_hover_text(text.swatch_hint);
        ui.label(RichText::new(name).family(theme::strong()));
    });
    if let Some(s) = statistics {
        let quiet = theme::quiet(ui.visuals().dark_mode);
        let line = format!(
            "{} {:+.2} · {} {:.2} · {:+.1}…{:+.1}",
            text.mean, s.mean, text.deviation, s.std, s.min, s.max
        );
        ui.label(RichText::new(line).small().color(quiet));
        let mut line = format!("{:.1} % {}", s.beyond_3_sigma * 100.0, text.beyond);
        if let Some(sigma) = inspector.posterior_sigma.get(channel) {
            let _ = write!(line, " · {} σ {sigma:.3}", text.posterior);
        }
        if s.non_finite > 0 {
            let _ = write!(line, " · {} {}", s.non_finite, text.non_finite);
        }
        ui.label(RichText::new(line).small().color(quiet));
    }
    histogram_ui(ui, latent.channel(channel), [low, high], tile);
    sliders_ui(ui, inspector, desk, channel, tile, actions);
    ui.add_space(8.0);
}

fn sliders_ui(
    ui: &mut Ui,
    inspector: &Inspector,
    desk: &Desk,
    channel: usize,
    tile: f32,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let before = inspector.adjustments.channels.get(channel).copied().unwrap_or_default();
    let mut after = before;
    let mut released = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = tile - 80.0;
        let gain = ui.add(egui::Slider::new(&mut after.gain, -2.0..=4.0).fixed_decimals(2).prefix("× "));
        named(&gain, format!("{} {channel}", text.gain));
        released |= gain.drag_stopped() || gain.lost_focus();
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = tile - 80.0;
        let offset = ui.add(egui::Slider::new(&mut after.offset, -3.0..=3.0).fixed_decimals(2).prefix("+ "));
        named(&offset, format!("{} {channel}", text.offset));
        released |= offset.drag_stopped() || offset.lost_focus();
    });
    ui.horizontal(|ui| {
        released |= ui.toggle_value(&mut after.muted, text.mute).changed();
        released |= ui.toggle_value(&mut after.solo, text.solo).changed();
    });
    if after != before {
        let begins = gesture_begins(ui);
        actions.push(Action::Touch(Touch::Channel { index: channel, adjustment: after, begins }));
    }
    if released {
        actions.push(Action::Touch(Touch::Release));
    }
}

fn histogram_ui(ui: &mut Ui, values: &[f32], [low, high]: [f32; 2], width: f32) {
    let histogram = Histogram::new(values, low, high, 40);
    let most = histogram.counts.iter().copied().max().unwrap_or(1).max(1) as f32;
    let (rect, _) = ui.allocate_exact_size(Vec2::new(width, 28.0), Sense::hover());
    if !ui.is_rect_visible(rect) {
        return;
    }
    let bin = rect.width() / histogram.counts.len() as f32;
    let colour = theme::quiet(ui.visuals().dark_mode);
    for (i, count) in histogram.counts.iter().enumerate() {
        let height = rect.height() * *count as f32 / most;
        let from = Pos2::new(rect.left() + bin * i as f32, rect.bottom() - height);
        let bar = Rect::from_min_size(from, Vec2::new((bin - 1.0).max(1.0), height));
        ui.painter().rect_filled(bar, 0.0, colour);
    }
}
