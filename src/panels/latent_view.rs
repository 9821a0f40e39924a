//! A latent laid open: its channels, what they do to the picture, and hands to touch them.

use std::sync::Arc;

use egui::{Color32, Pos2, Rect, RichText, Sense, Ui, Vec2};

use super::{Desk, named, theme};
use crate::latent::{ColourMap, Histogram, Latent, RgbProjection};
use crate::preview::Look;
use crate::session::{Action, Inspector, Limits, Session};

const WHOLE: Rect = Rect { min: Pos2::ZERO, max: Pos2 { x: 1.0, y: 1.0 } };

pub(super) fn latent_ui(ui: &mut Ui, session: &mut Session, look: &mut Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    let dark = ui.visuals().dark_mode;
    if std::mem::take(&mut look.second_view.undo_wanted) {
        session.inspector.undo();
        actions.push(Action::DecodeInspected);
    }
    if std::mem::take(&mut look.second_view.redo_wanted) {
        session.inspector.redo();
        actions.push(Action::DecodeInspected);
    }
    let (Some(latent), Some(format)) = (session.inspector.adjusted(), session.inspector.format) else {
        let canvas = ui.available_rect_before_wrap();
        ui.painter().rect_filled(canvas, 0.0, theme::easel(dark));
        let middle = Rect::from_center_size(canvas.center(), Vec2::new(420.0, 90.0));
        let layout = egui::Layout::top_down(egui::Align::Center);
        let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(middle).layout(layout));
        if session.inspector.pending.is_some() {
            ui.add(egui::Spinner::new().color(theme::accent(dark)));
            return;
        }
        ui.label(RichText::new(text.latent_empty).size(16.0).color(theme::quiet(dark)));
        if ui.button(text.inspect_source).clicked() {
            actions.push(Action::Open);
        }
        return;
    };
    let seen = look.preview_look(session, format);
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        egui::Frame::NONE.inner_margin(egui::Margin::same(14)).show(ui, |ui| {
            options_ui(ui, &mut session.inspector, look, actions);
            let compression = format.compression(latent.shape());
            let line = format!(
                "{} · {} → {} · {:.0}× {}",
                latent.shape(),
                compression.pixel_values,
                compression.latent_values,
                compression.ratio(),
                text.compression
            );
            ui.label(RichText::new(line).color(theme::quiet(dark)));
            if let Some([psnr, ssim]) = session.inspector.fidelity {
                let figures =
                    format!("{} → {}: PSNR {psnr:.1} dB · SSIM {ssim:.3}", text.original, text.decoded);
                ui.label(RichText::new(figures).color(theme::quiet(dark)));
            }
            pictures_ui(ui, &session.inspector, look, &latent, &seen);
            ui.add_space(8.0);
            channels_ui(ui, &mut session.inspector, look, &latent, &seen, actions);
        });
    });
}

fn options_ui(ui: &mut Ui, inspector: &mut Inspector, look: &Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    ui.horizontal_wrapped(|ui| {
        ui.label(text.limits);
        for (limits, name) in [
            (Limits::Shared, text.limits_shared),
            (Limits::PerChannel, text.limits_own),
            (Limits::Fixed, text.limits_fixed),
        ] {
            ui.selectable_value(&mut inspector.options.limits, limits, name);
        }
        ui.separator();
        ui.checkbox(&mut inspector.options.smooth, text.smooth);
        ui.checkbox(&mut inspector.options.grey, text.grey);
        ui.separator();
        let [can_undo, can_redo] = inspector.can_undo_redo();
        let mut changed = false;
        if ui.add_enabled(can_undo, egui::Button::new(text.undo)).clicked() {
            inspector.undo();
            changed = true;
        }
        if ui.add_enabled(can_redo, egui::Button::new(text.redo)).clicked() {
            inspector.redo();
            changed = true;
        }
        if ui.add_enabled(!inspector.adjustments.is_none(), egui::Button::new(text.reset)).clicked() {
            inspector.reset();
            changed = true;
        }
        if changed {
            actions.push(Action::DecodeInspected);
        }
        ui.separator();
        if let Some(picture) = inspector.original.as_ref().or(inspector.decoded.as_ref())
            && ui.button(text.use_as_source).clicked()
        {
            actions.push(Action::UsePicture(picture.clone()));
        }
        if ui.button(text.save_latent).clicked()
            && let Some(latent) = inspector.adjusted()
        {
            actions.push(Action::SaveThisLatent(latent));
        }
    });
}

