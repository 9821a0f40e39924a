//! A window no larger than its monitor.

use egui::{Rect, Vec2, ViewportCommand};

/// Makes the window smaller if it is larger than its monitor, title and borders included. Whether sizes were known.
pub(super) fn fit_to_monitor(ctx: &egui::Context) -> bool {
    let known = ctx.input(|input| {
        let viewport = input.viewport();
        Some((viewport.inner_rect?, viewport.outer_rect?, viewport.monitor_size?))
    });
    if let Some(size) = known.and_then(|(inner, outer, monitor)| fitting_size(inner, outer, monitor)) {
        ctx.send_viewport_cmd(ViewportCommand::InnerSize(size));
    }
    known.is_some()
}

/// The inner size with which the outer one fits, if it does not.
fn fitting_size(inner: Rect, outer: Rect, monitor: Vec2) -> Option<Vec2> {
    let beyond = (outer.size() - monitor).max(Vec2::ZERO);
    (beyond != Vec2::ZERO && monitor.min_elem() > 0.0).then(|| inner.size() - beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_made_smaller_by_what_is_beyond_its_monitor() {
        let inner = Rect::from_min_size(egui::pos2(1.0, 20.0), Vec2::new(1280.0, 800.0));
        let outer = Rect::from_min_size(egui::Pos2::ZERO, Vec2::new(1282.0, 821.0));
        assert_eq!(fitting_size(inner, outer, Vec2::new(1280.0, 800.0)), Some(Vec2::new(1278.0, 779.0)));
        assert_eq!(fitting_size(inner, outer, Vec2::new(1920.0, 1080.0)), None);
        assert_eq!(fitting_size(inner, outer, Vec2::ZERO), None);
    }
}
