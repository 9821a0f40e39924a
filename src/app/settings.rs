//! What the program remembers between starts.

use std::path::PathBuf;

use directories::ProjectDirs;

use crate::formats::atomic::write_atomically;
use crate::panels::Language;
use crate::request::ModelChoice;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The settings file.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The interface's language.
    pub language: Language,
    /// The theme.
    pub theme: ThemeChoice,
    /// The model of the last start.
    pub model: ModelChoice,
    /// Folders of models, newest first.
    pub recent_models: Vec<PathBuf>,
    /// The folder of the last dialog.
    pub last_folder: Option<PathBuf>,
    /// Whether saved pictures hold their settings.
    pub save_metadata: bool,
    /// Inner size of the window, points.
    pub window_size: [f32; 2],
}

impl Default for Settings {
    fn default() -> Self {
        let locale = sys_locale::get_locale().unwrap_or_default();
        Self {
            language: Language::of_locale(&locale),
            theme: ThemeChoice::System,
            model: ModelChoice::Builtin,
            recent_models: Vec::new(),
            last_folder: None,
            save_metadata: true,
            window_size: [1280.0, 800.0],
        }
    }
}

fn file() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "safelight")?.config_dir().join("settings.json"))
}

/// Where previews fitted to VAEs are kept.
pub(super) fn fits_folder() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "safelight")?.cache_dir().join("previews"))
}

impl Settings {
    /// Reads the settings. A damaged file is set aside, and the second value says so.
    pub fn load() -> (Self, Option<String>) {
        let Some(path) = file() else { return (Self::default(), None) };
        let Ok(text) = std::fs::read_to_string(&path) else { return (Self::default(), None) };
        match serde_json::from_str::<Self>(&text) {
            Ok(mut settings) => {
                let [width, height] = settings.window_size;
                if !(400.0..=16_384.0).contains(&width) || !(300.0..=16_384.0).contains(&height) {
                    settings.window_size = Self::default().window_size;
                }
                (settings, None)
            }
            Err(error) => {
                let aside = path.with_extension("json.damaged");
                let kept = std::fs::rename(&path, &aside).is_ok();
                let place =
                    if kept { format!(" It was kept as {}.", aside.display()) } else { String::new() };
                (Self::default(), Some(format!("{error}.{place}")))
            }
        }
    }

    /// Writes the settings, whole or not at all.
    pub fn save(&self) -> anyhow::Result<()> {
        let Some(path) = file() else { return Ok(()) };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(self)?;
        write_atomically(&path, |file| std::io::Write::write_all(file, text.as_bytes()))?;
        Ok(())
    }
}
