//! What is known of a FLUX.1 model from its configuration.

use candle_core::DType;

use super::super::flow_model::{VAE, image_tokens};
use crate::catalog::{GuidanceKind, ImageSize, ModelDefaults, ModelProfile};
use crate::diffusion::SchedulerConfig;
use crate::latent::{LatentFormat, LatentShape};
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
const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";

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

/// Latent pixels of an edge of the pictures that the networks were trained on.
const LATENT_EDGE: usize = 128;
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
        let files = checkpoint.files();
        let file = |part: &str| format!("{part}/config.json");
        let mut scheduler: SchedulerConfig = files.json(SCHEDULER_FILE)?;
        if scheduler.class_name.is_empty() {
            checkpoint.part_class("scheduler").unwrap_or_default().clone_into(&mut scheduler.class_name);
        }
        let configs = Self {
            clip: files.json::<ClipTextConfig>(&file(TEXT_PARTS[0]))?.of_text(),
            t5: files.json(&file(TEXT_PARTS[1]))?,
            transformer: files.json(&file(TRANSFORMER))?,
            vae: files.json(&file(VAE))?,
            scheduler: scheduler.with_even_flow_times(),
        };
        configs.clip.check().map_err(ModelError::in_part(TEXT_PARTS[0]))?;
        configs.t5.check().map_err(ModelError::in_part(TEXT_PARTS[1]))?;
        configs.transformer.check().map_err(ModelError::in_part(TRANSFORMER))?;
        configs.vae.check().map_err(ModelError::in_part(VAE))?;
        let path = files.path(SCHEDULER_FILE);
        configs.scheduler.check().map_err(|cause| ModelError::Scheduler { cause, path })?;
        configs.check_together()?;
        Ok(configs)
    }

    fn check_together(&self) -> Result<(), ModelError> {
        let Self { clip, t5, transformer, vae, scheduler } = self;
        let fits = |what: &str, taken: usize, by: &str, given: usize| {
            let message = format!("the transformer takes {what} of width {taken}, but {by} gives {given}");
            if taken == given { Ok(()) } else { Err(ModelError::Mismatch(message)) }
        };
        fits("states", transformer.joint_attention_dim, "the second text encoder", t5.d_model)?;
        fits("pooled text", transformer.pooled_projection_dim, "the first text encoder", clip.hidden_size)?;
        fits("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        if !scheduler.is_flow() {
            return Err(ModelError::Mismatch(format!(
                "the transformer predicts a flow, and the scheduler {} is for other noise; FLUX.1's own is \
                 FlowMatchEulerDiscreteScheduler",
                scheduler.class_name
            )));
        }
        Ok(())
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
    let format = LatentFormat {
        channels: vae.latent_channels,
        downscale: vae.downscale(),
        scale: vae.scaling_factor,
        shift: vae.shift_factor.unwrap_or(0.0),
    };
    let name = checkpoint.files().name();
    let names = [name.as_str(), checkpoint.origin(), checkpoint.class_name()].join(" ").to_lowercase();
    let (steps, guidance_scale) = suggestions(&names, transformer.guidance_embeds);
    let edge = LATENT_EDGE * format.downscale;
    let mut remarks = scheduler.remarks();
    if names.contains("kontext") {
        remarks.push(
            "Pictures to be edited are not taken yet: FLUX.1 Kontext draws from the prompt alone.".to_owned(),
        );
    }
    if checkpoint.part_class("controlnet").is_some() {
        remarks.push("The folder's ControlNet is not used.".to_owned());
    }
    ModelProfile {
        source: checkpoint.source().clone(),
        name,
        family: FAMILY,
        format,
        prediction: scheduler.prediction_type,
        size_multiple: 2 * format.downscale,
        defaults: ModelDefaults {
            size: ImageSize::new(edge, edge),
            steps,
            guidance_scale,
            sampler: scheduler.suggested_sampler(),
        },
        guidance: if transformer.guidance_embeds { GuidanceKind::Embedded } else { GuidanceKind::None },
        step_limits: scheduler.step_limits(),
        remarks,
        added_tokens: Vec::new(),
        parameters,
        vae_hash: String::new(),
    }
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
