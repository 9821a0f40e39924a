//! What is known of a FLUX.1 model from its configuration.

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
use crate::networks::clip::ClipTextConfig;
use crate::networks::mmdit::flux::FluxConfig;
use crate::networks::t5::T5Config;
use crate::store::Checkpoint;

/// The family, for people.
pub(super) const FAMILY: &str = "FLUX.1";
/// The parts with weights, in the order in which they are loaded.
pub(super) const PARTS: [&str; 4] = [TEXT_PARTS[0], TEXT_PARTS[1], TRANSFORMER, VAE];
/// The text encoders, CLIP and T5, and their tokenizers.
pub(super) const TEXT_PARTS: [&str; 2] = ["text_encoder", "text_encoder_2"];
pub(super) const TOKENIZERS: [&str; 2] = ["tokenizer", "tokenizer_2"];
pub(super) const TRANSFORMER: &str = "transformer";

/// diffusers' pipelines that draw with FLUX.1's own networks and differ only in what is done around them.
const PIPELINES: [&str; 10] = [
    "FluxPipeline",
    "FluxImg2ImgPipeline",
    "FluxInpaintPipeline",
    "FluxControlNetPipeline",
    "FluxControlNetImg2ImgPipeline",
    "FluxControlNetInpaintPipeline",
    "FluxKontextPipeline",
    "FluxKontextInpaintPipeline",
    "FluxFillPipeline",
    "FluxControlPipeline",
];

/// Tokens that T5 reads: for networks that are told a guidance scale (dev), and for those that are not (schnell).
const MAX_TOKENS: [usize; 2] = [512, 256];
/// Rows of a token's width that a block holds at once, a part of them: rather too few than too many, what fits is not
/// refused.
const ROWS_OF_A_BLOCK: u64 = 12;

/// Whether a checkpoint is FLUX.1's. A class that diffusers does not have opens if its parts are.
pub(super) fn matches(checkpoint: &Checkpoint) -> bool {
    let is = |part: &str, class: &str| checkpoint.part_class(part) == Some(class);
    PIPELINES.contains(&checkpoint.class_name())
        || is(TRANSFORMER, "FluxTransformer2DModel") && is(TEXT_PARTS[1], "T5EncoderModel")
}

/// The configurations of a model's parts.
pub(super) struct Configs {
    pub(super) clip: ClipTextConfig,
    pub(super) t5: T5Config,
    pub(super) transformer: FluxConfig,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
}

impl Configs {
    /// Reads and checks each file, and whether they go together.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let configs = Self {
            clip: read_part::<ClipTextConfig>(checkpoint, TEXT_PARTS[0], |_| Ok(()))?.of_text(),
            t5: read_part(checkpoint, TEXT_PARTS[1], T5Config::check)?,
            transformer: read_part(checkpoint, TRANSFORMER, FluxConfig::check)?,
            vae: read_vae(checkpoint)?,
            scheduler: read_scheduler(checkpoint, FAMILY, SchedulerConfig::with_even_flow_times)?,
        };
        configs.clip.check().map_err(ModelError::in_part(TEXT_PARTS[0]))?;
        let Self { clip, t5, transformer, vae, .. } = &configs;
        check_width("states", transformer.joint_attention_dim, "the second text encoder", t5.d_model)?;
        let pooled = transformer.pooled_projection_dim;
        check_width("pooled text", pooled, "the first text encoder", clip.hidden_size)?;
        check_width("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        Ok(configs)
    }

    /// Tokens of a prompt that T5 reads.
    pub(super) fn max_tokens(&self) -> usize {
        MAX_TOKENS[usize::from(!self.transformer.guidance_embeds)]
    }

    /// Bytes that a step takes beside the weights, an estimate.
    pub(super) fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let tokens = (image_tokens(latent) + self.max_tokens()) as u64;
        let row = self.transformer.width() as u64 * dtype.size_in_bytes() as u64;
        tokens.saturating_mul(ROWS_OF_A_BLOCK * row)
    }
}

/// Steps and guidance that a model's authors suggest. `name`: the model's, in lower case.
fn suggestions(name: &str, is_told_guidance: bool) -> (usize, f64) {
    match () {
        () if !is_told_guidance => (4, 1.0),
        () if name.contains("krea") => (28, 4.5),
        () if name.contains("kontext") => (28, 2.5),
        () => (28, 3.5),
    }
}

/// What the configuration says of a model; the VAE's hash is not known yet.
pub(super) fn profile_of(checkpoint: &Checkpoint, configs: &Configs, parameters: u64) -> ModelProfile {
    let Configs { transformer, vae, scheduler, .. } = configs;
    let names = names(checkpoint);
    let (steps, guidance_scale) = suggestions(&names, transformer.guidance_embeds);
    let kontext = "Pictures to be edited are not taken yet: FLUX.1 Kontext draws from the prompt alone.";
    let special = Special {
        family: FAMILY,
        guidance: if transformer.guidance_embeds { GuidanceKind::Embedded } else { GuidanceKind::None },
        steps,
        guidance_scale,
        latent_edge: LATENT_EDGE,
        remarks: names.contains("kontext").then(|| kontext.to_owned()).into_iter().collect(),
    };
    flow_profile::profile_of(checkpoint, vae, scheduler, parameters, special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        assert_eq!(suggestions("flux.1-schnell", false), (4, 1.0));
        assert_eq!(suggestions("flux.1-dev", true), (28, 3.5));
        assert_eq!(suggestions("flux.1-krea-dev", true), (28, 4.5));
        assert_eq!(suggestions("x fluxkontextpipeline", true), (28, 2.5));
    }
}
