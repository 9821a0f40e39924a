//! The UNet with a prompt's embeddings.

use candle_core::{DType, Device, Tensor};

use super::StableDiffusion;
use super::text::Embedded;
use crate::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction};
use crate::latent::{Latent, LatentShape};
use crate::models::ModelError;
use crate::networks::unet::ContextCache;
use crate::request::CancelToken;

/// The network with a prompt's embeddings.
pub(super) struct Conditioned<'a> {
    pub(super) model: &'a StableDiffusion,
    /// Of the negative prompt and the prompt.
    pub(super) embedded: Embedded,
    /// The picture's sizes, pixels: of the original height and width, the crop's top and left, the drawn height and width.
    pub(super) sizes: [f64; 6],
    /// The prompts' keys and values, made at the first step.
    pub(super) cache: Option<ContextCaches>,
    /// What an inpainting network takes beside the latent, `[1, 1 + C, H, W]`, made at the first step.
    pub(super) covered: Option<Tensor>,
    pub(super) cancel: &'a CancelToken,
}

/// The keys and values for each [`Branch`].
pub(super) struct ContextCaches {
    conditional: ContextCache,
    both: ContextCache,
}

impl Conditioned<'_> {
    /// The noisy latent as the network takes it.
    ///
    /// An inpainting network also takes a mask and what the mask leaves of a picture. Here the whole is to
    /// be drawn: a mask of ones, and a picture that is grey all over (so do diffusers' inpainting pipeline
    /// with a white mask and AUTOMATIC1111's text-to-image).
    fn input(&mut self, noisy: &Tensor) -> Result<Tensor, ModelError> {
        let StableDiffusion { configs, runtime, vae, .. } = self.model;
        if configs.unet.in_channels == configs.vae.latent_channels {
            return Ok(noisy.clone());
        }
        let covered = if let Some(covered) = &self.covered {
            covered.clone()
        } else {
            let (_, channels, height, width) = noisy.dims4()?;
            let grey = vae.encode_grey(LatentShape::new(channels, height, width), self.cancel)?;
            let mask = Tensor::ones((1, 1, height, width), runtime.dtype(), runtime.device())?;
            Tensor::cat(&[mask, grey], 1)?
        };
        let input = Tensor::cat(&[noisy, &covered], 1)?;
        self.covered = Some(covered);
        Ok(input)
    }

    /// The outputs for the branch's prompts, at least one, each `[C, H, W]`: the prompt's last.
    fn outputs(&mut self, noisy: &Latent, timestep: f64, branch: Branch) -> Result<Vec<Latent>, ModelError> {
        let LatentShape { channels, height, width } = noisy.shape();
        let runtime = &self.model.runtime;
        let noisy_tensor = Tensor::from_slice(noisy.values(), (1, channels, height, width), &Device::Cpu)?;
        let input = self.input(&noisy_tensor.to_device(runtime.device())?.to_dtype(runtime.dtype())?)?;
        let (unet, Embedded { context, pooled }, sizes) = (&self.model.unet, &self.embedded, &self.sizes);
        let predict = |caches: &mut Option<ContextCaches>| {
            let made = if let Some(made) = caches.take() {
                made
            } else {
                let both = unet.context_cache(context, pooled.as_ref(), sizes)?;
                ContextCaches { conditional: both.one(1)?, both }
            };
            let ContextCaches { conditional, both } = caches.insert(made);
            let context = if branch == Branch::Both { both } else { conditional };
            unet.forward(&input, timestep, context, self.cancel)
        };
        let output = runtime.run(|| predict(&mut self.cache)).map_err(ModelError::in_part("unet"))?;
        let values: Vec<f32> = output.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let answers = if branch == Branch::Both { 2 } else { 1 };
        if values.len() != answers * noisy.shape().len() {
            return Err(ModelError::Mismatch(format!(
                "the UNet gives {} values for a latent of {}",
                values.len() / answers,
                noisy.shape().len()
            )));
        }
        Ok(values.chunks_exact(noisy.shape().len()).map(|values| noisy.with_values(values)).collect())
    }
}

impl DenoisingNetwork for Conditioned<'_> {
    fn predict(
        &mut self,
        noisy: &Latent,
        timestep: f64,
        branch: Branch,
    ) -> Result<Prediction, DiffusionError> {
        let mut outputs = self.outputs(noisy, timestep, branch)?;
        let conditional = outputs.swap_remove(outputs.len() - 1);
        Ok(Prediction { conditional, negative: outputs.pop() })
    }
}
