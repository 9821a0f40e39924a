//! Stable Diffusion's UNet as the [`DenoisingNetwork`] of a sampler.

use super::super::word_watch::WordWatch;
use super::StableDiffusion;
use super::text::Embedded;
use crate::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction, TokenActivity};
use crate::latent::{Latent, LatentShape};
use crate::models::ModelError;
use crate::networks::backend::{DType, Device, Tensor};
use crate::networks::unet::ContextCache;
use crate::request::CancelToken;

/// The UNet with the embeddings of its prompts.
pub(super) struct Conditioned<'a> {
    pub(super) model: &'a StableDiffusion,
    /// The embeddings of the negative prompt and the prompt, in this order.
    pub(super) embedded: Embedded,
    /// SDXL's size conditioning (diffusers' `add_time_ids`), pixels: original height and width, top and left of the
    /// crop, target height and width.
    pub(super) sizes: [f64; 6],
    /// The prompts' cross-attention keys and values, computed at the first step.
    pub(super) cache: Option<ContextCaches>,
    /// The additional input channels of an inpainting UNet, mask and masked-image latent, `[1, 1 + C, H, W]`; computed
    /// at the first step.
    pub(super) inpainting: Option<Tensor>,
    pub(super) words: WordWatch,
    pub(super) cancel: &'a CancelToken,
}

/// The caches for each [`Branch`].
pub(super) struct ContextCaches {
    conditional: ContextCache,
    both: ContextCache,
}

impl Conditioned<'_> {
    /// The UNet's input for a noisy latent `[1, C, H, W]`.
    ///
    /// An inpainting UNet also takes a mask and the latent of the masked image. To generate a whole picture, the mask
    /// is all ones and the masked image uniformly grey, as in AUTOMATIC1111's text-to-image and in diffusers'
    /// inpainting pipeline with a white mask.
    fn input(&mut self, noisy: &Tensor) -> Result<Tensor, ModelError> {
        let StableDiffusion { configs, runtime, vae, .. } = self.model;
        if configs.unet.in_channels == configs.vae.latent_channels {
            return Ok(noisy.clone());
        }
        let inpainting = if let Some(inpainting) = &self.inpainting {
            inpainting.clone()
        } else {
            let (_, channels, height, width) = noisy.dims4()?;
            let grey = vae.encode_grey(LatentShape::new(channels, height, width), self.cancel)?;
            let mask = Tensor::ones((1, 1, height, width), runtime.dtype(), runtime.device())?;
            Tensor::cat(&[mask, grey], 1)?
        };
        let input = Tensor::cat(&[noisy, &inpainting], 1)?;
        self.inpainting = Some(inpainting);
        Ok(input)
    }

    /// The UNet's outputs for the branch's prompts, each `[C, H, W]`; the one for the positive prompt comes last.
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
        let values: Vec<f32> = output.to_dtype(DType::F32)?.to_values()?;
        let prompts = if branch == Branch::Both { 2 } else { 1 };
        if values.len() != prompts * noisy.shape().len() {
            return Err(ModelError::Mismatch(format!(
                "the UNet gives {} values for a latent of {}",
                values.len() / prompts,
                noisy.shape().len()
            )));
        }
        Ok(values.chunks_exact(noisy.shape().len()).map(|values| noisy.with_values(values)).collect())
    }
}

impl DenoisingNetwork for Conditioned<'_> {
    fn watch_words(&mut self) {
        self.words.ask();
    }

    fn take_words(&mut self) -> Option<TokenActivity> {
        self.words.take()
    }

    fn predict(
        &mut self,
        noisy: &Latent,
        timestep: f64,
        branch: Branch,
    ) -> Result<Prediction, DiffusionError> {
        let runtime = &self.model.runtime;
        let watched = self.words.begin(runtime, noisy.shape(), None);
        let outputs = self.outputs(noisy, timestep, branch);
        if watched {
            self.words.finish(runtime, noisy.shape(), &self.embedded.context);
        }
        let mut outputs = outputs?;
        let conditional = outputs.swap_remove(outputs.len() - 1);
        Ok(Prediction { conditional, negative: outputs.pop() })
    }
}
