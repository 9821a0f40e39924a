//! The autoencoder of a model of any family: tiles where memory is short, and f32 where half precision overflows.

use std::sync::Arc;

use super::budget::picture_bytes;
use super::memory::{MemoryBudget, in_tiles_if_short};
use super::{DecodedPicture, Encoded, ModelError};
use crate::latent::{Latent, LatentFormat, LatentShape, first_non_finite};
use crate::networks::autoencoder::{Autoencoder, AutoencoderConfig};
use crate::networks::backend::{DType, Device, Tensor};
use crate::networks::{Parameters, Runtime};
use crate::request::{CancelToken, DecodeChoice, Picture, TileChoice};
use crate::weights::TensorSource;

/// The part's name, in messages and in diffusers' layout.
const PART: &str = "vae";

/// An autoencoder with its latent format.
pub(super) struct Vae {
    network: Autoencoder,
    config: AutoencoderConfig,
    format: LatentFormat,
    runtime: Runtime,
    tiles: TileChoice,
    memory: MemoryBudget,
    /// The weights, from which the network is built again in f32.
    weights: Arc<dyn TensorSource>,
}

impl Vae {
    /// Builds the network from its weights, named as in diffusers.
    pub(super) fn load(
        weights: Arc<dyn TensorSource>,
        config: AutoencoderConfig,
        format: LatentFormat,
        runtime: &Runtime,
        tiles: TileChoice,
        memory: MemoryBudget,
    ) -> Result<Self, ModelError> {
        let parameters = Parameters::new(weights.clone(), runtime);
        let network =
            runtime.run(|| Autoencoder::new(&parameters, &config)).map_err(ModelError::in_part(PART))?;
        Ok(Self { network, config, format, runtime: runtime.clone(), tiles, memory, weights })
    }

    /// Decodes a latent in model space to a picture.
    ///
    /// # Errors
    /// [`ModelError::NotANumber`] if the values overflow in f32 too.
    pub(super) fn decode(
        &self,
        latent: &Latent,
        how: DecodeChoice,
        cancel: &CancelToken,
    ) -> Result<DecodedPicture, ModelError> {
        let (width, height) = self.format.image_size_px(latent.shape());
        self.memory.check(format!("a picture of {width}×{height} pixels"), picture_bytes(width, height))?;
        let tensor = self.latent_tensor(latent)?;
        let (dtype, tiles) = (self.runtime.dtype(), how.tiles.unwrap_or(self.tiles));
        let is_finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        let mut notices = Vec::new();
        let (mut values, mut was_short) = (Vec::new(), false);
        let mut in_f32 = how.in_f32 && dtype != DType::F32;
        if !in_f32 {
            (values, was_short) = self.decoded(&self.network, &tensor.to_dtype(dtype)?, tiles, cancel)?;
            if !is_finite(&values) && dtype != DType::F32 {
                // Some VAEs overflow f16 (SDXL's is known for it): decode again in f32.
                in_f32 = true;
                notices.push(format!(
                    "The decoder's values overflowed in {}, so the picture was decoded again in f32.",
                    dtype.as_str()
                ));
            }
        }
        if in_f32 {
            (values, was_short) = self.decoded(&self.in_f32()?, &tensor, tiles, cancel)?;
        }
        if !is_finite(&values) {
            return Err(ModelError::NotANumber);
        }
        if was_short {
            notices.push(
                "The device's memory was too short for the whole picture, so it was decoded in tiles."
                    .to_owned(),
            );
        }
        let notice = (!notices.is_empty()).then(|| notices.join(" "));
        Ok(DecodedPicture { picture: picture_from_values(&values, width, height, self.memory)?, notice })
    }

    /// The network in f32.
    fn in_f32(&self) -> Result<Autoencoder, ModelError> {
        let parameters = Parameters::new(self.weights.clone(), &self.runtime.in_f32());
        Autoencoder::new(&parameters, &self.config).map_err(ModelError::in_part(PART))
    }

