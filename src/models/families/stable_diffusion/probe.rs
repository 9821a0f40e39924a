//! The networks of a model one at a time, for the checks of a device.

use super::super::word_watch::WordWatch;
use super::StableDiffusion;
use super::denoiser::Conditioned;
use super::text::Embedded;
use crate::diffusion::{Branch, DenoisingNetwork as _};
use crate::latent::Latent;
use crate::models::{LatentDiffusionModel as _, ModelError, ModelSettings};
use crate::networks::backend::{DType, Tensor};
use crate::request::{CancelToken, Picture, PromptTokens};
use crate::store::Checkpoint;

/// The prompt whose picture is compared.
const PROMPT: &str = "a red fox in the snow, golden hour";

/// A model whose networks are called one at a time.
pub(in crate::models) struct Probe(StableDiffusion);

/// What the text encoder made of the prompts, on one device.
pub(in crate::models) struct ProbedText(Embedded);

impl ProbedText {
    /// Its values in f32.
    pub(in crate::models) fn values(&self) -> Result<Vec<f32>, ModelError> {
        Ok(self.0.context.to_dtype(DType::F32)?.to_values()?)
    }
}

impl Probe {
    /// Loads a model of this architecture.
    pub(in crate::models) fn load(
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        StableDiffusion::load(checkpoint, settings, &mut |_, _, _| {}, cancel).map(Self)
    }

    /// The text encoder's output.
    pub(in crate::models) fn text(&self, cancel: &CancelToken) -> Result<ProbedText, ModelError> {
        self.0.text.embed(&self.0.runtime, "", PROMPT, None, cancel).map(ProbedText)
    }

    /// The text of another device on this one, in its dtype.
    pub(in crate::models) fn moved(&self, text: &ProbedText) -> Result<ProbedText, ModelError> {
        let runtime = &self.0.runtime;
        let moved = |x: &Tensor| x.to_device(runtime.device())?.to_dtype(runtime.dtype());
        let pooled = text.0.pooled.as_ref().map(moved).transpose()?;
        Ok(ProbedText(Embedded { context: moved(&text.0.context)?, pooled }))
    }

    /// One call of the UNet with guidance, as in a step.
    pub(in crate::models) fn denoised(
        &self,
        text: &ProbedText,
        noisy: &Latent,
        timestep: f64,
        cancel: &CancelToken,
    ) -> Result<Vec<f32>, ModelError> {
        let ProbedText(embedded) = self.moved(text)?;
        let edge = self.0.profile.defaults.size;
        let sizes = [edge.height, edge.width, 0, 0, edge.height, edge.width].map(|edge| edge as f64);
        let words = WordWatch::new(PromptTokens::default());
        let mut network =
            Conditioned { model: &self.0, embedded, sizes, cache: None, inpainting: None, words, cancel };
        let predicted = network.predict(noisy, timestep, Branch::Both).map_err(ModelError::from_sampling)?;
        let negative = predicted.negative.map(|latent| latent.values().to_vec()).unwrap_or_default();
        Ok([predicted.conditional.values(), &negative].concat())
    }

    /// The VAE's posterior of a picture, model space.
    pub(in crate::models) fn encoded(
        &self,
        picture: &Picture,
        cancel: &CancelToken,
    ) -> Result<Latent, ModelError> {
        Ok(self.0.encode(picture, cancel)?.mean)
    }

    /// The VAE's picture of a latent.
    pub(in crate::models) fn decoded(
        &self,
        latent: &Latent,
        cancel: &CancelToken,
    ) -> Result<Picture, ModelError> {
        Ok(self.0.decode(latent, crate::request::DecodeChoice::default(), cancel)?.picture)
    }

    /// The model itself, to draw a picture with.
    pub(in crate::models) fn model(&mut self) -> &mut dyn crate::models::LatentDiffusionModel {
        &mut self.0
    }

    /// The prompt that it is probed with.
    pub(in crate::models) const fn prompt() -> &'static str {
        PROMPT
    }
}
