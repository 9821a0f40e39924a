//! What is known of a Chroma model from its configuration.

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

/// diffusers' pipelines that draw with Chroma's own networks and differ only in what is done around them.
const PIPELINES: [&str; 3] = ["ChromaPipeline", "ChromaImg2ImgPipeline", "ChromaInpaintPipeline"];

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
        let configs = Self {
            t5: read_part(checkpoint, TEXT, T5Config::check)?,
            transformer: read_part(checkpoint, TRANSFORMER, ChromaConfig::check)?,
            vae: read_vae(checkpoint)?,
            scheduler: read_scheduler(checkpoint, FAMILY, SchedulerConfig::with_even_flow_times)?,
        };
        let Self { t5, transformer, vae, .. } = &configs;
        check_width("states", transformer.joint_attention_dim, "the text encoder", t5.d_model)?;
        check_width("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        Ok(configs)
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
    let (steps, guidance_scale) = suggestions(&names(checkpoint));
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
        assert_eq!(suggestions("chroma1-hd"), (40, 3.0));
        assert_eq!(suggestions("chroma1-flash"), (8, 1.0));
    }
}
