//! Limits the window's initial size to its monitor's.

use egui::{Rect, Vec2, ViewportCommand};

/// Seconds after startup in which the window manager may still add its frame.
const SETTLE_SECS: f64 = 2.0;

/// Shrinks a newly opened window if it is larger than its monitor, title bar and borders included. Returns whether the
/// check is finished; after that the size is up to the user.
pub(super) fn fit_to_monitor(ctx: &egui::Context) -> bool {
    let (known, time) = ctx.input(|input| {
        let viewport = input.viewport();
        (viewport.inner_rect.zip(viewport.outer_rect).zip(viewport.monitor_size), input.time)
    });
    let size = known.and_then(|((inner, outer), monitor)| fitting_size(inner, outer, monitor));
    if let Some(size) = size {
        ctx.send_viewport_cmd(ViewportCommand::InnerSize(size));
    }
    size.is_some() || time > SETTLE_SECS
}

/// The inner size, points, at which the outer size fits the monitor; `None` if it fits already.
fn fitting_size(inner: Rect, outer: Rect, monitor: Vec2) -> Option<Vec2> {
    let beyond = (outer.size() - monitor).max(Vec2::ZERO);
    (beyond != Vec2::ZERO && monitor.min_elem() > 0.0).then(|| inner.size() - beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oversized_window_shrinks_to_its_monitor() {
        let inner = Rect::from_min_size(egui::pos2(1.0, 20.0), Vec2::new(1280.0, 800.0));
        let outer = Rect::from_min_size(egui::Pos2::ZERO, Vec2::new(1282.0, 821.0));
        assert_eq!(fitting_size(inner, outer, Vec2::new(1280.0, 800.0)), Some(Vec2::new(1278.0, 779.0)));
        assert_eq!(fitting_size(inner, outer, Vec2::new(1920.0, 1080.0)), None);
        assert_eq!(fitting_size(inner, outer, Vec2::ZERO), None);
    }
}
