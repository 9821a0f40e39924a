//! What is known of a model once its configuration was read.

use super::{GuidanceKind, ImageSize, ModelSource, PredictionType, SamplerKind};
use crate::latent::LatentFormat;

/// The most steps a run can take: the one bound of all windows, commands and schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLimits {
    /// Timesteps of training.
    pub train: usize,
    /// Steps the teacher of a latent consistency model took, of which its steps are a part.
    pub distilled: usize,
}

impl Default for StepLimits {
    /// diffusers' defaults.
    fn default() -> Self {
        Self { train: 1000, distilled: 50 }
    }
}

impl StepLimits {
    /// The most steps of a run with this sampler.
    pub fn most(self, sampler: SamplerKind) -> usize {
        if sampler.is_distilled() { self.distilled.min(self.train) } else { self.train }
    }
}

/// What a model suggests where a person says nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelDefaults {
    /// Picture size.
    pub size: ImageSize,
    /// Sampling steps.
    pub steps: usize,
    /// The guidance scale; 1 is off.
    pub guidance_scale: f64,
    /// The sampler that suits the model.
    pub sampler: SamplerKind,
}

/// What is known of a model once its configuration was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelProfile {
    /// Which model it is.
    pub source: ModelSource,
    /// Its name for people.
    pub name: String,
    /// Its family, as people write it: "Stable Diffusion 1".
    pub family: &'static str,
    /// Its latents.
    pub format: LatentFormat,
    /// What its network predicts.
    pub prediction: PredictionType,
    /// Both edges of a picture are multiples of this, pixels.
    pub size_multiple: usize,
    /// Suggestions.
    pub defaults: ModelDefaults,
    /// What a guidance scale and a negative prompt do.
    pub guidance: GuidanceKind,
    /// The most steps a run can take.
    pub step_limits: StepLimits,
    /// What a person should know of how this model is drawn, one sentence each.
    pub remarks: Vec<String>,
    /// Tokens that the folder adds to the vocabulary, such as those of textual inversion.
    pub added_tokens: Vec<String>,
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
            source: ModelSource::Builtin,
            name: "Built-in".into(),
            family: "Stable Diffusion 1",
            format: LatentFormat::STABLE_DIFFUSION,
            prediction: PredictionType::V,
            size_multiple: 32,
            defaults: ModelDefaults {
                size: ImageSize::new(64, 64),
                steps: 4,
                guidance_scale: 3.0,
                sampler: SamplerKind::Ddim,
            },
            guidance: GuidanceKind::ClassifierFree,
            step_limits: StepLimits::default(),
            remarks: Vec::new(),
            added_tokens: Vec::new(),
            parameters: 1,
            vae_hash: String::new(),
        }
    }
}
