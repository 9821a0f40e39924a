//! Where a model is.

use std::path::{Path, PathBuf};

use super::PredictionType;

/// Where a model is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// The model inside the program.
    #[default]
    Builtin,
    /// A folder in diffusers' layout, or a file with a whole model.
    Folder(PathBuf),
    /// A model from several files.
    Parts(Box<ModelParts>),
}

/// A model whose parts are in several files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ModelParts {
    /// A folder in diffusers' layout, or a file with a model.
    pub model: PathBuf,
    /// A file whose UNet or transformer stands in for the model's.
    pub diffusion_model: Option<PathBuf>,
    /// Files whose text encoders stand in for the model's first, second and third, or complete it.
    pub text_encoders: [Option<PathBuf>; 3],
    /// A file whose autoencoder stands in for the model's, or completes it.
    pub vae: Option<PathBuf>,
    /// A folder in diffusers' layout whose configurations and tokenizers count; its weights do not.
    pub configuration: Option<PathBuf>,
    /// What the network predicts, where its files do not say or are wrong.
    pub prediction: Option<PredictionType>,
}

impl ModelParts {
    /// Whether nothing but the model itself is named.
    pub fn has_no_others(&self) -> bool {
        *self == Self { model: self.model.clone(), ..Self::default() }
    }
}

impl ModelSource {
    /// What the network is said to predict, whatever its files say.
    pub fn prediction(&self) -> Option<PredictionType> {
        if let Self::Parts(parts) = self { parts.prediction } else { None }
    }

    /// `builtin` or a folder, as on the command line.
    pub fn from_argument(argument: &str) -> Self {
        if argument == "builtin" { Self::Builtin } else { Self::Folder(argument.into()) }
    }

    /// The name of the folder, or "Built-in".
    pub fn short_name(&self) -> String {
        match self {
            Self::Builtin => "Built-in".to_owned(),
            Self::Folder(path) => last_name(path),
            Self::Parts(parts) => last_name(&parts.model),
        }
    }
}

fn last_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
