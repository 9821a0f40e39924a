//! The line between the two pictures of a wipe.

use egui::{Key, PointerButton, Pos2, Rect, Response, Stroke, Ui, Vec2};

use super::theme;

/// Draws the line over a picture, at a share of its width.
pub(super) fn paint(painter: &egui::Painter, place: Rect, share: f32) {
    let x = place.left() + place.width() * share;
    painter.vline(x, place.y_range(), Stroke::new(3.0, theme::chip()));
    painter.vline(x, place.y_range(), Stroke::new(1.0, theme::on_chip()));
    let handle = Pos2::new(x, place.center().y);
    painter.circle(handle, 9.0, theme::chip(), Stroke::new(1.0, theme::on_chip()));
    for way in [-1.0, 1.0] {
        let tip = handle + Vec2::new(way * 5.0, 0.0);
        for up in [-1.0, 1.0] {
            painter.line_segment(
                [tip, tip + Vec2::new(-way * 3.0, up * 3.0)],
                Stroke::new(1.0, theme::on_chip()),
            );
        }
    }
}

/// Moves the line to the pointer while it is dragged.
pub(super) fn drag(ui: &Ui, response: &Response, place: Rect, share: &mut f32) {
    let space = ui.input(|input| input.key_down(Key::Space));
    let by_hand = response.dragged_by(PointerButton::Primary) || response.clicked();
    if let Some(pointer) = response.interact_pointer_pos()
        && by_hand
        && !space
    {
        *share = ((pointer.x - place.left()) / place.width()).clamp(0.0, 1.0);
    }
}
