//! A row for each channel: its picture, histogram and controls. Rows keep their place whatever is done in them.

use std::fmt::Write as _;

use egui::{Color32, Pos2, Rect, RichText, Sense, Ui, Vec2};

use crate::latent::{Histogram, LatentFormat, LatentShape};
use crate::panels::controls::{named, rails, tip};
use crate::panels::desk::{Desk, View};
use crate::panels::easel::{channel_texture, frame_probed};
use crate::panels::theme;
use crate::projection::RgbProjection;
use crate::session::{Action, Document, ExportKind, Session, Touch};

/// The height of a row, points; a channel's picture is a square of it.
const ROW: f32 = 60.0;
const LINE: f32 = 18.0;

/// Whether a change in this frame begins a new edit: a whole drag is one edit, and so is each key press.
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
    session: &Session,
    desk: &mut Desk,
    document: &Document,
    actions: &mut Vec<Action>,
) {
    let Some(latent) = document.inspector().adjusted() else { return };
    let count = latent.shape().channels;
    let format =
        document.format().unwrap_or(LatentFormat { channels: count, ..LatentFormat::STABLE_DIFFUSION });
    let seen = desk.preview_look(session, format);
    let projection = desk.linear_projection(&seen, format);
    for channel in 0..count {
        ui.push_id(channel, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                tile_ui(ui, session, desk, document, channel, latent.shape(), actions);
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing = Vec2::new(4.0, 2.0);
                    ui.spacing_mut().interact_size.y = LINE;
                    ui.spacing_mut().button_padding = Vec2::new(5.0, 0.0);
                    let values = latent.channel(channel);
                    row_ui(ui, session, desk, document, channel, values, &projection, actions);
                });
            });
        });
    }
}

/// The channel's picture; a click shows it large.
fn tile_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    document: &Document,
    channel: usize,
    shape: LatentShape,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let (square, response) = ui.allocate_exact_size(Vec2::splat(ROW), Sense::click());
    let aspect = shape.width.max(1) as f32 / shape.height.max(1) as f32;
    let size = Vec2::new(ROW.min(ROW * aspect), ROW.min(ROW / aspect)).floor();
    let tile = Rect::from_center_size(square.center(), size);
    if ui.is_rect_visible(square) {
        ui.painter().rect_filled(square, 3.0, theme::easel(ui.visuals().dark_mode));
        if let Some(texture) = channel_texture(session, desk, document, channel) {
            let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
            ui.painter().image(texture, tile, whole, Color32::WHITE);
            frame_probed(ui, desk, tile, whole, shape);
        }
        if desk.view == View::Components && desk.channel == Some(channel) {
            let stroke = egui::Stroke::new(2.0, theme::accent(ui.visuals().dark_mode));
            ui.painter().rect_stroke(square, 3.0, stroke, egui::StrokeKind::Inside);
        }
    }
    if let Some(pointer) = response.hover_pos().filter(|pointer| tile.contains(*pointer)) {
        desk.probed = Some((pointer - tile.min) / tile.size());
    }
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Button, true, format!("{} {channel}", text.channel))
    });
    if response.clicked() {
        let is_shown = desk.view == View::Components && desk.channel == Some(channel);
        (desk.view, desk.channel) =
            if is_shown { (View::Picture, None) } else { (View::Components, Some(channel)) };
    }
    response.context_menu(|ui| {
        if ui.button(text.save_channel).clicked() {
            actions.push(Action::Export(ExportKind::Channel(channel)));
        }
    });
    tip(response, &figures(document, desk, channel), "");
}

/// The figures of a channel for its tooltip.
fn figures(document: &Document, desk: &Desk, channel: usize) -> String {
    let text = desk.text;
    let mut lines = format!("{} {channel}", text.channel);
    if let Some(s) = document.inspector().statistics.get(channel) {
        let _ = write!(
            lines,
            "\n{} {:+.2} · {} {:.2} · {:+.1}…{:+.1}\n{:.1} % {}",
            text.mean,
            s.mean,
            text.deviation,
            s.std,
            s.min,
            s.max,
            s.beyond_3_sigma * 100.0,
            text.beyond
        );
        if s.non_finite > 0 {
            let _ = write!(lines, "\n{} {}", s.non_finite, text.non_finite);
        }
    }
    if let Some(sigma) = document.file().and_then(|file| file.posterior_sigma.get(channel)) {
        let _ = write!(lines, "\n{} σ {sigma:.3}", text.posterior);
    }
    lines
}

fn row_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    document: &Document,
    channel: usize,
    values: &[f32],
    projection: &RgbProjection,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let inspector = document.inspector();
    let before = inspector.adjustments.channels.get(channel).copied().unwrap_or_default();
    let mut after = before;
    let mut released = false;
    let limits = inspector.limits_of(channel, session.options().limits);
    let std = inspector.statistics.get(channel).map_or(1.0, |s| s.std);
    ui.horizontal(|ui| {
        ui.set_height(LINE);
        let (dot, response) = ui.allocate_exact_size(Vec2::new(10.0, LINE), Sense::hover());
        let dot = Rect::from_center_size(dot.center(), Vec2::splat(10.0));
        ui.painter().rect_filled(dot, 3.0, swatch(projection, channel, std));
        response.on_hover_text(text.swatch_hint);
        ui.add_sized(
            [16.0, LINE],
            egui::Label::new(RichText::new(channel.to_string()).family(theme::strong())),
        );
        let room = (ui.available_width() - 56.0).max(20.0);
        histogram_ui(ui, values, limits, Vec2::new(room, LINE));
        for (on, name, full, why) in [
            (&mut after.muted, "M", text.mute, text.mute_hint),
            (&mut after.solo, "S", text.solo, text.solo_hint),
        ] {
            let button =
                egui::Button::selectable(*on, name).min_size(Vec2::new(24.0, LINE)).frame_when_inactive(true);
            let response = ui.add(button);
            named(&response, format!("{full} {channel}"));
            if tip(response, &format!("{full}: {why}"), "").clicked() {
                *on = !*on;
                released = true;
            }
        }
    });
    for (name, why, value, range) in [
        (text.gain, text.gain_hint, &mut after.gain, -2.0..=4.0),
        (text.offset, text.offset_hint, &mut after.offset, -3.0..=3.0),
    ] {
        ui.horizontal(|ui| {
            ui.set_height(LINE);
            let words = RichText::new(name).small().color(theme::quiet(ui.visuals().dark_mode));
            ui.allocate_ui_with_layout(
                Vec2::new(38.0, LINE),
                egui::Layout::left_to_right(egui::Align::Center),
                |ui| {
                    ui.set_width(38.0);
                    ui.add(egui::Label::new(words).truncate());
                },
            );
            ui.spacing_mut().slider_width = (ui.available_width() - 52.0).max(30.0);
            ui.spacing_mut().interact_size.x = 44.0;
            rails(ui);
            let slider = ui.add(egui::Slider::new(value, range).fixed_decimals(2));
            named(&slider, format!("{name} {channel}"));
            released |= slider.drag_stopped() || slider.lost_focus();
            tip(slider, why, "");
        });
    }
    if after != before {
        let begins = gesture_begins(ui);
        actions.push(Action::Touch(Touch::Channel { index: channel, adjustment: after, begins }));
    }
    if released {
        actions.push(Action::Touch(Touch::Release));
    }
}

fn histogram_ui(ui: &mut Ui, values: &[f32], [low, high]: [f32; 2], size: Vec2) {
    let histogram = Histogram::new(values, low, high, 32);
    let most = histogram.counts.iter().copied().max().unwrap_or(1).max(1) as f32;
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
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
