//! From what a user typed to what the engine accepts.

use super::{DraftError, NoiseLevels, Picture, PromptOptions, SamplingOptions, Seed};
use crate::catalog::{ImageSize, ModelProfile, ModelSource, SamplerKind, ScheduleKind};

/// The picture an image-to-image run starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct InitImage {
    /// The source, any size; it is scaled to cover the target and cropped in the middle.
    pub picture: Picture,
    /// Share of the steps that are taken: 0 keeps the source, 1 ignores it.
    pub strength: f64,
}

/// The settings as a user typed and chose them; they may be invalid.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationDraft {
    /// The model.
    pub model: ModelSource,
    /// The prompt; may be empty.
    pub prompt: String,
    /// The negative prompt; may be empty.
    pub negative_prompt: String,
    /// Picture size.
    pub size: ImageSize,
    /// Sampling steps.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 or less is off, as in diffusers.
    pub guidance_scale: f64,
    /// The first picture's seed.
    pub seed: Seed,
    /// The sampler.
    pub sampler: SamplerKind,
    /// The spacing of the noise levels.
    pub schedule: ScheduleKind,
    /// Further settings of sampling.
    pub options: SamplingOptions,
    /// Options of prompt encoding and guidance.
    pub prompt_options: PromptOptions,
    /// Source picture of an image-to-image run.
    pub init_image: Option<InitImage>,
}

/// A request the engine can carry out. Only [`GenerationDraft::validate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationRequest(GenerationDraft);

impl GenerationRequest {
    /// The request of a kept run, which was validated when it was made.
    pub fn of_kept_run(draft: GenerationDraft) -> Self {
        Self(draft)
    }
}

impl std::ops::Deref for GenerationRequest {
    type Target = GenerationDraft;

    fn deref(&self) -> &GenerationDraft {
        &self.0
    }
}

impl GenerationDraft {
    /// The longest edge, pixels.
    pub const MAX_EDGE_PX: usize = 8192;
    /// The largest guidance scale.
    pub const MAX_GUIDANCE_SCALE: f64 = 50.0;
    /// The smallest shift of a flow.
    pub const MIN_SHIFT: f64 = 0.01;
    /// The largest shift of a flow.
    pub const MAX_SHIFT: f64 = 100.0;
    /// The largest sigma that may be asked for: that of diffusers' smallest signal.
    pub const MAX_SIGMA: f64 = 4096.0;
    /// The longest prompt or negative prompt, bytes: hundreds of text encoder chunks.
    pub const MAX_PROMPT_BYTES: usize = 64 << 10;

    /// A draft with the model's defaults and a random seed.
    pub fn new(profile: &ModelProfile) -> Self {
        let defaults = profile.defaults;
        Self {
            model: profile.source.clone(),
            prompt: String::new(),
            negative_prompt: String::new(),
            size: defaults.size,
            steps: defaults.steps,
            guidance_scale: defaults.guidance_scale,
            seed: Seed::random(),
            sampler: defaults.sampler,
            schedule: ScheduleKind::Model,
            options: SamplingOptions::default(),
            prompt_options: PromptOptions::default(),
            init_image: None,
        }
    }

