//! Pictures of the latent side by side: original, preview, true decode, and where the VAE lost something.

use std::fmt::Write as _;

use egui::{Color32, Rect, RichText, TextureId, Ui, Vec2};

use super::lens::{frame_probed, tile_ui};
use crate::latent::{Latent, LatentShape};
use crate::panels::{Desk, named, theme};
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::session::Inspector;

/// Edges of a tile, points.
const SMALLEST: f32 = 150.0;
const LARGEST: f32 = 320.0;
/// The most of the view's height that a row of pictures takes: channels below stay in sight.
const SHARE: f32 = 0.42;

/// A tile's picture and what is said under it.
struct Tile {
    texture: Option<TextureId>,
    name: String,
    hint: String,
}

pub(super) fn pictures_ui(ui: &mut Ui, inspector: &Inspector, desk: &mut Desk, latent: &Latent, seen: &Look) {
    let shape = latent.shape();
    let tiles = tiles(ui, inspector, desk, latent, seen);
    let wipes = inspector.original.is_some() && inspector.decoded.is_some();
    let count = tiles.len() + usize::from(wipes);
    let tallest = (SHARE * ui.clip_rect().height()).clamp(SMALLEST, LARGEST);
    let (width, gap) = (ui.available_width(), ui.spacing().item_spacing.x);
    // As many in a row as fit at full height, and no more rows than four columns need.
    let fit = (width + gap) / (fitted(shape, LARGEST, tallest).x + gap);
    let columns = count.clamp(2, (fit as usize).clamp(4, 8));
    let shared = (width + gap) / columns as f32 - gap;
    let size = fitted(shape, shared.clamp(SMALLEST, LARGEST), tallest);
    let mut tiles = tiles.into_iter();
    for row in 0..count.div_ceil(columns) {
        ui.horizontal_top(|ui| {
            let wipe = row == 0 && wipes;
            if wipe {
                ui.vertical(|ui| wipe_ui(ui, inspector, desk, size, shape));
            }
            for tile in tiles.by_ref().take(columns - usize::from(wipe)) {
                ui.vertical(|ui| picture_ui(ui, desk, tile, size, shape));
            }
        });
    }
}

fn picture_ui(ui: &mut Ui, desk: &mut Desk, tile: Tile, size: Vec2, shape: LatentShape) {
    ui.set_width(size.x);
    let response = tile_ui(ui, &mut desk.latent, size, tile.texture, shape, true);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &tile.name));
    let label = ui.label(RichText::new(tile.name).small().color(theme::quiet(ui.visuals().dark_mode)));
    if !tile.hint.is_empty() {
        label.on_hover_text(tile.hint);
    }
}

/// The largest tile of the latent's aspect ratio within a width and a height, in whole points.
pub(super) fn fitted(shape: LatentShape, width: f32, height: f32) -> Vec2 {
    let aspect = shape.width.max(1) as f32 / shape.height.max(1) as f32;
    let height = (width / aspect).min(height);
    Vec2::new(height * aspect, height).floor().max(Vec2::splat(1.0))
}

fn tiles(ui: &Ui, inspector: &Inspector, desk: &mut Desk, latent: &Latent, seen: &Look) -> Vec<Tile> {
    let text = desk.text;
    let mut tiles = Vec::new();
    let mut add = |texture, name: String, hint: String| tiles.push(Tile { texture, name, hint });
    if let (Some(original), None) = (&inspector.original, &inspector.decoded) {
        add(Some(desk.picture(ui, original)), text.original.to_owned(), String::new());
    }
    add(desk.texture(latent, seen), text.preview.to_owned(), String::new());
    if let (Some(decoded), None) = (&inspector.decoded, &inspector.original) {
        add(Some(desk.picture(ui, decoded)), text.decoded.to_owned(), String::new());
    }
    if let Some(comparison) = &inspector.comparison {
        let [x, y] = comparison.worst;
        let name = format!("{} · {} 0–{:.0} %", text.error_map, text.heat, comparison.heat_limit * 100.0);
        let hint = format!("{} {x}, {y}: {:.1} dB", text.worst_patch, comparison.worst_psnr);
        add(Some(desk.picture(ui, &comparison.heat)), name, hint);
        if let Some((jpeg, psnr)) = &comparison.jpeg {
            let name = format!("JPEG · {} B · {psnr:.1} dB", super::grouped(jpeg.bytes));
            let hint = format!("{} {} · {:.0} %", text.jpeg_hint, jpeg.quality, jpeg.scale * 100.0);
            add(Some(desk.picture(ui, &jpeg.picture)), name, hint);
        }
    }
    if let Some((components, along)) = &inspector.components {
        let shares: Vec<String> =
            components.explained.iter().map(|share| format!("{:.0} %", share * 100.0)).collect();
        let three = desk.components_look();
        add(desk.texture(along, &three), text.components.to_owned(), shares.join(" · "));
    }
    if let Some(divergence) = &inspector.divergence {
        let most = divergence.values().iter().copied().fold(1e-6, f32::max);
        let heat = Look::Channel { index: 0, map: ColourMap::Heat, low: 0.0, high: most, smooth: false };
        let name = format!("{} · 0–{most:.0} nats", text.divergence);
        add(desk.texture(divergence, &heat), name, text.divergence_hint.to_owned());
    }
    tiles
}

/// Original on the left of a line, true decode on its right.
fn wipe_ui(ui: &mut Ui, inspector: &Inspector, desk: &mut Desk, size: Vec2, shape: LatentShape) {
    let text = desk.text;
    let (Some(original), Some(decoded)) = (&inspector.original, &inspector.decoded) else { return };
    let [original, decoded] = [original, decoded].map(|picture| desk.picture(ui, picture));
    let response = tile_ui(ui, &mut desk.latent, size, Some(decoded), shape, false);
    let tile = response.rect;
    if (response.dragged() || response.clicked())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        desk.latent.wipe.0 = ((pointer.x - tile.left()) / tile.width()).clamp(0.0, 1.0);
    }
    let line = tile.left() + tile.width() * desk.latent.wipe.0;
    let left = Rect::from_min_max(tile.min, egui::pos2(line, tile.bottom()));
    let mut part = desk.latent.lens.part();
    part.max.x = part.min.x + part.width() * desk.latent.wipe.0;
    ui.painter().image(original, left, part, Color32::WHITE);
    frame_probed(ui, &desk.latent, tile, shape);
    ui.painter().vline(line, tile.y_range(), egui::Stroke::new(3.0, theme::chip()));
    ui.painter().vline(line, tile.y_range(), egui::Stroke::new(1.0, theme::on_chip()));
    named(&response, text.wipe);
    let mut caption = format!("{} | {}", text.original, text.decoded);
    if let Some(comparison) = &inspector.comparison {
        let ssim = comparison.ssim.map_or(String::new(), |ssim| format!(" · SSIM {ssim:.3}"));
        let _ = write!(caption, " · {:.1} dB{ssim}", comparison.psnr);
    } else if inspector.pending.is_some() {
        let _ = write!(caption, " · {}…", text.decoding);
    }
    ui.label(RichText::new(caption).small().color(theme::quiet(ui.visuals().dark_mode)));
    // Keyboards reach a slider.
    ui.spacing_mut().slider_width = size.x;
    let slider = ui.add(egui::Slider::new(&mut desk.latent.wipe.0, 0.0..=1.0).show_value(false));
    named(&slider, text.wipe);
}
