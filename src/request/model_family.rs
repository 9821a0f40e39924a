//! Model families, and what one loaded model can do.

use std::path::PathBuf;

use super::{ImageSize, SamplerKind};
use crate::latent::LatentFormat;

/// Which model to use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelChoice {
    /// The model inside the program.
    #[default]
    Builtin,
    /// A folder in diffusers' layout.
    Folder(PathBuf),
}

impl ModelChoice {
    /// `builtin` or a folder, as on the command line.
    pub fn from_argument(argument: &str) -> Self {
        if argument == "builtin" { Self::Builtin } else { Self::Folder(argument.into()) }
    }

    /// A short name: the folder's own name, or "Built-in".
    pub fn short_name(&self) -> String {
        match self {
            Self::Builtin => "Built-in".to_owned(),
            Self::Folder(path) => path
                .file_name()
                .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned()),
        }
    }
}

/// A family of models that share code and latent format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum ModelFamily {
    /// SD 1.x, its fine-tunes, and small models of the same design.
    StableDiffusion1,
    /// SD 2.x.
    StableDiffusion2,
}

impl ModelFamily {
    /// The family's name as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StableDiffusion1 => "Stable Diffusion 1",
            Self::StableDiffusion2 => "Stable Diffusion 2",
        }
    }
}

/// What the network's output means: diffusers' `prediction_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PredictionType {
    /// The noise (Ho et al. 2020).
    #[default]
    #[serde(rename = "epsilon")]
    Epsilon,
    /// The velocity `α·ε − σ·x₀` (Salimans & Ho 2022).
    #[serde(rename = "v_prediction")]
    V,
    /// The flow `ε − x₀` (Lipman et al. 2022; SD3, FLUX).
    #[serde(rename = "flow_prediction")]
    Flow,
}

/// What a model suggests where a person says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelDefaults {
    /// Picture size.
    pub size: ImageSize,
    /// Sampling steps.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 is off.
    pub guidance_scale: f64,
    /// The sampler that suits the model.
    pub sampler: SamplerKind,
}

/// What is known of a model once its configuration was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelProfile {
    /// Which model it is.
    pub choice: ModelChoice,
    /// Its name for people.
    pub name: String,
    /// Its family.
    pub family: ModelFamily,
    /// Its latents.
    pub format: LatentFormat,
    /// What its network predicts.
    pub prediction: PredictionType,
    /// Both edges of a picture are multiples of this, pixels.
    pub size_multiple: usize,
    /// Suggestions.
    pub defaults: ModelDefaults,
    /// Whether guidance and negative prompts do something (not for guidance-distilled models).
    pub uses_guidance: bool,
    /// Parameters of all networks.
    pub parameters: u64,
    /// Hash of the VAE's weights (blake3, hex): the key of fitted previews. Empty until the weights were read.
    pub vae_hash: String,
}

#[cfg(test)]
impl ModelProfile {
    /// A small model that only tests know.
    pub(crate) fn made_up() -> Self {
        Self {
            choice: ModelChoice::Builtin,
            name: "Built-in".into(),
            family: ModelFamily::StableDiffusion1,
            format: LatentFormat::STABLE_DIFFUSION,
            prediction: PredictionType::V,
            size_multiple: 32,
            defaults: ModelDefaults {
                size: ImageSize::new(64, 64),
                steps: 4,
                guidance_scale: 3.0,
                sampler: SamplerKind::Ddim,
            },
            uses_guidance: true,
            parameters: 1,
            vae_hash: String::new(),
        }
    }
}
