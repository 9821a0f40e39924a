//! The traits that define a family of flow-matching transformers, and the profiles of its models.

use super::flow_profile::{Special, VAE, image_tokens, read_part, read_scheduler};
use super::token_denoiser::TokenDenoiser;
use crate::catalog::{ImageSize, ModelDefaults, ModelProfile, PromptFeatures};
use crate::diffusion::SchedulerConfig;
use crate::latent::{LatentFormat, LatentShape};
use crate::models::{Conditioning, ModelError};
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::backend::DType;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::{Checkpoint, ModelFiles};
use crate::weights;

/// The largest sequence length of a prompt in diffusers' pipelines of all these families.
pub(super) const MAX_TOKENS: usize = 512;

/// The configurations of a family's text encoders and transformer.
pub(super) trait FlowConfigs: Send + Sync + Sized + 'static {
    /// The family's name, for display.
    const FAMILY: &'static str;
    /// Pipeline classes of diffusers that use the family's own networks and differ only in pre- and post-processing.
    const PIPELINES: &'static [&'static str];
    /// Activations that a block holds at once, in rows of a token's width. A low estimate: a run that fits must not be
    /// refused.
    const ROWS_OF_A_BLOCK: u64;
    /// Whether classifier-free guidance is possible beside an embedded guidance scale.
    const HAS_TRUE_GUIDANCE: bool = false;

    /// Whether the checkpoint's networks are the family's; then a pipeline class that diffusers does not have is
    /// accepted.
    fn has_parts(checkpoint: &Checkpoint) -> bool;

    /// Reads the configurations, and checks each of them and that they match each other and the VAE.
    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError>;

    /// The scheduler of models whose files have none.
    fn scheduler_without_file() -> Option<SchedulerConfig> {
        None
    }

    /// The scheduler's configuration as diffusers' pipeline of this class uses it.
    fn scheduler_as_used(scheduler: SchedulerConfig, _pipeline: &str) -> SchedulerConfig {
        scheduler.with_even_flow_times()
    }

    /// The scheduler's configuration for a run of `steps` steps on `tokens` image tokens.
    fn scheduler_for(scheduler: &SchedulerConfig, tokens: usize, _steps: usize) -> SchedulerConfig {
        scheduler.for_image_tokens(tokens)
    }

    /// The parts with weights except the VAE, in loading order.
    fn parts(&self) -> Vec<&'static str>;

    /// The values of the profile that depend on the model. `names`: its names, in lower case.
    fn special(&self, names: &str, scheduler: &SchedulerConfig) -> Special;

    /// Most text tokens that the transformer takes.
    fn prompt_tokens(&self) -> usize;

    /// The width of a token in the transformer.
    fn width(&self) -> usize;

    /// Layers that skip-layer guidance can skip.
    fn skippable_layers(&self) -> usize {
        0
    }

    /// Upper limit of a user-set maximum sequence length; `None` if the family has a fixed length.
    fn max_tokens(&self) -> Option<usize> {
        Some(MAX_TOKENS)
    }

    /// Bytes of activations of one step, an estimate.
    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let tokens = (image_tokens(latent) + self.prompt_tokens()) as u64;
        let row = self.width() as u64 * dtype.size_in_bytes() as u64;
        tokens.saturating_mul(Self::ROWS_OF_A_BLOCK * row)
    }
}

/// A family: its networks and the encoding of its prompts.
pub(super) trait FlowFamily: Send + Sync + Sized + 'static {
    type Configs: FlowConfigs;
    /// The large text encoder.
    type Encoder: Send + Sync + 'static;
    /// The transformer.
    type Denoiser: TokenDenoiser + 'static;
    /// The text encoders' output for a prompt.
    type Embedded: Clone + Send + Sync;
    /// The large text encoder's name in diffusers' layout.
    const ENCODER: &'static str;

    /// Builds the large text encoder. `parameters` are empty where the model does not have this part.
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

    /// Encodes a prompt.
    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Self::Encoder,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Self::Embedded, ModelError>;

    /// The transformer's conditioning from the text encoders' output.
    fn context(
        &self,
        denoiser: &Self::Denoiser,
        embedded: &Self::Embedded,
        conditioning: &Conditioning,
        cancel: &CancelToken,
    ) -> Result<<Self::Denoiser as TokenDenoiser>::Context, NetworkError>;

    /// The tokens of a prompt, in the order in which the transformer has them.
    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError>;

    /// The tokens of a prompt, and how many of them are used; 0 and 0 where no tokenizer counts them.
    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2];
}

/// All configurations of a model.
pub(super) struct ModelConfigs<C> {
    pub(super) networks: C,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
}

impl<C: FlowConfigs> ModelConfigs<C> {
    /// Reads and checks all configurations.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let vae = read_part(checkpoint, VAE, AutoencoderConfig::check_without_statistics)?;
        let networks = C::read(checkpoint, &vae)?;
        let used = |scheduler| C::scheduler_as_used(scheduler, checkpoint.class_name());
        Ok(Self {
            networks,
            vae,
            scheduler: read_scheduler(checkpoint, C::FAMILY, C::scheduler_without_file(), used)?,
        })
    }

    /// The model's profile, without the VAE's hash.
    pub(super) fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        let Self { networks, vae, scheduler } = self;
        let files = checkpoint.files();
        let mut parameters = 0;
        for part in networks.parts().into_iter().chain([VAE]) {
            parameters += weights::parameters(&*files.tensors(part)?);
        }
        let special = networks.special(&names(checkpoint), scheduler);
        let [scale, shift] = vae.scale_and_shift();
        let (channels, downscale) = (vae.latent_channels, vae.downscale());
        let format = LatentFormat { channels, downscale, scale, shift };
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
            prediction_is_open: false,
            prediction: scheduler.prediction_type,
            size_multiple,
            defaults: ModelDefaults {
                size: ImageSize::new(edge, edge),
                steps: special.steps,
                guidance_scale: special.guidance_scale,
                sampler: scheduler.suggested_sampler(),
            },
            guidance: special.guidance,
            prompt_features: PromptFeatures {
                max_tokens: networks.max_tokens(),
                true_guidance: C::HAS_TRUE_GUIDANCE,
                skip_layers: networks.skippable_layers(),
                ..PromptFeatures::default()
            },
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
