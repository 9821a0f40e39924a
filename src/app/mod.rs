//! eframe glue: the window, dialogs, dropped files, saving, settings.

mod autosave;
mod background;
mod dialogs;
mod display;
mod dropping;
mod files;
mod frame;
mod guard;
mod keeping;
mod locks;
mod monitor;
mod painter;
mod questions;
mod recovery;
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

/// Where previews fitted to VAEs are kept.
fn fits_folder() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "safelight")?.cache_dir().join("previews"))
}
