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

/// A part of a model for which a file can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum PartRole {
    /// A text encoder, by its index from 0 to 2.
    TextEncoder(usize),
    /// The autoencoder.
    Vae,
}

impl PartRole {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextEncoder(_) => "text encoder",
            Self::Vae => "VAE",
        }
    }

    /// The command-line option for its file.
    pub fn option(self) -> &'static str {
        match self {
            Self::TextEncoder(0) => "--text-encoder",
            Self::TextEncoder(1) => "--text-encoder-2",
            Self::TextEncoder(_) => "--text-encoder-3",
            Self::Vae => "--vae",
        }
    }
}

impl ModelParts {
    /// The file named for a part.
    pub fn file(&self, role: PartRole) -> Option<&PathBuf> {
        match role {
            PartRole::TextEncoder(index) => self.text_encoders.get(index).and_then(Option::as_ref),
            PartRole::Vae => self.vae.as_ref(),
        }
    }

    /// Names a file for a part.
    pub fn set_file(&mut self, role: PartRole, file: PathBuf) {
        match role {
            PartRole::TextEncoder(index) => {
                if let Some(place) = self.text_encoders.get_mut(index) {
                    *place = Some(file);
                }
            }
            PartRole::Vae => self.vae = Some(file),
        }
    }

    /// The same with the files and the prediction of `other` where none are named here.
    #[must_use]
    pub fn completed_by(self, other: &Self) -> Self {
        let [first, second, third] = self.text_encoders;
        let of = &other.text_encoders;
        Self {
            model: self.model,
            diffusion_model: self.diffusion_model.or_else(|| other.diffusion_model.clone()),
            text_encoders: [
                first.or_else(|| of[0].clone()),
                second.or_else(|| of[1].clone()),
                third.or_else(|| of[2].clone()),
            ],
            vae: self.vae.or_else(|| other.vae.clone()),
            configuration: self.configuration.or_else(|| other.configuration.clone()),
            prediction: self.prediction.or(other.prediction),
        }
    }

    /// Removes the names of files that do not exist any more, except for the model's own. Returns whether there were any.
    pub fn drop_missing_files(&mut self) -> bool {
        let mut dropped = false;
        let others = [&mut self.diffusion_model, &mut self.vae, &mut self.configuration];
        for file in others.into_iter().chain(&mut self.text_encoders) {
            dropped |= file.take_if(|file| !file.exists()).is_some();
        }
        dropped
    }

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

    /// The file or folder of the model itself; `None` for the built-in one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Builtin => None,
            Self::Folder(path) => Some(path),
            Self::Parts(parts) => Some(&parts.model),
        }
    }

    /// The same model, by paths that are the same from every working folder.
    #[must_use]
    pub fn absolute(&self) -> Self {
        // Only an empty path has no absolute one.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let each = |path: &Option<PathBuf>| path.as_ref().map(absolute);
        match self {
            Self::Builtin => Self::Builtin,
            Self::Folder(path) => Self::Folder(absolute(path)),
            Self::Parts(parts) => Self::Parts(Box::new(ModelParts {
                model: absolute(&parts.model),
                diffusion_model: each(&parts.diffusion_model),
                text_encoders: parts.text_encoders.each_ref().map(each),
                vae: each(&parts.vae),
                configuration: each(&parts.configuration),
                prediction: parts.prediction,
            })),
        }
    }

    /// The same model, whose network is said to predict this; `None` is what its files say.
    #[must_use]
    pub fn with_prediction(&self, prediction: Option<PredictionType>) -> Self {
        let parts = match self {
            Self::Builtin => return Self::Builtin,
            Self::Folder(path) => ModelParts { model: path.clone(), prediction, ..ModelParts::default() },
            Self::Parts(parts) => ModelParts { prediction, ..(**parts).clone() },
        };
        if parts.has_no_others() { Self::Folder(parts.model) } else { Self::Parts(Box::new(parts)) }
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
