//! The indicator of work in progress, which takes little time from the work itself.

use std::f32::consts::TAU;
use std::time::Duration;

use egui::{Sense, Stroke, Ui, Vec2};

use super::desk::Desk;
use super::theme;

const RADIUS: f32 = 11.0;
/// Time between two frames of the indicator: at the display's rate the whole window would be drawn for a dot.
const FRAME: Duration = Duration::from_millis(100);
/// Time of one turn, seconds.
const TURN: f64 = 1.6;

/// A dot that moves around a circle. It stands still with less motion, and with a software adapter: there each frame
/// would take time from the networks.
pub(super) fn waiting_ui(ui: &mut Ui, desk: &Desk) {
    let colour = theme::accent(ui.visuals().dark_mode);
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(2.0 * RADIUS + 6.0), Sense::hover());
    let turn = if !desk.reduced_motion && desk.latents.as_ref().is_some_and(|latents| !latents.is_software())
    {
        ui.ctx().request_repaint_after(FRAME);
        (ui.input(|input| input.time) / TURN).fract() as f32
    } else {
        0.0
    };
    ui.painter().circle_stroke(rect.center(), RADIUS, Stroke::new(1.5, colour.gamma_multiply(0.35)));
    let place = rect.center() + RADIUS * Vec2::angled(TAU * (turn - 0.25));
    ui.painter().circle_filled(place, 3.0, colour);
}