    /// Encodes a picture whose edges are multiples of the format's downscale factor.
    pub(super) fn encode(&self, picture: &Picture, cancel: &CancelToken) -> Result<Encoded, ModelError> {
        let (width, height) = (picture.width(), picture.height());
        let format = self.format;
        if width == 0 || height == 0 || !(width % format.downscale == 0 && height % format.downscale == 0) {
            return Err(ModelError::Mismatch(format!(
                "a picture of {width}×{height} pixels cannot be encoded: both edges must be multiples of {}",
                format.downscale
            )));
        }
        self.memory.check(format!("a picture of {width}×{height} pixels"), picture_bytes(width, height))?;
        let values: Vec<f32> = picture.rgb().iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
        let pixels = Tensor::from_vec(values, (1, height, width, 3), &Device::Cpu)?.permute([0, 3, 1, 2])?;
        let pixels = pixels.to_device(self.runtime.device())?.to_dtype(self.runtime.dtype())?;
        let shape = format.latent_shape(width, height);
        let plain = |t: &Tensor| -> Result<Latent, ModelError> {
            let values: Vec<f32> = t.to_dtype(DType::F32)?.to_values()?;
            Latent::new(shape, values).map_err(|error| ModelError::Mismatch(error.to_string()))
        };
        let [mut mean, mut log_variance] = self.posterior(&self.network, &pixels, cancel)?;
        let mut latent = plain(&mean)?;
        if first_non_finite(&latent).is_some() && self.runtime.dtype() != DType::F32 {
            // As in `Self::decode`.
            [mean, log_variance] = self.posterior(&self.in_f32()?, &pixels.to_dtype(DType::F32)?, cancel)?;
            latent = plain(&mean)?;
        }
        if first_non_finite(&latent).is_some() {
            return Err(ModelError::NotANumber);
        }
        Ok(Encoded { mean: format.model_from_vae(&latent), log_variance: plain(&log_variance)? })
    }

    /// The mean in model space, `[1, C, H, W]`, of a uniformly grey picture: the masked-image latent of an inpainting
    /// network when everything is masked.
    pub(super) fn encode_grey(&self, shape: LatentShape, cancel: &CancelToken) -> Result<Tensor, ModelError> {
        let (width, height) = self.format.image_size_px(shape);
        let (dtype, device) = (self.runtime.dtype(), self.runtime.device());
        let grey = Tensor::zeros((1, 3, height, width), dtype, device)?;
        let [mean, _] = self.posterior(&self.network, &grey, cancel)?;
        Ok(mean.affine(self.format.scale, -self.format.shift * self.format.scale)?)
    }

    /// Mean and log-variance in VAE space, `[1, C, H, W]`, of pixels of −1..=1, `[1, 3, H·P, W·P]`.
    fn posterior(
        &self,
        network: &Autoencoder,
        pixels: &Tensor,
        cancel: &CancelToken,
    ) -> Result<[Tensor; 2], ModelError> {
        let limits = self.memory.limits(self.tiles, &self.runtime);
        let (posterior, _) =
            in_tiles_if_short(limits, |limits| self.runtime.run(|| network.encode(pixels, limits, cancel)))
                .map_err(ModelError::in_part(PART))?;
        Ok(posterior)
    }

    /// The latent as a tensor in VAE space, `[1, C, H, W]`, f32 on the runtime's device.
    fn latent_tensor(&self, latent: &Latent) -> Result<Tensor, ModelError> {
        let LatentShape { channels, height, width } = latent.shape();
        if channels != self.format.channels {
            return Err(ModelError::Mismatch(format!(
                "a latent of {channels} channels does not fit this model's VAE, which has {}",
                self.format.channels
            )));
        }
        let vae = self.format.vae_from_model(latent);
        Ok(Tensor::from_slice(vae.values(), (1, channels, height, width), &Device::Cpu)?
            .to_device(self.runtime.device())?)
    }

    /// `[3, H, W]` values, about −1..=1, and whether memory was short.
    fn decoded(
        &self,
        network: &Autoencoder,
        latent: &Tensor,
        tiles: TileChoice,
        cancel: &CancelToken,
    ) -> Result<(Vec<f32>, bool), ModelError> {
        let (decoded, was_short) = in_tiles_if_short(self.memory.limits(tiles, &self.runtime), |limits| {
            self.runtime.run(|| network.decode(latent, limits, cancel))
        })
        .map_err(ModelError::in_part(PART))?;
        Ok((decoded.flatten_all()?.to_dtype(DType::F32)?.to_values()?, was_short))
    }
}

/// `[3, H, W]` values of −1..=1 to rows of pixels, as diffusers: halved, shifted, clamped, rounded.
pub(super) fn picture_from_values(
    values: &[f32],
    width: usize,
    height: usize,
    memory: MemoryBudget,
) -> Result<Picture, ModelError> {
    let byte = |v: f32| ((v / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let (red, rest) = values.split_at(values.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(values.len()).is_err() {
        memory.check(format!("a picture of {width}×{height} pixels"), values.len() as u64)?;
    }
    bytes.extend(red.iter().zip(green).zip(blue).flat_map(|((r, g), b)| [*r, *g, *b].map(byte)));
    Picture::new(width, height, bytes).map_err(|error| ModelError::Mismatch(error.to_string()))
}