/// Original, preview, true decode and strongest components, side by side.
fn pictures_ui(ui: &mut Ui, inspector: &Inspector, look: &mut Desk, latent: &Latent, seen: &Look) {
    let text = look.text;
    let shape = latent.shape();
    let aspect = shape.width as f32 / shape.height.max(1) as f32;
    let height = 190.0_f32;
    let mut tiles: Vec<(&str, Option<egui::TextureId>)> = Vec::new();
    if let Some(original) = &inspector.original {
        tiles.push((text.original, Some(look.picture(ui, original))));
    }
    tiles.push((text.preview, look.latents.as_mut().and_then(|latents| latents.texture(latent, seen))));
    if let Some(decoded) = &inspector.decoded {
        tiles.push((text.decoded, Some(look.picture(ui, decoded))));
    }
    if let Some((_, along)) = &inspector.components {
        let three = look.components_look();
        tiles.push((
            text.components,
            look.latents.as_mut().and_then(|latents| latents.texture(along, &three)),
        ));
    }
    if let Some(divergence) = &inspector.divergence {
        let most = divergence.values().iter().copied().fold(1e-6, f32::max);
        let seen = Look::Channel { index: 0, map: ColourMap::Grey, low: 0.0, high: most, smooth: false };
        tiles.push((
            text.divergence,
            look.latents.as_mut().and_then(|latents| latents.texture(divergence, &seen)),
        ));
    }
    ui.horizontal_wrapped(|ui| {
        for (name, texture) in tiles {
            ui.vertical(|ui| {
                let (rect, _) = ui.allocate_exact_size(Vec2::new(height * aspect, height), Sense::hover());
                if let Some(texture) = texture {
                    ui.painter().image(texture, rect, WHOLE, Color32::WHITE);
                }
                ui.label(RichText::new(name).small().color(theme::quiet(ui.visuals().dark_mode)));
            });
        }
    });
}

/// The colour that +1 σ of a channel adds to grey in the linear projection.
fn swatch(projection: &RgbProjection, channel: usize, std: f64) -> Color32 {
    let weight = projection.weight.get(channel).copied().unwrap_or_default();
    theme::of_bytes(weight.map(|w| (127.5 + 127.5 * w * std as f32).clamp(0.0, 255.0) as u8))
}

fn channels_ui(
    ui: &mut Ui,
    inspector: &mut Inspector,
    look: &mut Desk,
    latent: &Latent,
    seen: &Look,
    actions: &mut Vec<Action>,
) {
    let shape = latent.shape();
    let tile = if shape.channels <= 4 { 220.0 } else { 150.0 };
    let projection = match seen {
        Look::Linear { projection, .. } => Arc::clone(projection),
        _ => look.builtin.as_ref().map_or_else(
            || Arc::new(RgbProjection::first_channels(shape.channels)),
            |(linear, _)| Arc::clone(linear),
        ),
    };
    ui.horizontal_wrapped(|ui| {
        for channel in 0..shape.channels {
            ui.push_id(channel, |ui| {
                ui.vertical(|ui| {
                    ui.set_width(tile);
                    channel_ui(ui, inspector, look, latent, channel, tile, &projection, actions);
                });
            });
        }
    });
}

