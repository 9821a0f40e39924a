//! What lies under the pointer, both ways: the pixel and its patch, and the latent vector that makes them.

use std::fmt::Write as _;

use egui::{Color32, Rect, RichText, Sense, Ui, Vec2};

use crate::latent::Latent;
use crate::panels::{Desk, theme};
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::request::Picture;
use crate::session::Inspector;

/// Edge of an enlarged patch, points.
const PATCH: f32 = 56.0;

/// The latent pixel at a share of the picture.
fn at_latent_pixel(share: Vec2, latent: &Latent) -> [usize; 2] {
    let shape = latent.shape();
    let place = |share: f32, edge: usize| ((share * edge as f32) as usize).min(edge.saturating_sub(1));
    [place(share.x, shape.width), place(share.y, shape.height)]
}

pub(super) fn probe_ui(ui: &mut Ui, inspector: &Inspector, desk: &mut Desk, latent: &Latent, seen: &Look) {
    let text = desk.text;
    let quiet = theme::quiet(ui.visuals().dark_mode);
    ui.horizontal(|ui| {
        ui.set_height(PATCH + 16.0);
        let Some(share) = desk.latent.probe else {
            ui.add(egui::Label::new(RichText::new(text.probe_hint).color(quiet)).wrap());
            return;
        };
        let [x, y] = at_latent_pixel(share, latent);
        let shape = latent.shape();
        let grid = Vec2::new(shape.width as f32, shape.height as f32);
        let corner = (Vec2::new(x as f32, y as f32) / grid).to_pos2();
        let part = Rect::from_min_size(corner, Vec2::splat(1.0) / grid);
        let mut patches = Vec::new();
        if let Some(original) = &inspector.original {
            patches.push((text.original, Some(desk.picture(ui, original))));
        }
        if let Some(decoded) = &inspector.decoded {
            patches.push((text.decoded, Some(desk.picture(ui, decoded))));
        }
        patches.push((text.preview, desk.texture(latent, seen)));
        for (name, texture) in patches {
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                let (rect, _) = ui.allocate_exact_size(Vec2::splat(PATCH), Sense::hover());
                if let Some(texture) = texture {
                    ui.painter().image(texture, rect, part, Color32::WHITE);
                }
                ui.label(RichText::new(name).small().color(quiet));
            });
        }
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            let mut line = format!("{} {x}, {y}", text.latent_pixel);
            for (name, picture) in [(text.original, &inspector.original), (text.decoded, &inspector.decoded)]
            {
                if let Some(([px, py], [r, g, b])) = picture.as_ref().and_then(|p| pixel_at(p, share)) {
                    let _ = write!(line, " · {name} {px}, {py}: {r} {g} {b}");
                }
            }
            ui.label(RichText::new(line).small().color(quiet));
            vector_ui(ui, inspector, &latent.vector_at(x, y));
        });
    });
}

/// The pixel of a picture at a share of it, and its place.
fn pixel_at(picture: &Picture, share: Vec2) -> Option<([usize; 2], [u8; 3])> {
    let (width, height) = (picture.width(), picture.height());
    let at = [(share.x * width as f32) as usize, (share.y * height as f32) as usize];
    (at[0] < width && at[1] < height).then(|| (at, picture.pixel(at[0], at[1])))
}

/// Each channel's value on its colour.
fn vector_ui(ui: &mut Ui, inspector: &Inspector, vector: &[f32]) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(3.0);
        let map = if inspector.options.grey { ColourMap::Grey } else { ColourMap::Diverging };
        for (channel, value) in vector.iter().enumerate() {
            let bytes = map.bytes(*value, inspector.limits_of(channel));
            let (rect, _) = ui.allocate_exact_size(Vec2::new(46.0, 22.0), Sense::hover());
            ui.painter().rect_filled(rect, 3.0, theme::of_bytes(bytes));
            let font = egui::FontId::proportional(12.0);
            let place = egui::Align2::CENTER_CENTER;
            ui.painter().text(rect.center(), place, format!("{value:+.2}"), font, theme::ink_on(bytes));
        }
    });
}
