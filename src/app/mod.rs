//! eframe glue: the window, dialogs, dropped files, saving, settings.

mod background;
mod dialogs;
mod files;
mod monitor;
mod questions;
mod settings;
mod window;

use std::sync::Arc;

use anyhow::anyhow;
use eframe::egui_wgpu::{WgpuSetup, WgpuSetupCreateNew};

pub use settings::{Settings, ThemeChoice};
pub use window::Window;

/// Opens the window and returns when it is closed.
pub fn run() -> anyhow::Result<()> {
    let (settings, notice) = Settings::load();
    let viewport = egui::ViewportBuilder::default()
        .with_title("Safelight")
        .with_app_id("safelight")
        .with_inner_size(settings.window_size)
        .with_min_inner_size([840.0, 540.0])
        .with_drag_and_drop(true);
    let mut options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    if let WgpuSetup::CreateNew(setup) = &mut options.wgpu_options.wgpu_setup {
        ask_for_what_there_is(setup);
    }
    eframe::run_native(
        "safelight",
        options,
        Box::new(move |context| Ok(Box::new(Window::new(context, settings, notice)?))),
    )
    .map_err(|error| anyhow!("the window could not be opened: {error}. Install a graphics driver (Vulkan or OpenGL), or use the command line: safelight generate --help"))
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
