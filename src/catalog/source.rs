//! Where a model is.

use std::path::PathBuf;

/// Where a model is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// The model inside the program.
    #[default]
    Builtin,
    /// A folder in diffusers' layout.
    Folder(PathBuf),
}

impl ModelSource {
    /// `builtin` or a folder, as on the command line.
    pub fn from_argument(argument: &str) -> Self {
        if argument == "builtin" { Self::Builtin } else { Self::Folder(argument.into()) }
    }

    /// The name of the folder, or "Built-in".
    pub fn short_name(&self) -> String {
        match self {
            Self::Builtin => "Built-in".to_owned(),
            Self::Folder(path) => path
                .file_name()
                .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned()),
        }
    }
}
