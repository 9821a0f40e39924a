//! The window's graphics device: its options, and the policy after a device loss (a driver reset or update, an
//! unplugged device, exhausted GPU memory).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eframe::egui_wgpu::{SurfaceErrorAction, WgpuSetup, WgpuSetupCreateNew};

/// Observes whether the graphics device was created and whether it was lost.
#[derive(Clone, Default)]
pub(super) struct DeviceWatch(Arc<State>);

#[derive(Default)]
struct State {
    has_device: AtomicBool,
    is_lost: AtomicBool,
}

impl DeviceWatch {
    /// Whether the device was lost.
    pub(super) fn is_lost(&self) -> bool {
        self.0.is_lost.load(Ordering::Acquire)
    }

    /// Whether the device was created.
    pub(super) fn has_device(&self) -> bool {
        self.0.has_device.load(Ordering::Acquire)
    }

    /// Registers the device's error callbacks.
    pub(super) fn watch_device(&self, context: &eframe::CreationContext<'_>) {
        self.0.has_device.store(true, Ordering::Release);
        let Some(state) = &context.wgpu_render_state else { return };
        let (watch, ctx) = (self.clone(), context.egui_ctx.clone());
        state.device.set_device_lost_callback(move |reason, message| {
            // `Destroyed`: we dropped the device ourselves.
            if reason != wgpu::DeviceLostReason::Destroyed {
                log::warn!("the graphics device reported a loss: {message}");
                watch.mark_lost(&ctx);
            }
        });
        let (watch, ctx) = (self.clone(), context.egui_ctx.clone());
        state.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("graphics error: {error}");
            // Other errors spoil one frame only. A device out of memory cannot paint the next one either.
            if matches!(error, wgpu::Error::OutOfMemory { .. }) {
                watch.mark_lost(&ctx);
            }
        }));
    }

    fn mark_lost(&self, ctx: &egui::Context) {
        self.0.is_lost.store(true, Ordering::Release);
        ctx.request_repaint();
    }
}

/// The window's icon, PNG.
const ICON: &[u8] = include_bytes!("../../assets/icon/safelight-256.png");

/// The native options of a window. `size`: its inner size, points; `backends`: `None` for wgpu's default.
pub(super) fn native_options(
    size: [f32; 2],
    backends: Option<wgpu::Backends>,
    watch: &DeviceWatch,
) -> eframe::NativeOptions {
    let icon = eframe::icon_data::from_png_bytes(ICON);
    let viewport = egui::ViewportBuilder::default()
        .with_title("Safelight")
        .with_app_id(super::desktop_entry())
        .with_icon(icon.unwrap_or_default())
        .with_inner_size(size)
        .with_min_inner_size([840.0, 540.0])
        .with_drag_and_drop(true);
    let mut options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    if let WgpuSetup::CreateNew(setup) = &mut options.wgpu_options.wgpu_setup {
        raise_texture_limit(setup);
        if let Some(backends) = backends {
            setup.instance_descriptor.backends = backends;
        }
    }
    let (watch, usual) = (watch.clone(), Arc::clone(&options.wgpu_options.on_surface_status));
    options.wgpu_options.on_surface_status = Arc::new(move |status| {
        // The surface of a lost device cannot be reconfigured.
        if watch.is_lost() { SurfaceErrorAction::SkipFrame } else { usual(status) }
    });
    options
}

/// Requests the adapter's texture size limit, up to 16384, because previews are textures of picture size.
fn raise_texture_limit(setup: &mut WgpuSetupCreateNew) {
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

/// Losses older than this no longer count.
const LOSS_PERIOD: Duration = Duration::from_mins(2);
/// Number of losses within [`LOSS_PERIOD`] after which the program gives up.
const MAX_LOSSES: usize = 5;
/// Number of losses after which only OpenGL is used.
const LOSSES_BEFORE_GL: usize = 2;

/// The recent device losses, which decide whether and with which backend to retry.
#[derive(Default)]
pub(super) struct DeviceLosses {
    times: Vec<Instant>,
    /// Whether the default backends gave no device at all.
    no_device_found: bool,
}

/// What to do after a device loss.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LossAction {
    /// Retry after this delay, in which a driver may recover.
    Retry(Duration),
    /// Do not retry.
    GiveUp,
}

impl DeviceLosses {
    /// Whether a device was lost recently.
    pub(super) fn any(&self) -> bool {
        !self.times.is_empty()
    }

    /// The backends for the next attempt: `None` (wgpu's default) at first, then OpenGL, which uses another driver.
    pub(super) fn backends(&self) -> Option<wgpu::Backends> {
        let use_gl = self.no_device_found || self.times.len() >= LOSSES_BEFORE_GL;
        // `WGPU_BACKEND` may exclude OpenGL.
        let allowed = wgpu::Backends::from_env().is_none_or(|chosen| chosen.contains(wgpu::Backends::GL));
        (use_gl && allowed).then_some(wgpu::Backends::GL)
    }

    /// Records that no device was found. Returns whether another backend remains to try.
    pub(super) fn fall_back(&mut self) -> bool {
        let before = self.backends();
        self.no_device_found = true;
        self.backends() != before
    }

    /// Records a device loss and decides what to do.
    pub(super) fn add(&mut self) -> LossAction {
        self.times.retain(|loss| loss.elapsed() < LOSS_PERIOD);
        self.times.push(Instant::now());
        if self.times.len() >= MAX_LOSSES {
            LossAction::GiveUp
        } else {
            LossAction::Retry(Duration::from_millis(500))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_an_icon() {
        let options = native_options([840.0, 540.0], None, &DeviceWatch::default());
        let icon = options.viewport.icon.unwrap();
        assert_eq!((icon.width, icon.height, icon.rgba.len()), (256, 256, 256 * 256 * 4));
    }

    #[test]
    fn repeated_losses_fall_back_to_opengl_and_then_give_up() {
        let mut losses = DeviceLosses::default();
        assert_eq!((losses.any(), losses.backends()), (false, None));
        let mut attempts = Vec::new();
        while losses.add() != LossAction::GiveUp {
            attempts.push(losses.backends());
        }
        let gl = Some(wgpu::Backends::GL);
        assert_eq!(attempts, [None, gl, gl, gl]);
    }

    #[test]
    fn opengl_is_tried_once_when_no_device_is_found() {
        let mut losses = DeviceLosses::default();
        assert!(losses.fall_back());
        assert_eq!(losses.backends(), Some(wgpu::Backends::GL));
        assert!(!losses.fall_back());
    }

    #[test]
    fn old_losses_do_not_count() {
        let Some(long_ago) = Instant::now().checked_sub(LOSS_PERIOD) else { return };
        let mut losses = DeviceLosses { times: vec![long_ago; MAX_LOSSES], ..DeviceLosses::default() };
        assert!(matches!(losses.add(), LossAction::Retry(_)));
        assert_eq!(losses.times.len(), 1);
    }
}
