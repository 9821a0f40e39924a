//! Classifier-free guidance: steers a prediction towards the prompt.
//!
//! Source: Ho & Salimans 2022, <https://arxiv.org/abs/2207.12598>, with guidance_scale = 1 + w.

use super::combine::combine;
use super::{Denoiser, DiffusionError, Insight, NoiseLevel, Preconditioning, TokenActivity, Watcher};
use crate::catalog::PredictionType;
use crate::latent::{Latent, LatentDifference};
use crate::request::{SkipLayers, Watched};

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

    /// Asks the next prediction to record where the tokens of the prompt act.
    fn watch_words(&mut self) {}

    /// What it recorded; `None` in networks without attention to the prompt's tokens.
    fn take_words(&mut self) -> Option<TokenActivity> {
        None
    }

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
    /// Looks into the steps.
    pub watcher: Option<Watcher<'a>>,
    /// The scale of skip-layer guidance at the current step; 0 is off.
    skip_scale: f64,
    /// The number of the current step, from 1, until its first call.
    begun: Option<usize>,
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
            watcher: None,
            skip_scale: 0.0,
            begun: None,
        }
    }
}

impl GuidedDenoiser<'_> {
    /// Tells the watcher what this prediction shows.
    fn tell(&mut self, step: usize, watched: Watched, Prediction { conditional, negative }: &Prediction) {
        let difference = |negative| LatentDifference::of(negative, conditional);
        let guidance = negative.as_ref().filter(|_| watched.guidance).and_then(difference);
        let words = if watched.words { self.network.take_words() } else { None };
        let insight = Insight { guidance: guidance.map(|difference| difference.mean_magnitude), words };
        if let Some(watcher) = &mut self.watcher {
            (watcher.tell)(step, insight);
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
        self.begun = Some(index + 1);
        let is_on = |skip: &SkipLayers| skip.is_on(index, steps);
        self.skip_scale = self.skip_layers.filter(is_on).map_or(0.0, |skip| skip.scale);
    }

    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        let branch = if is_guided(self.guidance_scale) { Branch::Both } else { Branch::Conditional };
        let (input, time) = (self.preconditioning.input(noisy, level), self.preconditioning.time(level));
        let watched = match (&self.watcher, self.begun.take()) {
            (Some(watcher), Some(step)) => {
                Some((step, watcher.watch.get())).filter(|(_, watched)| watched.is_any())
            }
            _ => None,
        };
        if watched.is_some_and(|(_, watched)| watched.words) {
            self.network.watch_words();
        }
        let prediction = self.network.predict(&input, time, branch)?;
        if let Some((step, watched)) = watched {
            self.tell(step, watched, &prediction);
        }
        let Prediction { conditional, negative } = prediction;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;
    use crate::request::Watch;

    /// Predicts twice the latent with the prompt, and its negative with the other one.
    struct Twice;

    impl DenoisingNetwork for Twice {
        fn predict(&mut self, noisy: &Latent, _: f64, branch: Branch) -> Result<Prediction, DiffusionError> {
            let negative = (branch == Branch::Both).then(|| noisy.map(|_, value| -value));
            Ok(Prediction { conditional: noisy.map(|_, value| 2.0 * value), negative })
        }
    }

    #[test]
    fn a_watcher_is_told_how_guidance_pulls_at_the_first_call_of_a_step() {
        let noisy = Latent::new(LatentShape::new(2, 1, 2), vec![1.0, -2.0, 3.0, 0.0]).unwrap();
        let level = NoiseLevel { alpha: 0.8, sigma: 0.6, timestep: 500.0 };
        let told = |scale: f64, watched: Watched| {
            let mut seen = Vec::new();
            let mut tell = |step, insight| seen.push((step, insight));
            let (watch, mut network) = (Watch::on(watched), Twice);
            let mut denoiser = GuidedDenoiser::new(&mut network, PredictionType::Epsilon, scale);
            denoiser.watcher = Some(Watcher { watch: &watch, tell: &mut tell });
            denoiser.begin_step(4, 9, level);
            for _ in 0..2 {
                denoiser.denoise(&noisy, level).unwrap();
            }
            seen
        };
        let guidance = Watched { guidance: true, words: false };
        let [(5, Insight { guidance: Some(map), words: None })] = &told(4.0, guidance)[..] else { panic!() };
        // Three times the magnitudes, mean over the channels.
        assert_eq!(map.values(), [6.0, 3.0]);
        assert_eq!(told(1.0, guidance), [(5, Insight::default())], "one pass has no difference");
        assert_eq!(told(4.0, Watched { guidance: false, words: true }), [(5, Insight::default())]);
        assert_eq!(told(4.0, Watched::default()), []);
    }
}
