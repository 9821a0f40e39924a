//! What is known of a Stable Diffusion 3 model from its configuration.

use candle_core::DType;

use super::super::flow_model::{VAE, image_tokens};
use super::super::flow_profile::{self, Special, check_width, names, read_part, read_scheduler, read_vae};
use crate::catalog::{GuidanceKind, ModelProfile};
use crate::diffusion::SchedulerConfig;
use crate::latent::LatentShape;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::clip::ClipTextConfig;
use crate::networks::mmdit::sd3::Sd3Config;
use crate::networks::t5::T5Config;
use crate::store::Checkpoint;

/// The family, for people.
pub(super) const FAMILY: &str = "Stable Diffusion 3";
/// The parts with weights: two CLIP encoders, T5 and the transformer.
pub(super) const CLIP_PARTS: [&str; 2] = ["text_encoder", "text_encoder_2"];
pub(super) const T5: &str = "text_encoder_3";
pub(super) const TRANSFORMER: &str = "transformer";
/// The encoders' tokenizers.
pub(super) const TOKENIZERS: [&str; 3] = ["tokenizer", "tokenizer_2", "tokenizer_3"];
/// Tokens that T5 reads, and CLIP.
pub(super) const T5_LENGTH: usize = 256;
const CLIP_LENGTH: usize = 77;
/// Rows of a token's width that a block holds at once, a part of them.
const ROWS_OF_A_BLOCK: u64 = 10;

/// diffusers' pipelines that draw with Stable Diffusion 3's own networks and differ only in what is done around them.
const PIPELINES: [&str; 7] = [
    "StableDiffusion3Pipeline",
    "StableDiffusion3Img2ImgPipeline",
    "StableDiffusion3InpaintPipeline",
    "StableDiffusion3PAGPipeline",
    "StableDiffusion3PAGImg2ImgPipeline",
    "StableDiffusion3ControlNetPipeline",
    "StableDiffusion3ControlNetInpaintingPipeline",
];

/// Whether a checkpoint is Stable Diffusion 3's. A class that diffusers does not have opens if its parts are.
pub(super) fn matches(checkpoint: &Checkpoint) -> bool {
    PIPELINES.contains(&checkpoint.class_name())
        || checkpoint.part_class(TRANSFORMER) == Some("SD3Transformer2DModel")
}

/// The configurations of a model's parts.
pub(super) struct Configs {
    pub(super) clips: [ClipTextConfig; 2],
    /// `None` in models without it.
    pub(super) t5: Option<T5Config>,
    pub(super) transformer: Sd3Config,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
}

impl Configs {
    /// Reads and checks each file, and whether they go together.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let clip = |part: &'static str| {
            let config = read_part::<ClipTextConfig>(checkpoint, part, |_| Ok(()))?.of_text();
            config.check().map_err(ModelError::in_part(part))?;
            Ok::<_, ModelError>(config)
        };
        let has_t5 = checkpoint.part_class(T5).is_some();
        let as_used = |scheduler: SchedulerConfig| scheduler.in_pipeline(checkpoint.class_name());
        let configs = Self {
            clips: [clip(CLIP_PARTS[0])?, clip(CLIP_PARTS[1])?],
            t5: has_t5.then(|| read_part(checkpoint, T5, T5Config::check)).transpose()?,
            transformer: read_part(checkpoint, TRANSFORMER, Sd3Config::check)?,
            vae: read_vae(checkpoint)?,
            scheduler: read_scheduler(checkpoint, FAMILY, as_used)?,
        };
        configs.check_together()?;
        Ok(configs)
    }

    /// The parts with weights, in the order in which they are loaded.
    pub(super) fn parts(&self) -> Vec<&'static str> {
        let t5 = self.t5.as_ref().map(|_| T5);
        CLIP_PARTS.into_iter().chain(t5).chain([TRANSFORMER, VAE]).collect()
    }

    fn check_together(&self) -> Result<(), ModelError> {
        let Self { clips, t5, transformer, vae, .. } = self;
        let states = transformer.joint_attention_dim;
        if let Some(t5) = t5 {
            check_width("states", states, "the third text encoder", t5.d_model)?;
        }
        let side_by_side: usize = clips.iter().map(|clip| clip.hidden_size).sum();
        if side_by_side > states {
            return Err(ModelError::Mismatch(format!(
                "the transformer takes states of width {states}, but the CLIP encoders together give {side_by_side}"
            )));
        }
        let pooled = clips.iter().map(|clip| clip.projection_dim).sum();
        let taken = transformer.pooled_projection_dim;
        check_width("pooled text", taken, "the pair of CLIP encoders", pooled)?;
        check_width("latents", transformer.in_channels, "the VAE", vae.latent_channels)
    }

    /// Bytes that a step takes beside the weights, an estimate.
    pub(super) fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let tokens = (image_tokens(latent) + T5_LENGTH + CLIP_LENGTH) as u64;
        let row = self.transformer.width() as u64 * dtype.size_in_bytes() as u64;
        tokens.saturating_mul(ROWS_OF_A_BLOCK * row)
    }
}

/// Steps and guidance that a model's authors suggest. `names`: the model's, in lower case.
fn suggestions(names: &str, transformer: &Sd3Config) -> (usize, f64) {
    match transformer {
        _ if names.contains("turbo") => (4, 1.0),
        Sd3Config { qk_norm: None, .. } => (28, 7.0),
        Sd3Config { dual_attention_layers: layers, .. } if !layers.is_empty() => (40, 4.5),
        _ => (28, 3.5),
    }
}

/// What the configuration says of a model; the VAE's hash is not known yet.
pub(super) fn profile_of(checkpoint: &Checkpoint, configs: &Configs, parameters: u64) -> ModelProfile {
    let Configs { transformer, vae, scheduler, t5, .. } = configs;
    let (steps, guidance_scale) = suggestions(&names(checkpoint), transformer);
    let without_t5 = "The folder has no T5: prompts are read by its CLIP encoders alone.";
    let special = Special {
        family: FAMILY,
        guidance: GuidanceKind::ClassifierFree,
        steps,
        guidance_scale,
        latent_edge: transformer.sample_size.min(2 * transformer.pos_embed_max_size),
        remarks: t5.is_none().then(|| without_t5.to_owned()).into_iter().collect(),
    };
    flow_profile::profile_of(checkpoint, vae, scheduler, parameters, special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        let medium = Sd3Config {
            dual_attention_layers: vec![0],
            qk_norm: Some("rms_norm".into()),
            ..Sd3Config::default()
        };
        let large = Sd3Config { dual_attention_layers: Vec::new(), ..medium.clone() };
        assert_eq!(suggestions("stable-diffusion-3-medium", &Sd3Config::default()), (28, 7.0));
        assert_eq!(suggestions("stable-diffusion-3.5-medium", &medium), (40, 4.5));
        assert_eq!(suggestions("stable-diffusion-3.5-large", &large), (28, 3.5));
        assert_eq!(suggestions("stable-diffusion-3.5-large-turbo", &large), (4, 1.0));
    }
}
