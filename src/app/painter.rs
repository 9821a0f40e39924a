//! What the window is painted with, and what is done when that is lost: a driver that was reset or updated, a device
//! that was unplugged, memory of the device that is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eframe::egui_wgpu::{SurfaceErrorAction, WgpuSetup, WgpuSetupCreateNew};

/// Whether a painter has its device.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<State>);

#[derive(Default)]
struct State {
    has_begun: AtomicBool,
    is_lost: AtomicBool,
}

impl Watch {
    /// Whether the device was there and is lost.
    pub(super) fn is_lost(&self) -> bool {
        self.0.is_lost.load(Ordering::Acquire)
    }

    /// Whether the device was there.
    pub(super) fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::Acquire)
    }

    /// Watches a device from now on.
    pub(super) fn begin(&self, context: &eframe::CreationContext<'_>) {
        self.0.has_begun.store(true, Ordering::Release);
        let Some(state) = &context.wgpu_render_state else { return };
        let (watch, ctx) = (self.clone(), context.egui_ctx.clone());
        state.device.set_device_lost_callback(move |reason, message| {
            // Our own end of it is no loss.
            if reason != wgpu::DeviceLostReason::Destroyed {
                log::warn!("the graphics device says: {message}");
                watch.lose(&ctx);
            }
        });
        let (watch, ctx) = (self.clone(), context.egui_ctx.clone());
        state.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("the graphics device refuses its work: {error}");
            // One frame that is wrong is not worth more; a device without memory paints no other.
            if matches!(error, wgpu::Error::OutOfMemory { .. }) {
                watch.lose(&ctx);
            }
        }));
    }

    fn lose(&self, ctx: &egui::Context) {
        self.0.is_lost.store(true, Ordering::Release);
        ctx.request_repaint();
    }
}

/// How a window of this size is opened.
pub(super) fn options(
    size: [f32; 2],
    backends: Option<wgpu::Backends>,
    watch: &Watch,
) -> eframe::NativeOptions {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Safelight")
        .with_app_id("safelight")
        .with_inner_size(size)
        .with_min_inner_size([840.0, 540.0])
        .with_drag_and_drop(true);
    let mut options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    if let WgpuSetup::CreateNew(setup) = &mut options.wgpu_options.wgpu_setup {
        ask_for_what_there_is(setup);
        if let Some(backends) = backends {
            setup.instance_descriptor.backends = backends;
        }
    }
    let (watch, usual) = (watch.clone(), Arc::clone(&options.wgpu_options.on_surface_status));
    options.wgpu_options.on_surface_status = Arc::new(move |status| {
        // A lost device's surface cannot be made again.
        if watch.is_lost() { SurfaceErrorAction::SkipFrame } else { usual(status) }
    });
    options
}

/// Texture limits as large as the adapter's: previews are textures of picture size.
fn ask_for_what_there_is(setup: &mut WgpuSetupCreateNew) {
    setup.device_descriptor = Arc::new(|adapter| {
        let gl = adapter.get_info().backend == wgpu::Backend::Gl;
        let base = if gl { wgpu::Limits::downlevel_webgl2_defaults() } else { wgpu::Limits::default() };
        let edge = adapter.limits().max_texture_dimension_2d.min(16_384);
        wgpu::DeviceDescriptor {
            label: Some("safelight"),
            required_limits: wgpu::Limits { max_texture_dimension_2d: edge, ..base },
            ..wgpu::DeviceDescriptor::default()
        }
    });
}

/// Devices that were lost so long ago have nothing to do with the next one.
const MEMORY: Duration = Duration::from_mins(2);
/// So many losses in that time are enough.
const MOST: usize = 5;
/// From the loss of this number on another way to the device is tried.
const OTHER_WAY: usize = 2;

/// The devices that were lost lately.
#[derive(Default)]
pub(super) struct Losses {
    times: Vec<Instant>,
    /// Whether the usual way gave no device at all.
    found_none: bool,
}

/// What is done after a loss.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another painter, after a while in which a driver can come back.
    Again(Duration),
    /// No further one.
    GiveUp,
}

impl Losses {
    /// Whether a device was lost lately.
    pub(super) fn any(&self) -> bool {
        !self.times.is_empty()
    }

    /// Which ways to a device the next painter has: all at first, then OpenGL, which is another driver.
    pub(super) fn backends(&self) -> Option<wgpu::Backends> {
        let turns = self.found_none || self.times.len() >= OTHER_WAY;
        // Unless the person chose another one.
        let allowed = wgpu::Backends::from_env().is_none_or(|chosen| chosen.contains(wgpu::Backends::GL));
        (turns && allowed).then_some(wgpu::Backends::GL)
    }

    /// There was no device; whether there is another way to look for one.
    pub(super) fn find_another(&mut self) -> bool {
        let before = self.backends();
        self.found_none = true;
        self.backends() != before
    }

    /// A device was lost.
    pub(super) fn add(&mut self) -> Next {
        self.times.retain(|loss| loss.elapsed() < MEMORY);
        self.times.push(Instant::now());
        if self.times.len() >= MOST { Next::GiveUp } else { Next::Again(Duration::from_millis(500)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_fails_again_and_again_is_tried_by_another_way_and_then_given_up() {
        let mut losses = Losses::default();
        assert_eq!((losses.any(), losses.backends()), (false, None));
        let mut ways = Vec::new();
        while losses.add() != Next::GiveUp {
            ways.push(losses.backends());
        }
        let gl = Some(wgpu::Backends::GL);
        assert_eq!(ways, [None, gl, gl, gl]);
    }

    #[test]
    fn where_there_is_no_device_another_way_is_tried_once() {
        let mut losses = Losses::default();
        assert!(losses.find_another());
        assert_eq!(losses.backends(), Some(wgpu::Backends::GL));
        assert!(!losses.find_another());
    }

    #[test]
    fn a_loss_of_long_ago_does_not_count() {
        let Some(long_ago) = Instant::now().checked_sub(MEMORY) else { return };
        let mut losses = Losses { times: vec![long_ago; MOST], ..Losses::default() };
        assert!(matches!(losses.add(), Next::Again(_)));
        assert_eq!(losses.times.len(), 1);
    }
}
