//! Wakes the window from other threads, also after its painter has started anew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The way to the window that is there now: a painter that starts anew brings another context.
#[derive(Clone)]
pub(super) struct Waker(Arc<Mutex<egui::Context>>);

impl Waker {
    pub(super) fn new(ctx: &egui::Context) -> Self {
        Self(Arc::new(Mutex::new(ctx.clone())))
    }

    /// From now on the window of this context is woken.
    pub(super) fn follow(&self, ctx: &egui::Context) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ctx.clone();
    }

    /// Has the window drawn again.
    pub(super) fn wake(&self) {
        self.ctx().request_repaint();
    }

    /// Has the window drawn again after a while.
    pub(super) fn wake_after(&self, wait: Duration) {
        self.ctx().request_repaint_after(wait);
    }

    // Cloned, so that nothing is called while the lock is held.
    fn ctx(&self) -> egui::Context {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