fn channel_ui(
    ui: &mut Ui,
    inspector: &mut Inspector,
    look: &mut Desk,
    latent: &Latent,
    channel: usize,
    tile: f32,
    projection: &RgbProjection,
    actions: &mut Vec<Action>,
) {
    let text = look.text;
    let shape = latent.shape();
    let [low, high] = inspector.limits_of(channel);
    let statistics = inspector.statistics.get(channel).copied();
    let map = if inspector.options.grey { ColourMap::Grey } else { ColourMap::Diverging };
    let channel_look = Look::Channel { index: channel, map, low, high, smooth: inspector.options.smooth };
    let height = tile * shape.height as f32 / shape.width.max(1) as f32;
    let (rect, response) = ui.allocate_exact_size(Vec2::new(tile, height), Sense::hover());
    if let Some(texture) = look.latents.as_mut().and_then(|latents| latents.texture(latent, &channel_look)) {
        ui.painter().image(texture, rect, WHOLE, Color32::WHITE);
    }
    if let Some(pointer) = response.hover_pos() {
        let place = (pointer - rect.min) / rect.size() * Vec2::new(shape.width as f32, shape.height as f32);
        let (x, y) = ((place.x as usize).min(shape.width - 1), (place.y as usize).min(shape.height - 1));
        let vector: Vec<String> = latent.vector_at(x, y).iter().map(|v| format!("{v:+.2}")).collect();
        response.on_hover_text_at_pointer(format!("{x}, {y}\n{}", vector.join("  ")));
    }
    ui.horizontal(|ui| {
        let std = statistics.map_or(1.0, |s| s.std);
        let (dot, _) = ui.allocate_exact_size(Vec2::splat(14.0), Sense::hover());
        ui.painter().rect_filled(dot, 3.0, swatch(projection, channel, std));
        ui.label(RichText::new(format!("{} {channel}", text.channel)).family(theme::strong()));
    });
    if let Some(s) = statistics {
        let line = format!(
            "{} {:+.2} · {} {:.2} · {:+.1}…{:+.1}",
            text.mean, s.mean, text.deviation, s.std, s.min, s.max
        );
        ui.label(RichText::new(line).small().color(theme::quiet(ui.visuals().dark_mode)));
    }
    histogram_ui(ui, latent.channel(channel), [low, high], tile);
    let before = inspector.adjustments.channels.get(channel).copied().unwrap_or_default();
    let mut after = before;
    let mut released = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = tile - 110.0;
        let gain = ui.add(egui::Slider::new(&mut after.gain, -2.0..=4.0).fixed_decimals(2).prefix("× "));
        named(&gain, format!("{} {channel}", text.gain));
        released |= gain.drag_stopped() || gain.lost_focus();
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().slider_width = tile - 110.0;
        let offset = ui.add(egui::Slider::new(&mut after.offset, -3.0..=3.0).fixed_decimals(2).prefix("+ "));
        named(&offset, format!("{} {channel}", text.offset));
        released |= offset.drag_stopped() || offset.lost_focus();
    });
    ui.horizontal(|ui| {
        released |= ui.toggle_value(&mut after.muted, text.mute).changed();
        released |= ui.toggle_value(&mut after.solo, text.solo).changed();
    });
    ui.add_space(8.0);
    if after != before {
        // One undo for a whole drag: it begins where nothing was held before.
        if ui.input(|input| input.pointer.any_pressed()) || !ui.input(|input| input.pointer.any_down()) {
            inspector.remember();
        }
        if let Some(own) = inspector.adjustments.channels.get_mut(channel) {
            *own = after;
        }
    }
    if released {
        actions.push(Action::DecodeInspected);
    }
}

fn histogram_ui(ui: &mut Ui, values: &[f32], [low, high]: [f32; 2], width: f32) {
    let histogram = Histogram::new(values, low, high, 40);
    let most = histogram.counts.iter().copied().max().unwrap_or(1).max(1) as f32;
    let (rect, _) = ui.allocate_exact_size(Vec2::new(width, 28.0), Sense::hover());
    let bin = rect.width() / histogram.counts.len() as f32;
    let colour = theme::quiet(ui.visuals().dark_mode);
    for (i, count) in histogram.counts.iter().enumerate() {
        let height = rect.height() * *count as f32 / most;
        let from = Pos2::new(rect.left() + bin * i as f32, rect.bottom() - height);
        ui.painter().rect_filled(
            Rect::from_min_size(from, Vec2::new((bin - 1.0).max(1.0), height)),
            0.0,
            colour,
        );
    }
}
