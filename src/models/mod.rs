//! Whole models: weights, tokenizer, text to embedding, denoiser, VAE.

mod device;
mod error;
mod memory;
mod prompt;
mod stable_diffusion;
mod tokenizer;
mod weights;

use crate::diffusion::{NoisePredictor, SchedulerConfig};
use crate::latent::Latent;
use crate::request::{
    CancelToken, DecodeChoice, DeviceChoice, DtypeChoice, ModelChoice, ModelProfile, Picture, TileChoice,
};

pub use device::describe_devices;
pub use error::ModelError;
pub use prompt::{WeightedText, parse_weights};
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
    /// The device it runs on.
    fn device(&self) -> &candle_core::Device;
    /// The device for people.
    fn device_name(&self) -> String;
    /// Whether its networks compute in f16 or bf16.
    fn computes_in_halves(&self) -> bool;
    /// The model's own sampling configuration.
    fn scheduler_config(&self) -> &SchedulerConfig;
    /// Makes the network ready to answer a prompt and its opposite.
    fn condition<'a>(
        &'a mut self,
        prompt: &str,
        negative_prompt: &str,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn NoisePredictor + 'a>, ModelError>;
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

/// Loads a model. `progress` is told each part's name, how many parts are done, and of how many.
pub fn load(
    choice: &ModelChoice,
    settings: ModelSettings,
    progress: &mut dyn FnMut(&str, usize, usize),
    cancel: &CancelToken,
) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
    Ok(Box::new(stable_diffusion::StableDiffusion::load(choice, settings, progress, cancel)?))
}

/// What is known of a model from its configuration alone, without its weights.
pub fn profile(choice: &ModelChoice) -> Result<ModelProfile, ModelError> {
    stable_diffusion::read_profile(choice)
}
