//! Files that were dropped on the window, until it is known where.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the place of a drop is awaited. X11 tells it only after the drag has ended, when the pointer is the window's
/// again.
const PLACE_FOLLOWS: Duration = Duration::from_millis(250);

/// Dropped files whose place is awaited.
#[derive(Default)]
pub(super) struct Dropping {
    paths: Vec<PathBuf>,
    since: Option<Instant>,
}

impl Dropping {
    /// Takes in the files that were dropped in this frame; gives those whose place is known, or is no longer awaited,
    /// and the place.
    pub(super) fn take(&mut self, ctx: &egui::Context) -> Option<(Vec<PathBuf>, Option<egui::Pos2>)> {
        let place = ctx.input(|input| {
            self.paths.extend(input.raw.dropped_files.iter().map(|file| file.path().to_owned()));
            input.pointer.latest_pos()
        });
        if self.paths.is_empty() {
            return None;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if place.is_none() && since.elapsed() < PLACE_FOLLOWS {
            ctx.request_repaint_after(PLACE_FOLLOWS / 5);
            return None;
        }
        self.since = None;
        Some((std::mem::take(&mut self.paths), place))
    }
}
