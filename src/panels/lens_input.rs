//! Zoom and pan by wheel, pinch and drag, and where a picture then lies.

use egui::emath::GuiRounding as _;
use egui::{Key, PointerButton, Rect, Response, Ui, Vec2};

use crate::session::Lens;

/// Where a whole picture of `size` pixels lies in a part of the window, over whose edges it may reach. Its corner is on a
/// pixel of the screen.
pub(super) fn place(lens: Lens, size: Vec2, room: Rect, pixels_per_point: f32) -> Rect {
    let (own, room_size) = (size.into(), room.size().into());
    let corner = room.center() + Vec2::from(lens.corner(own, room_size));
    Rect::from_min_size(corner.round_to_pixels(pixels_per_point), size * lens.scale(own, room_size))
}

/// The lens after the wheel, the pinches and the drags of this frame over `room`, which shows a picture of `size` pixels.
/// `drags`: whether dragging with the first button moves the picture; with the middle button or Space it always does.
pub(super) fn followed(
    ui: &Ui,
    response: &Response,
    lens: Lens,
    size: Vec2,
    room: Rect,
    drags: bool,
) -> Lens {
    let (size, room_size) = (size.into(), room.size().into());
    let mut lens = lens;
    let space = ui.input(|input| input.key_down(Key::Space)) && !ui.ctx().text_edit_focused();
    let moves = response.dragged_by(PointerButton::Middle)
        || (response.dragged_by(PointerButton::Primary) && (space || drags));
    if moves {
        lens = lens.moved(response.drag_delta().into(), size);
    }
    if response.double_clicked() {
        lens = Lens::default();
    }
    if let Some(pointer) = response.hover_pos() {
        let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = (scroll / 240.0).exp() * pinch;
        if (factor - 1.0).abs() > 1e-4 {
            lens = lens.zoomed(factor, (pointer - room.center()).into(), size, room_size);
        }
    }
    lens
}
