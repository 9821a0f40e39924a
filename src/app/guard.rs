//! Wraps the eframe application in the winit event loop. After a device loss the application is dropped before it
//! paints again: both painting and dropping it can panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eframe::{EframeWinitApplication, UserEvent};
use winit::application::ApplicationHandler;
use winit::event::{DeviceEvent, DeviceId, StartCause, WindowEvent};
use winit::event_loop::ActiveEventLoop;
use winit::window::WindowId;

use super::graphics::DeviceWatch;

/// An eframe application that is dropped, ending the event loop, once its graphics device is lost.
pub(super) struct Guard<'a> {
    app: Option<EframeWinitApplication<'a>>,
    watch: DeviceWatch,
    panic: Option<Box<dyn Any + Send>>,
}

/// How the eframe application ended.
pub(super) enum Ended {
    /// The window was closed, or never opened.
    Closed,
    /// Its graphics device was lost.
    Lost,
    /// It panicked for another reason: a bug.
    Panicked(Box<dyn Any + Send>),
}

impl<'a> Guard<'a> {
    pub(super) fn new(app: EframeWinitApplication<'a>, watch: DeviceWatch) -> Self {
        Self { app: Some(app), watch, panic: None }
    }

    /// Drops the application and returns how it ended.
    pub(super) fn end(mut self) -> Ended {
        drop_app(self.app.take());
        // A panic after the device loss is a consequence of the loss, not a bug.
        if self.watch.is_lost() {
            return Ended::Lost;
        }
        self.panic.map_or(Ended::Closed, Ended::Panicked)
    }

    fn forward(&mut self, event_loop: &ActiveEventLoop, event: impl FnOnce(&mut EframeWinitApplication<'a>)) {
        let Some(app) = &mut self.app else { return };
        if !self.watch.is_lost() {
            let passed = catch_unwind(AssertUnwindSafe(|| event(app)));
            self.panic = passed.err();
        }
        if self.panic.is_some() || self.watch.is_lost() {
            drop_app(self.app.take());
            event_loop.exit();
        }
    }
}

/// Drops the application. If its device was lost in the middle of a frame, dropping it panics, because wgpu-hal's
/// swapchain expects the frame to have been presented. That panic is silenced: nothing uses the application any more.
fn drop_app(app: Option<EframeWinitApplication<'_>>) {
    let Some(app) = app else { return };
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let _ = catch_unwind(AssertUnwindSafe(|| drop(app)));
    std::panic::set_hook(hook);
}

impl ApplicationHandler<UserEvent> for Guard<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        self.forward(event_loop, |app| app.resumed(event_loop));
    }

    fn suspended(&mut self, event_loop: &ActiveEventLoop) {
        self.forward(event_loop, |app| app.suspended(event_loop));
    }

    fn new_events(&mut self, event_loop: &ActiveEventLoop, cause: StartCause) {
        self.forward(event_loop, |app| app.new_events(event_loop, cause));
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, event: UserEvent) {
        self.forward(event_loop, |app| app.user_event(event_loop, event));
    }

    fn window_event(&mut self, event_loop: &ActiveEventLoop, window: WindowId, event: WindowEvent) {
        self.forward(event_loop, |app| app.window_event(event_loop, window, event));
    }

    fn device_event(&mut self, event_loop: &ActiveEventLoop, device: DeviceId, event: DeviceEvent) {
        self.forward(event_loop, |app| app.device_event(event_loop, device, event));
    }

    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        self.forward(event_loop, |app| app.about_to_wait(event_loop));
    }

    fn exiting(&mut self, event_loop: &ActiveEventLoop) {
        self.forward(event_loop, |app| app.exiting(event_loop));
    }

    fn memory_warning(&mut self, event_loop: &ActiveEventLoop) {
        self.forward(event_loop, |app| app.memory_warning(event_loop));
    }
}
