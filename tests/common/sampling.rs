//! Whole sampling runs of a loaded model, without the engine.

use safelight::catalog::{ImageSize, SamplerKind, ScheduleKind};
use safelight::diffusion::{
    GuidedDenoiser, Preconditioning, Run, RunPart, SampledRun, Schedule, Start, sample,
};
use safelight::latent::{Latent, LatentShape};
use safelight::models::{Conditioning, LatentDiffusionModel, ModelError};
use safelight::request::{CancelToken, PromptOptions, Seed};

/// A conditioning for a picture of 64×64 pixels.
pub(crate) fn conditioning(prompt: &str, negative_prompt: &str, guidance_scale: f64) -> Conditioning {
    Conditioning {
        prompt: prompt.to_owned(),
        negative_prompt: negative_prompt.to_owned(),
        size: ImageSize::new(64, 64),
        guidance_scale,
        options: PromptOptions::default(),
    }
}

/// The inputs of a run. The default draws 8×8 latent pixels from noise in two steps of DDIM.
#[derive(Clone, Copy)]
pub(crate) struct Drawing<'a> {
    pub(crate) prompt: &'a str,
    pub(crate) negative_prompt: &'a str,
    pub(crate) guidance_scale: f64,
    pub(crate) options: PromptOptions,
    pub(crate) sampler: SamplerKind,
    pub(crate) steps: usize,
    pub(crate) seed: u64,
    pub(crate) start: Start<'a>,
}

impl Default for Drawing<'_> {
    fn default() -> Self {
        Self {
            prompt: "",
            negative_prompt: "",
            guidance_scale: 4.0,
            options: PromptOptions::default(),
            sampler: SamplerKind::Ddim,
            steps: 2,
            seed: 1,
            start: Start::Noise(LatentShape::new(4, 8, 8)),
        }
    }
}

impl Drawing<'_> {
    /// The final latent, model space.
    ///
    /// # Errors
    /// The model's, for a prompt that it cannot encode.
    pub(crate) fn run(&self, model: &mut dyn LatentDiffusionModel) -> Result<Latent, ModelError> {
        Ok(self.run_in_steps(model)?.latent)
    }

    /// The final latent and every step.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn run_in_steps(
        &self,
        model: &mut dyn LatentDiffusionModel,
    ) -> Result<SampledRun, ModelError> {
        let config = model.scheduler_config().clone();
        let prediction = model.profile().prediction;
        let cancel = CancelToken::new();
        let asked = conditioning(self.prompt, self.negative_prompt, self.guidance_scale);
        let conditioning = Conditioning { options: self.options, ..asked };
        let mut network = model.condition(&conditioning, &cancel)?;
        let mut denoiser = GuidedDenoiser::new(&mut *network, prediction, self.guidance_scale);
        denoiser.preconditioning = Preconditioning::of(&config);
        let schedule = Schedule::new(&config, self.sampler, ScheduleKind::Model, self.steps).unwrap();
        let run = Run {
            denoiser: &mut denoiser,
            parts: &[RunPart::whole(&config, &schedule)],
            recorded: &[],
            start: self.start,
            seed: Seed(self.seed),
            cancel: &cancel,
        };
        Ok(sample(run, &mut |_| {}).unwrap())
    }
}
