//! Between the event loop and the painter: a painter whose device is lost is put away before it paints again, for it
//! would panic, in the painting as in the putting away.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eframe::{EframeWinitApplication, UserEvent};
use winit::application::ApplicationHandler;
use winit::event::{DeviceEvent, DeviceId, StartCause, WindowEvent};
use winit::event_loop::ActiveEventLoop;
use winit::window::WindowId;

use super::painter::Watch;

/// A painter as long as its device is there.
pub(super) struct Guard<'a> {
    painter: Option<EframeWinitApplication<'a>>,
    watch: Watch,
    panic: Option<Box<dyn Any + Send>>,
}

/// How a painter ended.
pub(super) enum Ended {
    /// The window was closed, or never opened.
    Closed,
    /// Its device was lost.
    Lost,
    /// The program has a fault.
    Panicked(Box<dyn Any + Send>),
}

impl<'a> Guard<'a> {
    pub(super) fn new(painter: EframeWinitApplication<'a>, watch: Watch) -> Self {
        Self { painter: Some(painter), watch, panic: None }
    }

    /// Puts the painter away and says how it ended.
    pub(super) fn end(mut self) -> Ended {
        put_away(self.painter.take());
        // A painter without device panics, too; that is no fault of the program.
        if self.watch.is_lost() {
            return Ended::Lost;
        }
        self.panic.map_or(Ended::Closed, Ended::Panicked)
    }

    fn pass(&mut self, event_loop: &ActiveEventLoop, event: impl FnOnce(&mut EframeWinitApplication<'a>)) {
        let Some(painter) = &mut self.painter else { return };
        if !self.watch.is_lost() {
            let passed = catch_unwind(AssertUnwindSafe(|| event(painter)));
            self.panic = passed.err();
        }
        if self.panic.is_some() || self.watch.is_lost() {
            put_away(self.painter.take());
            event_loop.exit();
        }
    }
}

/// Drops a painter. One whose device was lost in the middle of a frame panics in that (wgpu-hal's swapchain expects
/// that the frame was shown); nothing depends on it any more.
fn put_away(painter: Option<EframeWinitApplication<'_>>) {
    let Some(painter) = painter else { return };
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let _ = catch_unwind(AssertUnwindSafe(|| drop(painter)));
    std::panic::set_hook(hook);
}

impl ApplicationHandler<UserEvent> for Guard<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |painter| painter.resumed(event_loop));
    }

    fn suspended(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |painter| painter.suspended(event_loop));
    }

    fn new_events(&mut self, event_loop: &ActiveEventLoop, cause: StartCause) {
        self.pass(event_loop, |painter| painter.new_events(event_loop, cause));
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, event: UserEvent) {
        self.pass(event_loop, |painter| painter.user_event(event_loop, event));
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, window: WindowId, event: WindowEvent) {
        self.pass(event_loop, |painter| painter.window_event(event_loop, window, event));
    }

    fn device_event(&mut self, event_loop: &ActiveEventLoop, device: DeviceId, event: DeviceEvent) {
        self.pass(event_loop, |painter| painter.device_event(event_loop, device, event));
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |painter| painter.about_to_wait(event_loop));
    }

    fn exiting(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |painter| painter.exiting(event_loop));
    }

    fn memory_warning(&mut self, event_loop: &ActiveEventLoop) {
        self.pass(event_loop, |painter| painter.memory_warning(event_loop));
    }
}
