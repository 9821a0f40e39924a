//! What a family of flow transformers says of itself, and what follows from that for each of its models.

use candle_core::DType;

use super::flow_profile::{Special, VAE, image_tokens, read_part, read_scheduler};
use super::token_denoiser::TokenDenoiser;
use crate::catalog::{ImageSize, ModelDefaults, ModelProfile};
use crate::diffusion::SchedulerConfig;
use crate::latent::{LatentFormat, LatentShape};
use crate::models::{Conditioning, ModelError};
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;
use crate::store::{Checkpoint, ModelFiles};
use crate::weights;

/// The configurations of a family's text encoders and transformer.
pub(super) trait FlowConfigs: Send + Sync + Sized + 'static {
    /// The family, for people.
    const FAMILY: &'static str;
    /// diffusers' pipelines that draw with the family's own networks and differ only in what is done around them.
    const PIPELINES: &'static [&'static str];
    /// Rows of a token's width that a block holds at once, a part of them: rather too few than too many, what fits is
    /// not refused.
    const ROWS_OF_A_BLOCK: u64;

    /// Whether the parts are the family's: then a pipeline's class that diffusers does not have opens too.
    fn has_parts(checkpoint: &Checkpoint) -> bool;

    /// Reads and checks each file, and whether they go together and with the VAE.
    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError>;

    /// The scheduler's configuration as diffusers' pipeline of this class uses it.
    fn scheduler_as_used(scheduler: SchedulerConfig, _pipeline: &str) -> SchedulerConfig {
        scheduler.with_even_flow_times()
    }

    /// The parts with weights but for the VAE, in the order in which they are loaded.
    fn parts(&self) -> Vec<&'static str>;

    /// What is special about a model. `names`: its names, in lower case.
    fn special(&self, names: &str, scheduler: &SchedulerConfig) -> Special;

    /// Tokens of a prompt, at most, that the transformer reads.
    fn prompt_tokens(&self) -> usize;

    /// The width of a token in the transformer.
    fn width(&self) -> usize;

    /// Bytes that a step takes beside the weights, an estimate.
    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let tokens = (image_tokens(latent) + self.prompt_tokens()) as u64;
        let row = self.width() as u64 * dtype.size_in_bytes() as u64;
        tokens.saturating_mul(Self::ROWS_OF_A_BLOCK * row)
    }
}

/// A family: its networks, and what reads its prompts.
pub(super) trait FlowFamily: Send + Sync + Sized + 'static {
    type Configs: FlowConfigs;
    /// The large text encoder.
    type Encoder: Send + Sync + 'static;
    /// The transformer.
    type Denoiser: TokenDenoiser + 'static;
    /// What the text encoders make of a prompt.
    type Embedded: Clone + Send + Sync;
    /// The large text encoder's name in diffusers' layout.
    const ENCODER: &'static str;

    /// Builds the large text encoder: from no weights at all where its part is not one of the model's.
    fn build_encoder(
        configs: &Self::Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Self::Encoder, NetworkError>;

    /// Builds the transformer.
    fn build_denoiser(
        configs: &Self::Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Self::Denoiser, NetworkError>;

    /// Reads the tokenizers, and the small text encoders, which stay in memory.
    fn load(files: &ModelFiles, configs: &Self::Configs, runtime: &Runtime) -> Result<Self, ModelError>;

    /// What the text encoders make of a prompt.
    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Self::Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Self::Embedded, ModelError>;

    /// What the transformer makes of it.
    fn context(
        &self,
        denoiser: &Self::Denoiser,
        embedded: &Self::Embedded,
        conditioning: &Conditioning,
        cancel: &CancelToken,
    ) -> Result<<Self::Denoiser as TokenDenoiser>::Context, NetworkError>;

    /// Tokens that a prompt has, and how many of them the model reads; 0 and 0 where no tokenizer counts them.
    fn count(&self, prompt: &str) -> [usize; 2];
}

/// All that a model's folder says of it.
pub(super) struct ModelConfigs<C> {
    pub(super) networks: C,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
}

impl<C: FlowConfigs> ModelConfigs<C> {
    /// Reads and checks all configurations.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let vae = read_part(checkpoint, VAE, AutoencoderConfig::check)?;
        let networks = C::read(checkpoint, &vae)?;
        let used = |scheduler| C::scheduler_as_used(scheduler, checkpoint.class_name());
        Ok(Self { networks, vae, scheduler: read_scheduler(checkpoint, C::FAMILY, used)? })
    }

    /// What it says of the model; the VAE's hash is not known yet.
    pub(super) fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        let Self { networks, vae, scheduler } = self;
        let files = checkpoint.files();
        let mut parameters = 0;
        for part in networks.parts().into_iter().chain([VAE]) {
            parameters += weights::parameters(&*files.tensors(part)?);
        }
        let special = networks.special(&names(checkpoint), scheduler);
        let format = LatentFormat {
            channels: vae.latent_channels,
            downscale: vae.downscale(),
            scale: vae.scaling_factor,
            shift: vae.shift_factor.unwrap_or(0.0),
        };
        // A token is a patch of 2×2 latent pixels.
        let size_multiple = 2 * format.downscale;
        let edge = (special.latent_edge * format.downscale).next_multiple_of(size_multiple);
        let mut remarks = scheduler.remarks();
        remarks.extend(special.remarks);
        if checkpoint.part_class("controlnet").is_some() {
            remarks.push("The folder's ControlNet is not used.".to_owned());
        }
        Ok(ModelProfile {
            source: checkpoint.source().clone(),
            name: checkpoint.files().name(),
            family: C::FAMILY,
            format,
            prediction: scheduler.prediction_type,
            size_multiple,
            defaults: ModelDefaults {
                size: ImageSize::new(edge, edge),
                steps: special.steps,
                guidance_scale: special.guidance_scale,
                sampler: scheduler.suggested_sampler(),
            },
            guidance: special.guidance,
            step_limits: scheduler.step_limits(),
            remarks,
            added_tokens: Vec::new(),
            parameters,
            vae_hash: String::new(),
        })
    }
}

/// The names of a model: its folder's, that of the model it came from, and its pipeline's, in lower case.
fn names(checkpoint: &Checkpoint) -> String {
    let name = checkpoint.files().name();
    [name.as_str(), checkpoint.origin(), checkpoint.class_name()].join(" ").to_lowercase()
}
