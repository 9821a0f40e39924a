//! A model's profile: what its configuration says.

use super::{GuidanceKind, ImageSize, ModelSource, PredictionType, SamplerKind};
use crate::latent::LatentFormat;

/// The largest number of steps of a run. The window, the command line and the schedules share this bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLimits {
    /// Training timesteps.
    pub train: usize,
    /// Steps of the teacher of a latent consistency model; the steps of a run are a subset of them.
    pub distilled: usize,
}

impl Default for StepLimits {
    /// diffusers' defaults.
    fn default() -> Self {
        Self { train: 1000, distilled: 50 }
    }
}

impl StepLimits {
    /// The largest number of steps of a run with this sampler.
    pub fn most(self, sampler: SamplerKind) -> usize {
        if sampler.is_distilled() { self.distilled.min(self.train) } else { self.train }
    }
}

/// The settings a model suggests, used unless the user chooses others.
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

/// The options of prompt encoding and guidance that a model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptFeatures {
    /// Layers of its smallest CLIP text encoder, for CLIP skip; 0 in models that have no choice of layers.
    pub clip_layers: usize,
    /// The largest sequence length of a prompt, in models whose length can be chosen.
    pub max_tokens: Option<usize>,
    /// Whether classifier-free guidance is possible beside an embedded scale, or after distillation.
    pub true_guidance: bool,
    /// Whether the network has size conditioning (Stable Diffusion XL).
    pub size_conditions: bool,
    /// Layers that skip-layer guidance can skip; 0 in models without it.
    pub skip_layers: usize,
}

/// A model's identity, capabilities and defaults, known once its configuration was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelProfile {
    /// Where it is.
    pub source: ModelSource,
    /// The name shown to users.
    pub name: String,
    /// The family's usual name, such as "Stable Diffusion 1".
    pub family: &'static str,
    /// The format of its latents.
    pub format: LatentFormat,
    /// What the denoiser predicts.
    pub prediction: PredictionType,
    /// Whether its files leave open what that is, so that a person may have to say it.
    pub prediction_is_open: bool,
    /// Both edges of a picture are multiples of this, pixels.
    pub size_multiple: usize,
    /// Suggested settings.
    pub defaults: ModelDefaults,
    /// What a guidance scale and a negative prompt do.
    pub guidance: GuidanceKind,
    /// The options of prompt encoding and guidance that it has.
    pub prompt_features: PromptFeatures,
    /// Bounds of the number of steps.
    pub step_limits: StepLimits,
    /// What a user should know about this model, such as settings that are not followed; one sentence each.
    pub remarks: Vec<String>,
    /// Tokens that its folder adds to the vocabulary, such as those of textual inversion.
    pub added_tokens: Vec<String>,
    /// Number of parameters of all networks.
    pub parameters: u64,
    /// Hash of the VAE's weights (blake3, hex): the key of fitted previews. Empty until the weights are read.
    pub vae_hash: String,
}

impl ModelProfile {
    /// Whether classifier-free guidance is possible, by its guidance scale or beside it.
    pub fn can_be_guided_classifier_free(&self) -> bool {
        self.guidance.takes_negative_prompt() || self.prompt_features.true_guidance
    }
}

#[cfg(test)]
impl ModelProfile {
    /// A small model for tests.
    pub(crate) fn made_up() -> Self {
        Self {
            source: ModelSource::Builtin,
            name: "Built-in".into(),
            family: "Stable Diffusion 1",
            format: LatentFormat::STABLE_DIFFUSION,
            prediction: PredictionType::V,
            prediction_is_open: false,
            size_multiple: 32,
            defaults: ModelDefaults {
                size: ImageSize::new(64, 64),
                steps: 4,
                guidance_scale: 3.0,
                sampler: SamplerKind::Ddim,
            },
            guidance: GuidanceKind::ClassifierFree,
            prompt_features: PromptFeatures::default(),
            step_limits: StepLimits::default(),
            remarks: Vec::new(),
            added_tokens: Vec::new(),
            parameters: 1,
            vae_hash: String::new(),
        }
    }
}
