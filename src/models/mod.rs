//! Whole models: weights, tokenizer, text to embedding, denoiser, VAE.

mod added_tokens;
mod available_memory;
mod budget;
mod checks;
mod conditioning;
mod devices;
mod embeddings;
mod error;
mod families;
mod finite;
mod freed_pages;
mod in_turn;
pub mod meaning;
mod memory;
mod prompt;
mod prompt_syntax;
mod prompt_tokens;
mod runtime;
mod text_tokenizer;
mod tiny_decoder;
mod tokenizer;
mod vae;

use crate::catalog::{ModelProfile, ModelSource};
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::request::{
    CancelToken, DecodeChoice, DeviceChoice, DtypeChoice, Picture, PromptLength, PromptOptions, PromptTokens,
    TileChoice,
};
use crate::store::Checkpoint;

pub use crate::networks::{Isa as Instructions, available_threads};
pub use available_memory::{available_bytes, total_bytes};
pub use budget::MemoryNeed;
pub use checks::{CheckLimits, CheckedDevice, DeviceTiming, Extent, Finding, Verdict, check_device};
pub use conditioning::Conditioning;
pub use devices::{
    Adapter, BUILD_FEATURES, DeviceFault, DeviceIdentity, DeviceSource, Devices, Library, ThisMachine,
    adapters, describe_devices, libraries,
};
pub use error::ModelError;
pub use families::{FAMILIES, ModelFamily, Progress, family_of};
pub use finite::{DamagedWeights, damaged_weights};
pub use freed_pages::{ReturnedAtOnce, return_freed_pages};
pub use prompt_syntax::{ParsedPrompt, WeightedText, parse_prompt, parse_weights};
pub use text_tokenizer::TextTokenizer;
pub use tiny_decoder::{ConvolutionValues, TinyDecoder};
pub use tokenizer::PromptTokenizer;

/// Where and how a model runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelSettings {
    /// Where the devices come from.
    pub devices: Devices,
    /// The device; `auto` is the processor unless the engine has chosen another.
    pub device: DeviceChoice,
    /// The dtype of the networks.
    pub dtype: DtypeChoice,
    /// Whether pictures are encoded and decoded in tiles.
    pub tiles: TileChoice,
    /// Threads of the CPU kernels, `None` for one for each core.
    pub threads: Option<usize>,
    /// Instruction set of the CPU kernels, `None` for the widest that the CPU has.
    pub instructions: Option<Instructions>,
    /// Main memory that the program may use, bytes; `None` for what the system has.
    pub memory: Option<u64>,
}

/// A decoded picture, with a notice for the user.
pub struct DecodedPicture {
    /// The picture.
    pub picture: Picture,
    /// What the user should know about the decode, one or more sentences.
    pub notice: Option<String>,
}

/// The posterior that a VAE's encoder gives for a picture, `[C, H/f, W/f]`.
pub struct Encoded {
    /// The posterior's mean, model space.
    pub mean: Latent,
    /// The posterior's log-variance, VAE space.
    pub log_variance: Latent,
}

