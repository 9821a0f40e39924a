//! The desktop application: eframe window, dialogs, dropped files, saving, settings, crash recovery.

mod autosave;
mod background;
mod dialogs;
mod display;
mod dropping;
mod files;
mod frame;
mod graphics;
mod guard;
mod monitor;
mod persistence;
mod questions;
mod recovery;
mod saved_recipe;
mod saving;
mod settings;
mod settings_file;
mod signals;
mod start;
mod typing;
mod waker;
mod window;

use std::path::PathBuf;

pub use crate::panels::ThemeChoice;
pub use settings::Settings;
pub use start::run;
pub use window::Window;

/// The cache folder for preview fits.
fn fits_folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "safelight")?.cache_dir().join("previews"))
}
