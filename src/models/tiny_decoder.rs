//! A tiny decoder, which turns latents of one VAE into pictures many times faster than the VAE, on the processor.

use std::path::Path;

use super::budget::picture_bytes;
use super::memory::MemoryBudget;
use super::vae::picture_from_values;
use super::{ModelError, ModelSettings};
use crate::latent::{Latent, LatentShape};
use crate::networks::backend::{self, Device, Tensor};
use crate::networks::tiny_decoder::{TinyDecoder as Network, convolutions};
use crate::networks::{Isa, KernelContext, Parameters, Precision, Runtime};
use crate::request::{CancelToken, Picture};
use crate::store::open_tiny_decoder;

pub use crate::networks::tiny_decoder::ConvolutionValues;

/// The part's name in messages.
const PART: &str = "tiny decoder";

/// A tiny decoder on the processor, whatever device the models use.
pub struct TinyDecoder {
    network: Network,
    parameters: Parameters,
    runtime: Runtime,
    memory: MemoryBudget,
}

impl TinyDecoder {
    /// Picture pixels per latent pixel, along one edge.
    pub const DOWNSCALE: usize = 8;

    /// Opens the decoder in a file: diffusers' `AutoencoderTiny`, or madebyollin's layout.
    ///
    /// # Errors
    /// [`ModelError::Store`] for a file that is missing, damaged or something else, and [`ModelError::Part`] for a
    /// network of another design.
    pub fn open(path: &Path, settings: ModelSettings) -> Result<Self, ModelError> {
        let source = open_tiny_decoder(path)?;
        let isa = settings.instructions.unwrap_or_else(Isa::widest);
        let kernels = KernelContext::new(isa, Precision::Full, settings.threads);
        let runtime = Runtime::new(Device::Cpu, backend::DType::F32, kernels);
        let parameters = Parameters::new(source, &runtime);
        let network = runtime.run(|| Network::new(&parameters)).map_err(ModelError::in_part(PART))?;
        Ok(Self { network, parameters, runtime, memory: MemoryBudget::new(settings.memory) })
    }

    /// Channels of the latents that it decodes.
    pub fn channels(&self) -> usize {
        self.network.channels()
    }

    /// The values of its convolutions in the order in which they run, for a shader; `None` for a network that has more
    /// than those (TAEF2).
    ///
    /// # Errors
    /// [`ModelError::Part`] if a tensor cannot be read any more.
    pub fn convolutions(&self) -> Result<Option<Vec<ConvolutionValues>>, ModelError> {
        convolutions(&self.parameters).map_err(ModelError::in_part(PART))
    }

    /// Decodes a latent in model space.
    ///
    /// # Errors
    /// [`ModelError::Mismatch`] for another number of channels, [`ModelError::TooLittleMemory`],
    /// [`ModelError::NonFinite`] and [`ModelError::Cancelled`].
    pub fn decode(&self, latent: &Latent, cancel: &CancelToken) -> Result<Picture, ModelError> {
        let LatentShape { channels, height, width } = latent.shape();
        if channels != self.channels() {
            return Err(ModelError::Mismatch(format!(
                "a latent of {channels} channels does not fit this tiny decoder, which takes {}",
                self.channels()
            )));
        }
        if latent.shape().is_empty() {
            return Err(ModelError::Mismatch("the latent is empty".to_owned()));
        }
        let (width_px, height_px) = (width * Self::DOWNSCALE, height * Self::DOWNSCALE);
        let needed = self.network.peak_bytes([height, width]) + picture_bytes(width_px, height_px);
        self.memory.check(format!("a picture of {width_px}×{height_px} pixels"), needed)?;
        let tensor = Tensor::from_slice(latent.values(), (1, channels, height, width), &Device::Cpu)?;
        let decoded = self.runtime.run(|| self.network.forward(&tensor, cancel));
        let values: Vec<f32> = decoded.map_err(ModelError::in_part(PART))?.to_values()?;
        self.runtime.release_scratch();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(ModelError::NonFinite { part: PART });
        }
        picture_from_values(&values, width_px, height_px, self.memory)
    }
}