/// A loaded model of any family.
pub trait LatentDiffusionModel: Send {
    /// The model's profile.
    fn profile(&self) -> &ModelProfile;
    /// The device and the dtype, for display.
    fn device_name(&self) -> String;
    /// Whether its networks compute in f16 or bf16.
    fn computes_in_halves(&self) -> bool;
    /// Frees scratch memory that is kept between calls; for use when the model becomes idle.
    fn release_scratch(&self) {}
    /// The model's own sampling configuration.
    fn scheduler_config(&self) -> &SchedulerConfig;
    /// The sampling configuration of a run of `_steps` steps on latents of this shape. Overridden by models whose noise
    /// levels depend on either (resolution-dependent shift).
    fn scheduler_config_for(&self, _latent: LatentShape, _steps: usize) -> SchedulerConfig {
        self.scheduler_config().clone()
    }
    /// Remarks on parts of a conditioning that have no effect, one sentence each.
    fn remarks_on(&self, conditioning: &Conditioning) -> Vec<String> {
        let guidance = self.profile().guidance;
        let mut remarks = parse_prompt(&conditioning.prompt).remarks;
        if guidance.takes_negative_prompt() {
            remarks.extend(parse_prompt(&conditioning.negative_prompt).remarks);
        }
        remarks.extend(conditioning.unused(guidance));
        remarks
    }
    /// The length of a prompt in tokens; `None` if no tokenizer counts it, or it cannot be tokenized.
    fn prompt_length(&self, _prompt: &str) -> Option<PromptLength> {
        None
    }
    /// The tokens of a prompt that the denoiser attends to; `None` if no tokenizer knows them, or it cannot be tokenized.
    fn prompt_tokens(&self, _prompt: &str, _options: &PromptOptions) -> Option<PromptTokens> {
        None
    }
    /// Checks that memory suffices to generate a picture: for the activations of `batch` predictions for latents of
    /// this shape, and for the decoded picture.
    ///
    /// # Errors
    /// [`ModelError::TooLittleMemory`] and [`ModelError::AboveMemoryLimit`] with the bytes needed and available.
    fn check_memory(&self, latent: LatentShape, batch: usize) -> Result<(), ModelError>;
    /// Encodes the prompts and gives the denoising network conditioned on them.
    ///
    /// # Errors
    /// [`ModelError::PromptTooLong`], [`ModelError::TokenWithoutRow`], [`ModelError::Cancelled`], and errors of the
    /// text encoders.
    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError>;
    /// Decodes a latent in model space to a picture.
    ///
    /// # Errors
    /// [`ModelError::Mismatch`] for another number of channels, [`ModelError::TooLittleMemory`],
    /// [`ModelError::NotANumber`] if the values overflow in f32 too, and [`ModelError::Cancelled`].
    fn decode(
        &self,
        latent: &Latent,
        how: DecodeChoice,
        cancel: &CancelToken,
    ) -> Result<DecodedPicture, ModelError>;
    /// Encodes a picture whose edges are multiples of the format's downscale factor f.
    ///
    /// # Errors
    /// [`ModelError::Mismatch`] for other sizes, [`ModelError::TooLittleMemory`] and [`ModelError::Cancelled`].
    fn encode(&self, picture: &Picture, cancel: &CancelToken) -> Result<Encoded, ModelError>;
}

/// Loads a model of one of [`FAMILIES`].
///
/// # Errors
/// [`ModelError::Store`] for files that are missing, damaged or of an unsupported family, [`ModelError::Device`],
/// [`ModelError::TooLittleMemory`], [`ModelError::Cancelled`], and errors of building the networks.
pub fn load(
    choice: &ModelSource,
    settings: ModelSettings,
    progress: &mut Progress<'_>,
    cancel: &CancelToken,
) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
    let checkpoint = Checkpoint::open(choice)?;
    family_of(FAMILIES, &checkpoint)?.load(&checkpoint, settings, progress, cancel)
}

/// The memory that a model needs, from its configuration and the headers of its weights.
///
/// # Errors
/// As [`profile`].
pub fn memory_need(choice: &ModelSource) -> Result<MemoryNeed, ModelError> {
    let checkpoint = Checkpoint::open(choice)?;
    family_of(FAMILIES, &checkpoint)?.memory_need(&checkpoint)
}

/// The profile of a model from its configuration and the headers of its weights; the VAE's hash is empty.
///
/// # Errors
/// [`ModelError::Store`], and [`ModelError::Part`], [`ModelError::Scheduler`] or [`ModelError::Mismatch`] for
/// configurations that are not supported.
pub fn profile(choice: &ModelSource) -> Result<ModelProfile, ModelError> {
    let checkpoint = Checkpoint::open(choice)?;
    family_of(FAMILIES, &checkpoint)?.profile(&checkpoint)
}
