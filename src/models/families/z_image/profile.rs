//! What is known of a Z-Image model from its configuration.

use candle_core::DType;

use super::super::flow_model::{VAE, image_tokens};
use super::super::flow_profile::{
    self, LATENT_EDGE, Special, check_width, names, read_part, read_scheduler, read_vae,
};
use crate::catalog::{GuidanceKind, ModelProfile};
use crate::diffusion::SchedulerConfig;
use crate::latent::LatentShape;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::mmdit::z_image::ZImageConfig;
use crate::networks::qwen3::Qwen3Config;
use crate::store::Checkpoint;

/// The family, for people.
pub(super) const FAMILY: &str = "Z-Image";
/// The parts with weights, in the order in which they are loaded.
pub(super) const PARTS: [&str; 3] = [TEXT, TRANSFORMER, VAE];
pub(super) const TEXT: &str = "text_encoder";
pub(super) const TOKENIZER: &str = "tokenizer";
pub(super) const TRANSFORMER: &str = "transformer";

/// diffusers' pipelines that draw with Z-Image's own networks and differ only in what is done around them.
const PIPELINES: [&str; 5] = [
    "ZImagePipeline",
    "ZImageImg2ImgPipeline",
    "ZImageInpaintPipeline",
    "ZImageControlNetPipeline",
    "ZImageControlNetInpaintPipeline",
];

/// Tokens of a prompt that are read at most.
const MAX_TOKENS: usize = 512;
/// Rows of a token's width that a block holds at once, a part of them.
const ROWS_OF_A_BLOCK: u64 = 10;
/// The shift of the distilled model's times.
const TURBO_SHIFT: f64 = 3.0;

/// Whether a checkpoint is Z-Image's. A class that diffusers does not have opens if its parts are.
pub(super) fn matches(checkpoint: &Checkpoint) -> bool {
    PIPELINES.contains(&checkpoint.class_name())
        || checkpoint.part_class(TRANSFORMER) == Some("ZImageTransformer2DModel")
}

/// The configurations of a model's parts.
pub(super) struct Configs {
    pub(super) text: Qwen3Config,
    pub(super) transformer: ZImageConfig,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
}

impl Configs {
    /// Reads and checks each file, and whether they go together.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let configs = Self {
            text: read_part(checkpoint, TEXT, Qwen3Config::check)?,
            transformer: read_part(checkpoint, TRANSFORMER, ZImageConfig::check)?,
            vae: read_vae(checkpoint)?,
            scheduler: read_scheduler(checkpoint, FAMILY, SchedulerConfig::with_even_flow_times)?,
        };
        let Self { text, transformer, vae, .. } = &configs;
        check_width("states", transformer.cap_feat_dim, "the text encoder", text.hidden_size)?;
        check_width("latents", transformer.in_channels, "the VAE", vae.latent_channels)?;
        Ok(configs)
    }

    /// Layers of the language model whose states are read: all but the last.
    pub(super) fn text_layers(&self) -> usize {
        self.text.num_hidden_layers - 1
    }

    /// Bytes that a step takes beside the weights, an estimate.
    pub(super) fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let tokens = (image_tokens(latent) + MAX_TOKENS) as u64;
        let row = self.transformer.dim as u64 * dtype.size_in_bytes() as u64;
        tokens.saturating_mul(ROWS_OF_A_BLOCK * row)
    }
}

/// Steps and guidance that a model's authors suggest: 8 steps without guidance for Turbo, and for what is neither named
/// Turbo nor has another shift. `names`: the model's, in lower case.
///
/// diffusers' pipeline counts guidance from 0, where 0 is none: the same scale is less by 1 there.
fn suggestions(names: &str, shift: f64) -> (usize, f64) {
    let is_turbo = names.contains("turbo") || (shift == TURBO_SHIFT && !names.contains("base"));
    if is_turbo { (8, 1.0) } else { (50, 5.0) }
}

/// What the configuration says of a model; the VAE's hash is not known yet.
pub(super) fn profile_of(checkpoint: &Checkpoint, configs: &Configs, parameters: u64) -> ModelProfile {
    let Configs { vae, scheduler, .. } = configs;
    let (steps, guidance_scale) = suggestions(&names(checkpoint), scheduler.shift);
    let special = Special {
        family: FAMILY,
        guidance: GuidanceKind::ClassifierFree,
        steps,
        guidance_scale,
        latent_edge: LATENT_EDGE,
        remarks: Vec::new(),
    };
    flow_profile::profile_of(checkpoint, vae, scheduler, parameters, special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        assert_eq!(suggestions("z-image-turbo", 3.0), (8, 1.0));
        assert_eq!(suggestions("my-finetune", 3.0), (8, 1.0));
        assert_eq!(suggestions("z-image", 6.0), (50, 5.0));
        assert_eq!(suggestions("z-image-base", 3.0), (50, 5.0));
    }
}
