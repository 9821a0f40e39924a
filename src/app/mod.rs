//! The desktop application: eframe window, dialogs, dropped files, saving, settings, crash recovery.

mod autosave;
mod background;
mod desktop_services;
mod dialogs;
mod display;
mod downloads;
mod dropping;
mod file_request;
mod files;
mod frame;
mod graphics;
mod grid_files;
mod guard;
mod history;
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

pub use crate::panels::ThemeChoice;
pub use settings::Settings;
pub use start::run;
pub use window::Window;

use crate::store::preview_cache::folder_of_system as fits_folder;

/// The name of the program's desktop entry, which desktops know its windows and notifications by. In a Flatpak it is the
/// name of the application.
fn desktop_entry() -> String {
    std::env::var("FLATPAK_ID").unwrap_or_else(|_| "safelight".to_owned())
}
