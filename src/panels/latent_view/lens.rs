//! One part of the picture in every tile: zoom and pan that all share, and the pointer's place.

use egui::{Color32, Pos2, Rect, Response, Sense, Stroke, StrokeKind, TextureId, Ui, Vec2};

use super::LatentDesk;
use crate::latent::LatentShape;
use crate::panels::theme;

/// How far it magnifies at most.
const MOST: f32 = 64.0;

/// A part of the picture, in shares of its width and height.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens {
    centre: Vec2,
    zoom: f32,
}

impl Default for Lens {
    fn default() -> Self {
        Self { centre: Vec2::splat(0.5), zoom: 1.0 }
    }
}

impl Lens {
    /// What is seen, in shares of the picture.
    pub(super) fn part(self) -> Rect {
        Rect::from_center_size(self.centre.to_pos2(), Vec2::splat(1.0 / self.zoom))
    }

    /// The share of the picture under a point of a tile.
    fn share_at(self, tile: Rect, point: Pos2) -> Vec2 {
        let part = self.part();
        part.min.to_vec2() + (point - tile.min) / tile.size() * part.size()
    }

    /// Where a share of the picture lies on a tile.
    fn point_of(self, tile: Rect, share: Vec2) -> Pos2 {
        let part = self.part();
        tile.min + (share - part.min.to_vec2()) / part.size() * tile.size()
    }

    /// Follows the wheel with Ctrl (or two fingers) and, where `pans`, the hand.
    fn follow(&mut self, ui: &Ui, tile: Rect, response: &Response, pans: bool) {
        if response.double_clicked() {
            *self = Self::default();
            return;
        }
        if pans && response.dragged() {
            self.centre -= response.drag_delta() / tile.size() / self.zoom;
        }
        if let Some(pointer) = response.hover_pos() {
            let factor = ui.input(egui::InputState::zoom_delta);
            if (factor - 1.0).abs() > 1e-4 {
                // What is under the pointer stays there.
                let share = self.share_at(tile, pointer);
                let after = (self.zoom * factor).clamp(1.0, MOST);
                self.centre = share + (self.centre - share) * (self.zoom / after);
                self.zoom = after;
            }
        }
        let half = Vec2::splat(0.5 / self.zoom);
        self.centre = self.centre.clamp(half, Vec2::splat(1.0) - half);
    }
}

/// A tile of `size`: the lens' part of a texture, the probed latent pixel framed.
pub(super) fn tile_ui(
    ui: &mut Ui,
    desk: &mut LatentDesk,
    size: Vec2,
    texture: Option<TextureId>,
    shape: LatentShape,
    pans: bool,
) -> Response {
    let (tile, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    desk.lens.follow(ui, tile, &response, pans);
    if let Some(pointer) = response.hover_pos() {
        desk.probed = Some(desk.lens.share_at(tile, pointer).clamp(Vec2::ZERO, Vec2::splat(0.9999)));
    }
    if ui.is_rect_visible(tile) {
        if let Some(texture) = texture {
            ui.painter().image(texture, tile, desk.lens.part(), Color32::WHITE);
        }
        frame_probed(ui, desk, tile, shape);
    }
    response
}

/// Frames the latent pixel under the pointer.
pub(super) fn frame_probed(ui: &Ui, desk: &LatentDesk, tile: Rect, shape: LatentShape) {
    let Some(probe) = desk.probe else { return };
    let grid = Vec2::new(shape.width as f32, shape.height as f32);
    let pixel = (probe * grid).floor();
    let corners = [pixel / grid, (pixel + Vec2::splat(1.0)) / grid].map(|s| desk.lens.point_of(tile, s));
    let framed = Rect::from_two_pos(corners[0], corners[1]).expand(1.0);
    let painter = ui.painter().with_clip_rect(tile.intersect(ui.clip_rect()));
    painter.rect_stroke(framed, 0.0, Stroke::new(3.0, theme::chip()), StrokeKind::Middle);
    painter.rect_stroke(framed, 0.0, Stroke::new(1.0, theme::on_chip()), StrokeKind::Middle);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_shares_are_inverse_and_the_whole_is_seen_at_first() {
        let tile = Rect::from_min_size(Pos2::new(10.0, 20.0), Vec2::new(200.0, 100.0));
        assert_eq!(Lens::default().part(), Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0)));
        let lens = Lens { centre: Vec2::new(0.7, 0.4), zoom: 4.0 };
        let share = Vec2::new(0.65, 0.45);
        assert!((lens.share_at(tile, lens.point_of(tile, share)) - share).length() < 1e-6);
        assert!((lens.point_of(tile, lens.centre) - tile.center()).length() < 1e-3);
    }
}
