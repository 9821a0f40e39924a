//! What is known of a Chroma model from its configuration.

use candle_core::DType;

use super::super::flow_model::{VAE, image_tokens};
use crate::catalog::{GuidanceKind, ImageSize, ModelDefaults, ModelProfile};
use crate::diffusion::SchedulerConfig;
use crate::latent::{LatentFormat, LatentShape};
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::mmdit::chroma::ChromaConfig;
use crate::networks::t5::T5Config;
use crate::store::Checkpoint;

/// The family, for people.
pub(super) const FAMILY: &str = "Chroma";
/// The parts with weights, in the order in which they are loaded.
pub(super) const PARTS: [&str; 3] = [TEXT, TRANSFORMER, VAE];
pub(super) const TEXT: &str = "text_encoder";
pub(super) const TOKENIZER: &str = "tokenizer";
pub(super) const TRANSFORMER: &str = "transformer";
const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";

/// diffusers' pipelines that draw with Chroma's own networks and differ only in what is done around them.
const PIPELINES: [&str; 3] = ["ChromaPipeline", "ChromaImg2ImgPipeline", "ChromaInpaintPipeline"];

/// Latent pixels of an edge of the pictures that the networks were trained on.
const LATENT_EDGE: usize = 128;
/// Tokens of a prompt that are read at most.
pub(super) const MAX_TOKENS: usize = 512;
/// Rows of a token's width that a block holds at once, a part of them.
const ROWS_OF_A_BLOCK: u64 = 12;

/// Whether a checkpoint is Chroma's. A class that diffusers does not have opens if its parts are.
pub(super) fn matches(checkpoint: &Checkpoint) -> bool {
    PIPELINES.contains(&checkpoint.class_name())
        || checkpoint.part_class(TRANSFORMER) == Some("ChromaTransformer2DModel")
}

/// The configurations of a model's parts.
pub(super) struct Configs {
    pub(super) t5: T5Config,
    pub(super) transformer: ChromaConfig,
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
            t5: files.json(&file(TEXT))?,
            transformer: files.json(&file(TRANSFORMER))?,
            vae: files.json(&file(VAE))?,
            scheduler: scheduler.with_even_flow_times(),
        };
        configs.t5.check().map_err(ModelError::in_part(TEXT))?;
        configs.transformer.check().map_err(ModelError::in_part(TRANSFORMER))?;
        configs.vae.check().map_err(ModelError::in_part(VAE))?;
        let path = files.path(SCHEDULER_FILE);
        configs.scheduler.check().map_err(|cause| ModelError::Scheduler { cause, path })?;
        configs.check_together()?;
        Ok(configs)
    }

    fn check_together(&self) -> Result<(), ModelError> {
        let Self { t5, transformer, vae, scheduler } = self;
        let fits = |what: &str, taken: usize, by: &str, given: usize| {
            let message = format!("the transformer takes {what} of width {taken}, but {by} gives {given}");
            if taken == given { Ok(()) } else { Err(ModelError::Mismatch(message)) }
        };
        fits("states", transformer.joint_attention_dim, "the text encoder", t5.d_model)?;
        fits("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        if !scheduler.is_flow() {
            return Err(ModelError::Mismatch(format!(
                "the transformer predicts a flow, and the scheduler {} is for other noise; Chroma's own is \
                 FlowMatchEulerDiscreteScheduler",
                scheduler.class_name
            )));
        }
        Ok(())
    }

    /// Bytes that a step takes beside the weights, an estimate.
    pub(super) fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let tokens = (image_tokens(latent) + MAX_TOKENS) as u64;
        let row = self.transformer.width() as u64 * dtype.size_in_bytes() as u64;
        tokens.saturating_mul(ROWS_OF_A_BLOCK * row)
    }
}

/// Steps and guidance that a model's authors suggest; Flash is distilled. `names`: the model's, in lower case.
fn suggestions(names: &str) -> (usize, f64) {
    if names.contains("flash") { (8, 1.0) } else { (40, 3.0) }
}

/// What the configuration says of a model; the VAE's hash is not known yet.
pub(super) fn profile_of(checkpoint: &Checkpoint, configs: &Configs, parameters: u64) -> ModelProfile {
    let Configs { vae, scheduler, .. } = configs;
    let format = LatentFormat {
        channels: vae.latent_channels,
        downscale: vae.downscale(),
        scale: vae.scaling_factor,
        shift: vae.shift_factor.unwrap_or(0.0),
    };
    let name = checkpoint.files().name();
    let names = [name.as_str(), checkpoint.origin()].join(" ").to_lowercase();
    let (steps, guidance_scale) = suggestions(&names);
    let edge = LATENT_EDGE * format.downscale;
    let mut remarks = scheduler.remarks();
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
        guidance: GuidanceKind::ClassifierFree,
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
        assert_eq!(suggestions("chroma1-hd"), (40, 3.0));
        assert_eq!(suggestions("chroma1-flash"), (8, 1.0));
    }
}
