//! Classifier-free guidance: steers a prediction towards the prompt.
//!
//! Source: Ho & Salimans 2022, <https://arxiv.org/abs/2207.12598>, with guidance_scale = 1 + w.

use super::combine::combine;
use super::{Denoiser, DiffusionError, NoiseLevel, Preconditioning};
use crate::catalog::PredictionType;
use crate::latent::Latent;
use crate::request::SkipLayers;

/// The prompts that a network call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The prompt alone.
    Conditional,
    /// The negative prompt and the prompt, in one pass of the network.
    Both,
}

/// What a network predicts for a noisy latent: noise, velocity, flow or the clean latent.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// With the prompt.
    pub conditional: Latent,
    /// With the negative prompt, for [`Branch::Both`].
    pub negative: Option<Latent>,
}

/// A network that is conditioned on a prompt.
pub trait DenoisingNetwork {
    /// Sets the timestep at the end of the current step, an input of flow-map networks.
    fn set_target(&mut self, _timestep: f64) {}

    /// The output for the prompt without the layers of skip-layer guidance; with all of them in networks without it.
    ///
    /// # Errors
    /// As [`Self::predict`].
    fn predict_skipping(&mut self, noisy: &Latent, timestep: f64) -> Result<Latent, DiffusionError> {
        Ok(self.predict(noisy, timestep, Branch::Conditional)?.conditional)
    }

    /// The raw output for `noisy` (model space, as the sampler holds it, or as [`Preconditioning`] scales it) at a training
    /// timestep, which may be fractional.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] when the job was stopped inside the call, [`DiffusionError::Network`]
    /// when the network failed.
    fn predict(
        &mut self,
        noisy: &Latent,
        timestep: f64,
        branch: Branch,
    ) -> Result<Prediction, DiffusionError>;
}

/// `uncond + guidance_scale · (cond − uncond)`; 1.0 gives `cond`.
pub fn classifier_free(cond: &Latent, uncond: &Latent, guidance_scale: f64) -> Latent {
    combine(&[(1.0 - guidance_scale, uncond), (guidance_scale, cond)])
}

/// A network with its prediction type and guidance: what samplers call.
pub struct GuidedDenoiser<'a> {
    /// The network.
    pub network: &'a mut dyn DenoisingNetwork,
    /// What its output means.
    pub prediction: PredictionType,
    /// How it takes a latent.
    pub preconditioning: Preconditioning,
    /// 1.0 or less is no guidance, as in diffusers: only the prompt is evaluated. Above, the negative prompt is
    /// evaluated too, which takes nearly twice as long.
    pub guidance_scale: f64,
    /// How far the guided prediction is scaled back to the spread of the prompt's own, 0..=1; 0 is not at all.
    pub guidance_rescale: f64,
    /// Skip-layer guidance, on top of the other.
    pub skip_layers: Option<SkipLayers>,
    /// Its scale at the current step; 0 is off.
    skip_scale: f64,
}

impl<'a> GuidedDenoiser<'a> {
    /// A network with classifier-free guidance of this scale.
    pub fn new(
        network: &'a mut dyn DenoisingNetwork,
        prediction: PredictionType,
        guidance_scale: f64,
    ) -> Self {
        Self {
            network,
            prediction,
            preconditioning: Preconditioning::None,
            guidance_scale,
            guidance_rescale: 0.0,
            skip_layers: None,
            skip_scale: 0.0,
        }
    }
}

/// Scales a guided prediction towards the standard deviation of `conditional` (Lin et al. 2023,
/// <https://arxiv.org/abs/2305.08891>, section 3.4); `share` 1 reaches it.
fn rescaled(guided: Latent, conditional: &Latent, share: f64) -> Latent {
    let (wanted, found) = (deviation(conditional), deviation(&guided));
    if share == 0.0 || found == 0.0 {
        return guided;
    }
    combine(&[(share * wanted / found + 1.0 - share, &guided)])
}

/// The standard deviation of all values.
fn deviation(latent: &Latent) -> f64 {
    let count = latent.values().len() as f64;
    let mean = latent.values().iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    (latent.values().iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Whether a guidance scale has an effect. In diffusers' pipelines, and therefore in model cards that recommend
/// `guidance_scale=0.0`, every value up to 1 means no guidance.
fn is_guided(guidance_scale: f64) -> bool {
    guidance_scale > 1.0
}

impl Denoiser for GuidedDenoiser<'_> {
    fn begin_step(&mut self, index: usize, steps: usize, target: NoiseLevel) {
        self.network.set_target(target.timestep);
        let is_on = |skip: &SkipLayers| skip.is_on(index, steps);
        self.skip_scale = self.skip_layers.filter(is_on).map_or(0.0, |skip| skip.scale);
    }

    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        let branch = if is_guided(self.guidance_scale) { Branch::Both } else { Branch::Conditional };
        let (input, time) = (self.preconditioning.input(noisy, level), self.preconditioning.time(level));
        let Prediction { conditional, negative } = self.network.predict(&input, time, branch)?;
        let output = match negative {
            Some(negative) => {
                let guided = classifier_free(&conditional, &negative, self.guidance_scale);
                let mut guided = rescaled(guided, &conditional, self.guidance_rescale);
                if self.skip_scale != 0.0 {
                    let skipped = self.network.predict_skipping(&input, time)?;
                    let scale = self.skip_scale;
                    guided = combine(&[(1.0, &guided), (scale, &conditional), (-scale, &skipped)]);
                }
                guided
            }
            None => conditional,
        };
        Ok(self.preconditioning.denoised(self.prediction, noisy, &output, level))
    }
}
