//! A tag at the pointer: the pixel and the latent vector that makes it.

use std::fmt::Write as _;

use egui::{FontId, Pos2, Rect, Ui, Vec2};

use crate::latent::LatentShape;
use crate::panels::desk::Desk;
use crate::panels::theme;
use crate::projection::ColourMap;
use crate::request::Picture;
use crate::session::{Document, Session};

/// Size of the field of a channel's value, points.
const VALUE: Vec2 = Vec2 { x: 46.0, y: 20.0 };
const COLUMNS: usize = 4;

/// The latent pixel at a share of the picture.
fn at_latent_pixel(share: Vec2, shape: LatentShape) -> [usize; 2] {
    let place = |share: f32, edge: usize| ((share * edge as f32) as usize).min(edge.saturating_sub(1));
    [place(share.x, shape.width), place(share.y, shape.height)]
}

/// The place and the colour of the pixel at a share of a picture's width and height.
fn pixel_at(picture: &Picture, share: Vec2) -> Option<([usize; 2], [u8; 3])> {
    let (width, height) = (picture.width(), picture.height());
    let at = [(share.x * width as f32) as usize, (share.y * height as f32) as usize];
    (at[0] < width && at[1] < height).then(|| (at, picture.pixel(at[0], at[1])))
}

/// A value with its sign; the minus is as wide as the plus, so that columns of figures stand in line.
fn signed(value: f32) -> String {
    format!("{value:+.2}").replace('-', "\u{2212}")
}

pub(super) fn probe_ui(
    ui: &Ui,
    session: &Session,
    desk: &Desk,
    document: &Document,
    easel: Rect,
    pointer: Pos2,
) {
    let (Some(share), Some(latent)) = (desk.probed, document.inspector().adjusted()) else { return };
    let text = desk.text;
    let [x, y] = at_latent_pixel(share, latent.shape());
    let mut lines = vec![format!("{} {x}, {y}", text.latent_pixel)];
    for (name, picture) in [(text.original, document.original()), (text.decoded, document.picture())] {
        if let Some(([px, py], [r, g, b])) = picture.and_then(|picture| pixel_at(picture, share)) {
            let mut line = String::new();
            let _ = write!(line, "{name} {px}, {py}:  {r} {g} {b}");
            lines.push(line);
        }
    }
    let painter =
        ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("probe")));
    let galleys: Vec<_> = lines
        .into_iter()
        .map(|line| painter.layout_no_wrap(line, FontId::proportional(12.0), theme::on_chip()))
        .collect();
    let vector = latent.vector_at(x, y);
    let rows = vector.len().div_ceil(COLUMNS);
    let values = Vec2::new(COLUMNS as f32 * (VALUE.x + 2.0) - 2.0, rows as f32 * (VALUE.y + 2.0));
    let text_size = galleys.iter().fold(Vec2::ZERO, |size, galley| {
        Vec2::new(size.x.max(galley.size().x), size.y + galley.size().y + 2.0)
    });
    let size = Vec2::new(values.x.max(text_size.x), text_size.y + 4.0 + values.y) + Vec2::splat(16.0);
    // Beside the pointer, on the side where there is room.
    let offset = |at: f32, size: f32, low: f32, high: f32| {
        if at + 18.0 + size <= high { at + 18.0 } else { (at - 18.0 - size).max(low) }
    };
    let corner = Pos2::new(
        offset(pointer.x, size.x, easel.left(), easel.right()),
        offset(pointer.y, size.y, easel.top(), easel.bottom()),
    );
    painter.rect_filled(Rect::from_min_size(corner, size), 6.0, theme::tag());
    let mut at = corner + Vec2::splat(8.0);
    for galley in galleys {
        let height = galley.size().y;
        painter.galley(at, galley, theme::on_chip());
        at.y += height + 2.0;
    }
    at.y += 4.0;
    let options = session.options();
    let map = if options.grey { ColourMap::Grey } else { ColourMap::Diverging };
    for (channel, value) in vector.iter().enumerate() {
        let bytes = map.bytes(*value, document.inspector().limits_of(channel, options.limits));
        let place = Vec2::new((channel % COLUMNS) as f32, (channel / COLUMNS) as f32);
        let rect = Rect::from_min_size(at + place * (VALUE + Vec2::splat(2.0)), VALUE);
        painter.rect_filled(rect, 3.0, theme::of_bytes(bytes));
        let font = FontId::proportional(12.0);
        let middle = egui::Align2::CENTER_CENTER;
        painter.text(rect.center(), middle, signed(*value), font, theme::ink_on(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_value_has_a_minus_and_no_hyphen() {
        assert_eq!([signed(-1.266), signed(0.94)], ["\u{2212}1.27", "+0.94"]);
    }
}
