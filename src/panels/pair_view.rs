//! How two that are compared are shown, which stays while none are.

use egui::Vec2;

/// Flips of a blink in a second, the least and the most. Flashes that are faster than three a second can harm (WCAG 2.3.1).
pub(super) const RATES: std::ops::RangeInclusive<f32> = 0.5..=3.0;

/// How two are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PairMode {
    /// Beside each other.
    #[default]
    Beside,
    /// On both sides of a line that can be moved.
    Wipe,
    /// One after the other in one place.
    Blink,
    /// Where they differ, and by how much.
    Difference,
}

/// What is shown of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PairQuantity {
    /// The picture; a preview of the latent where there is none.
    #[default]
    Picture,
    /// The latent, or one of its channels.
    Latent,
}

/// How two that are compared are shown.
#[derive(Debug)]
pub(super) struct PairView {
    pub(super) mode: PairMode,
    pub(super) quantity: PairQuantity,
    /// The channel of the latents; `None` for all.
    pub(super) channel: Option<usize>,
    /// Flips of a blink in a second.
    pub(super) rate: f32,
    /// Whether a blink flips by its key alone.
    pub(super) is_paused: bool,
    pub(super) shows_second: bool,
    /// When it last flipped, seconds.
    pub(super) flipped_at: f64,
    /// The size of the part of the window that showed the first in the last frame, points.
    pub(super) room: Vec2,
}

impl Default for PairView {
    fn default() -> Self {
        Self {
            mode: PairMode::default(),
            quantity: PairQuantity::default(),
            channel: None,
            rate: 1.5,
            is_paused: false,
            shows_second: false,
            flipped_at: 0.0,
            room: Vec2::splat(1.0),
        }
    }
}

impl PairView {
    /// Chooses a mode. `is_still`: whether nothing is to move by itself.
    pub(super) fn choose(&mut self, mode: PairMode, is_still: bool) {
        if mode == PairMode::Blink && self.mode != mode {
            self.is_paused = is_still;
        }
        self.mode = mode;
    }

    /// Shows the other of both, and no longer flips by itself.
    pub(super) fn flip(&mut self) {
        (self.shows_second, self.is_paused) = (!self.shows_second, true);
    }

    /// Flips when it is time to. Returns the seconds until the next time.
    pub(super) fn tick(&mut self, now: f64) -> Option<f64> {
        if self.is_paused {
            return None;
        }
        let period = 1.0 / f64::from(self.rate);
        if now - self.flipped_at >= period {
            (self.shows_second, self.flipped_at) = (!self.shows_second, now);
        }
        Some(self.flipped_at + period - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blink_flips_at_its_rate_until_it_is_done_by_hand() {
        let mut view = PairView { rate: 2.0, ..PairView::default() };
        view.choose(PairMode::Blink, false);
        let mut flips = |times: &[f64]| {
            times.iter().map(|now| (view.tick(*now), view.shows_second).1).collect::<Vec<_>>()
        };
        assert_eq!(flips(&[10.0, 10.2, 10.49, 10.5, 10.9, 11.0]), [true, true, true, false, false, true]);
        view.flip();
        assert_eq!((view.tick(20.0), view.shows_second), (None, false));
        // With less motion it does not begin by itself.
        view.choose(PairMode::Wipe, true);
        view.is_paused = false;
        view.choose(PairMode::Blink, true);
        assert!(view.is_paused);
    }
}
