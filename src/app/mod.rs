//! The desktop application: eframe window, dialogs, dropped files, saving, settings, crash recovery.

mod autosave;
mod background;
mod desktop_services;
mod dialogs;
mod display;
mod dropping;
mod file_request;
mod files;
mod frame;
mod graphics;
mod guard;
mod input_order;
mod library;
mod monitor;
mod persistence;
mod questions;
mod reasons;
mod recovery;
mod saved_engine;
mod saved_recipe;
mod saving;
#[cfg(target_os = "linux")]
mod session_bus;
mod settings;
mod settings_file;
mod signals;
mod start;
mod surroundings;
mod waker;
mod window;
#[cfg(target_os = "linux")]
mod zenity;

use std::path::PathBuf;

pub use crate::panels::ThemeChoice;
pub use settings::Settings;
pub use start::run;
pub use window::Window;

/// The cache folder for preview fits.
fn fits_folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "safelight")?.cache_dir().join("previews"))
}
