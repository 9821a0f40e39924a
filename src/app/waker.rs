//! Requests repaints from other threads, also after the eframe application was restarted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A handle to the current egui context, which a restart after a device loss replaces.
#[derive(Clone)]
pub(super) struct Waker(Arc<Mutex<egui::Context>>);

impl Waker {
    pub(super) fn new(ctx: &egui::Context) -> Self {
        Self(Arc::new(Mutex::new(ctx.clone())))
    }

    /// Replaces the context.
    pub(super) fn follow(&self, ctx: &egui::Context) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ctx.clone();
    }

    /// Requests a repaint.
    pub(super) fn wake(&self) {
        self.ctx().request_repaint();
    }

    /// Requests a repaint after a delay.
    pub(super) fn wake_after(&self, wait: Duration) {
        self.ctx().request_repaint_after(wait);
    }

    // Cloned, so that egui is not called while the lock is held.
    fn ctx(&self) -> egui::Context {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