    /// Checks every value against what the model can do.
    ///
    /// # Errors
    /// The first [`DraftError`] found.
    pub fn validate(self, profile: &ModelProfile) -> Result<GenerationRequest, DraftError> {
        let multiple = profile.size_multiple.max(1);
        let fits =
            |edge: usize| edge >= multiple && edge.is_multiple_of(multiple) && edge <= Self::MAX_EDGE_PX;
        if !fits(self.size.width) || !fits(self.size.height) {
            return Err(DraftError::Size { size: self.size, multiple, max: Self::MAX_EDGE_PX });
        }
        self.check_options(profile)?;
        self.check_prompt_options(profile)?;
        // A list of levels has as many steps as it has levels.
        let max = match self.options.levels {
            Some(_) => NoiseLevels::MOST,
            None => profile.step_limits.most(self.sampler),
        };
        if self.steps == 0 || self.steps > max {
            return Err(DraftError::Steps { steps: self.steps, max });
        }
        let bytes = self.prompt.len().max(self.negative_prompt.len());
        if bytes > Self::MAX_PROMPT_BYTES {
            return Err(DraftError::Prompt { bytes });
        }
        if !(0.0..=Self::MAX_GUIDANCE_SCALE).contains(&self.guidance_scale) {
            return Err(DraftError::GuidanceScale(self.guidance_scale));
        }
        if let Some(init) = &self.init_image {
            if !(0.0..=1.0).contains(&init.strength) {
                return Err(DraftError::Strength(init.strength));
            }
            if (self.steps as f64 * init.strength) < 1.0 {
                return Err(DraftError::NothingToDo { strength: init.strength, steps: self.steps });
            }
        }
        Ok(GenerationRequest(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{GuidanceKind, ModelDefaults, PredictionType, PromptFeatures, StepLimits};
    use crate::latent::LatentFormat;
    use crate::request::{LayerSet, SkipLayers};

    fn profile() -> ModelProfile {
        ModelProfile {
            source: ModelSource::Builtin,
            name: "test".into(),
            family: "Stable Diffusion 1",
            format: LatentFormat::STABLE_DIFFUSION,
            prediction: PredictionType::Epsilon,
            prediction_is_open: false,
            size_multiple: 32,
            defaults: ModelDefaults {
                size: ImageSize::new(128, 128),
                steps: 20,
                guidance_scale: 4.0,
                sampler: SamplerKind::Ddim,
            },
            guidance: GuidanceKind::ClassifierFree,
            prompt_features: PromptFeatures::default(),
            step_limits: StepLimits { train: 100, distilled: 8 },
            remarks: Vec::new(),
            added_tokens: Vec::new(),
            parameters: 1,
            vae_hash: String::new(),
        }
    }

    #[test]
    fn a_models_own_suggestions_are_a_request() {
        assert!(GenerationDraft::new(&profile()).validate(&profile()).is_ok());
    }

    #[test]
    fn a_wrong_size_says_what_would_fit() {
        let mut draft = GenerationDraft::new(&profile());
        draft.size.width = 100;
        assert_eq!(
            draft.validate(&profile()).unwrap_err().to_string(),
            "the size 100×128 does not fit: both edges must be multiples of 32 pixels from 32 to 8192"
        );
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        let draft = GenerationDraft::new(&profile());
        for wrong in [
            GenerationDraft { steps: 0, ..draft.clone() },
            GenerationDraft { steps: 101, ..draft.clone() },
            GenerationDraft { steps: 9, sampler: SamplerKind::Lcm, ..draft.clone() },
            GenerationDraft { guidance_scale: -1.0, ..draft.clone() },
            GenerationDraft { negative_prompt: "a".repeat(65537), ..draft.clone() },
            GenerationDraft { guidance_scale: f64::NAN, ..draft.clone() },
            GenerationDraft { size: ImageSize::new(0, 128), ..draft.clone() },
            GenerationDraft { size: ImageSize::new(8224, 128), ..draft.clone() },
            GenerationDraft {
                init_image: Some(InitImage {
                    picture: Picture::new(1, 1, vec![0; 3]).unwrap(),
                    strength: 0.01,
                }),
                ..draft
            },
        ] {
            assert!(wrong.clone().validate(&profile()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn options_that_do_not_fit_say_why() {
        let draft = GenerationDraft::new(&profile());
        let refused = |options: SamplingOptions, profile: &ModelProfile| {
            let steps = options.levels.as_ref().map_or(draft.steps, |levels| levels.values().len());
            let draft = GenerationDraft { steps, options, ..draft.clone() };
            draft.validate(profile).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let none = SamplingOptions::default;
        let flow = ModelProfile { prediction: PredictionType::Flow, ..profile() };
        let sigmas = |sigmas: &[f64]| Some(NoiseLevels::Sigmas(sigmas.to_vec()));
        assert_eq!(refused(SamplingOptions { eta: Some(0.5), ..none() }, &profile()), "");
        assert_eq!(refused(SamplingOptions { shift: Some(3.0), ..none() }, &flow), "");
        assert_eq!(refused(SamplingOptions { levels: sigmas(&[14.0, 2.0]), ..none() }, &profile()), "");
        for (options, profile, says) in [
            (SamplingOptions { eta: Some(1.5), ..none() }, &profile(), "an eta of 1.5"),
            (
                SamplingOptions { guidance_rescale: f64::NAN, ..none() },
                &profile(),
                "a guidance rescale of NaN",
            ),
            (SamplingOptions { shift: Some(3.0), ..none() }, &profile(), "has no shift"),
            (SamplingOptions { shift: Some(0.0), ..none() }, &flow, "a shift of 0"),
            (SamplingOptions { levels: sigmas(&[14.0, 2.0]), ..none() }, &flow, "14 is not a sigma"),
        ] {
            let error = refused(options, profile);
            assert!(error.contains(says), "{error}");
        }
        let heun = GenerationDraft { sampler: SamplerKind::Heun, ..draft.clone() };
        let options = SamplingOptions { eta: Some(0.5), ..none() };
        let error = GenerationDraft { options, ..heun }.validate(&profile()).unwrap_err().to_string();
        assert!(error.contains("heun has no eta") && error.contains("ddim"), "{error}");
        let ays = GenerationDraft { schedule: ScheduleKind::Ays, ..draft.clone() };
        assert!(ays.clone().validate(&profile()).is_ok());
        assert_eq!(ays.validate(&flow), Err(DraftError::Schedule(ScheduleKind::Ays)));
    }

    #[test]
    fn steps_are_bounded_by_the_model_and_the_sampler() {
        let draft = GenerationDraft { steps: 101, ..GenerationDraft::new(&profile()) };
        assert_eq!(
            draft.clone().validate(&profile()).unwrap_err().to_string(),
            "101 steps are not possible with this model and sampler: choose from 1 to 100"
        );
        let lcm = GenerationDraft { steps: 8, sampler: SamplerKind::Lcm, ..draft };
        assert!(lcm.validate(&profile()).is_ok());
    }

    #[test]
    fn options_that_a_model_does_not_have_or_out_of_bounds_are_refused() {
        let has = PromptFeatures {
            clip_layers: 12,
            max_tokens: Some(512),
            true_guidance: true,
            size_conditions: true,
            skip_layers: 24,
        };
        let refused = |options: PromptOptions, prompt_features| {
            let profile = ModelProfile { prompt_features, ..profile() };
            let draft = GenerationDraft { prompt_options: options, ..GenerationDraft::new(&profile) };
            draft.validate(&profile).err().map(|error| error.to_string())
        };
        let none = PromptOptions::default;
        for (options, beyond) in [
            (
                PromptOptions { clip_skip: Some(12), ..none() },
                PromptOptions { clip_skip: Some(13), ..none() },
            ),
            (
                PromptOptions { max_tokens: Some(1), ..none() },
                PromptOptions { max_tokens: Some(0), ..none() },
            ),
            (
                PromptOptions { true_guidance_scale: Some(3.0), ..none() },
                PromptOptions { true_guidance_scale: Some(f64::NAN), ..none() },
            ),
        ] {
            assert_eq!(refused(options, has), None, "{options:?}");
            assert!(refused(beyond, has).unwrap().contains("not possible"), "{beyond:?}");
            let error = refused(options, PromptFeatures::default()).unwrap();
            assert!(error.starts_with("this model has no"), "{error}");
        }
        let skipping = |typed| PromptOptions {
            skip_layers: Some(SkipLayers::new(LayerSet::of_typed(typed).unwrap())),
            ..none()
        };
        assert_eq!(refused(skipping("7,8,23"), has), None);
        assert_eq!(
            refused(skipping("7,24"), has).unwrap(),
            "layer 24 cannot be skipped: choose from 0 to 23"
        );
        assert!(refused(skipping("1"), PromptFeatures::default()).unwrap().contains("no skip-layer"));
        let cropped = PromptOptions { crop: [0, 8], ..none() };
        assert_eq!(refused(cropped, has), None);
        assert!(refused(cropped, PromptFeatures::default()).unwrap().contains("size conditioning"));
    }
}
