//! Classifier-free guidance: steers a prediction towards the prompt.
//!
//! Source: Ho & Salimans 2022, <https://arxiv.org/abs/2207.12598>, with guidance_scale = 1 + w.

use candle_core::Tensor;

use super::prediction::combine;
use super::{Denoiser, DiffusionError, NoiseLevel, denoised_from_output};
use crate::request::PredictionType;

/// Which prompts a network call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The prompt alone.
    Conditional,
    /// The negative prompt and the prompt in one batch, in this order.
    Both,
}

/// A network that predicts noise, velocity or flow.
pub trait NoisePredictor {
    /// The raw output for `noisy` `[1, C, H, W]` at a training timestep (may be fractional):
    /// `[1, C, H, W]` for [`Branch::Conditional`], `[2, C, H, W]` (negative, prompt) for [`Branch::Both`].
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] when the job was stopped inside the call.
    fn predict(&mut self, noisy: &Tensor, timestep: f64, branch: Branch) -> Result<Tensor, DiffusionError>;
}

/// `uncond + guidance_scale · (cond − uncond)`; 1.0 gives `cond`.
pub fn classifier_free(cond: &Tensor, uncond: &Tensor, guidance_scale: f64) -> candle_core::Result<Tensor> {
    combine(&[(1.0 - guidance_scale, uncond), (guidance_scale, cond)])
}

/// A network with its prediction type and guidance: what samplers call.
pub struct GuidedDenoiser<'a> {
    /// The network.
    pub predictor: &'a mut dyn NoisePredictor,
    /// What its output means.
    pub prediction: PredictionType,
    /// 1.0 needs the prompt alone, anything else the negative one too, which takes nearly twice as long.
    pub guidance_scale: f64,
}

impl Denoiser for GuidedDenoiser<'_> {
    fn denoise(&mut self, noisy: &Tensor, level: NoiseLevel) -> Result<Tensor, DiffusionError> {
        let output = if self.guidance_scale == 1.0 {
            self.predictor.predict(noisy, level.timestep, Branch::Conditional)?
        } else {
            let both = self.predictor.predict(noisy, level.timestep, Branch::Both)?;
            let (uncond, cond) = (both.narrow(0, 0, 1)?, both.narrow(0, 1, 1)?);
            classifier_free(&cond, &uncond, self.guidance_scale)?
        };
        Ok(denoised_from_output(self.prediction, noisy, &output, level)?)
    }
}
