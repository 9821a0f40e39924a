//! Whole models: weights, tokenizer, text to embedding, denoiser, VAE.

mod added_tokens;
mod available_memory;
mod budget;
mod conditioning;
mod device;
mod embeddings;
mod error;
mod families;
mod in_turn;
mod memory;
mod prompt;
mod prompt_syntax;
mod text_tokenizer;
mod tokenizer;
mod vae;

use crate::catalog::{ModelProfile, ModelSource};
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::request::{
    CancelToken, DecodeChoice, DeviceChoice, DtypeChoice, Picture, PromptLength, TileChoice,
};
use crate::store::Checkpoint;

pub use crate::networks::{Isa as Instructions, available_threads};
pub use available_memory::available_bytes;
pub use conditioning::Conditioning;
pub use device::describe_devices;
pub use error::ModelError;
pub use families::{FAMILIES, ModelFamily, Progress, family_of};
pub use prompt_syntax::{ParsedPrompt, WeightedText, parse_prompt, parse_weights};
pub use text_tokenizer::TextTokenizer;
pub use tokenizer::PromptTokenizer;

/// Where and how a model runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelSettings {
    /// The device.
    pub device: DeviceChoice,
    /// The number format.
    pub dtype: DtypeChoice,
    /// Whether pictures are encoded and decoded in tiles.
    pub tiles: TileChoice,
    /// Threads on a processor, `None` for one for each core.
    pub threads: Option<usize>,
    /// Instructions of the processor, `None` for the widest that it has.
    pub instructions: Option<Instructions>,
}

/// A picture from a decode, and what happened on the way.
pub struct DecodedPicture {
    /// The picture.
    pub picture: Picture,
    /// Something the user should know.
    pub notice: Option<String>,
}

/// What an encoder says of a picture.
pub struct Encoded {
    /// The posterior's mean, model space.
    pub mean: Latent,
    /// The posterior's log-variance, VAE space.
    pub log_variance: Latent,
}

/// A loaded model of any family.
pub trait LatentDiffusionModel: Send {
    /// What is known of it.
    fn profile(&self) -> &ModelProfile;
    /// The device for people.
    fn device_name(&self) -> String;
    /// Whether its networks compute in f16 or bf16.
    fn computes_in_halves(&self) -> bool;
    /// Frees memory that is kept from call to call, before a rest.
    fn release_scratch(&self) {}
    /// The model's own sampling configuration.
    fn scheduler_config(&self) -> &SchedulerConfig;
    /// The sampling configuration of a run of `_steps` steps for latents of this shape. Those whose noise levels depend
    /// on them have no others.
    fn scheduler_config_for(&self, _latent: LatentShape, _steps: usize) -> SchedulerConfig {
        self.scheduler_config().clone()
    }
    /// What of a conditioning is not done, one sentence each.
    fn remarks_on(&self, conditioning: &Conditioning) -> Vec<String> {
        let guidance = self.profile().guidance;
        let mut remarks = parse_prompt(&conditioning.prompt).remarks;
        if guidance.takes_negative_prompt() {
            remarks.extend(parse_prompt(&conditioning.negative_prompt).remarks);
        }
        remarks.extend(conditioning.unused(guidance));
        remarks
    }
    /// How long a prompt is. `None` where no tokenizer counts it, or it cannot be read.
    fn prompt_length(&self, _prompt: &str) -> Option<PromptLength> {
        None
    }
    /// Whether memory can hold what drawing a picture must hold at one time: `batch` predictions for latents of this
    /// shape, and the picture.
    ///
    /// # Errors
    /// [`ModelError::TooLittleMemory`] with the figures.
    fn check_memory(&self, latent: LatentShape, batch: usize) -> Result<(), ModelError>;
    /// Makes the network ready to answer for a conditioning.
    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError>;
    /// A latent in model space to a picture.
    fn decode(
        &self,
        latent: &Latent,
        how: DecodeChoice,
        cancel: &CancelToken,
    ) -> Result<DecodedPicture, ModelError>;
    /// A picture whose edges are multiples of the format's downscale to a latent.
    fn encode(&self, picture: &Picture, cancel: &CancelToken) -> Result<Encoded, ModelError>;
}

/// Loads a model of one of [`FAMILIES`].
pub fn load(
    choice: &ModelSource,
    settings: ModelSettings,
    progress: &mut Progress<'_>,
    cancel: &CancelToken,
) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
    let checkpoint = Checkpoint::open(choice)?;
    family_of(FAMILIES, &checkpoint)?.load(&checkpoint, settings, progress, cancel)
}

/// What is known of a model from its configuration alone, without its weights.
pub fn profile(choice: &ModelSource) -> Result<ModelProfile, ModelError> {
    let checkpoint = Checkpoint::open(choice)?;
    family_of(FAMILIES, &checkpoint)?.profile(&checkpoint)
}
