//! The options of a draft on a model: which are refused, and which are left out of a run.

use super::{DraftError, GenerationDraft, NoiseLevels, PromptOptions, SamplingOptions, SkipLayers};
use crate::catalog::{ModelProfile, PredictionType, PromptFeatures, SamplerKind};

impl GenerationDraft {
    /// The draft as a run takes it: without options that the model or the sampler does not have, which the draft may
    /// hold for one that has them, and with as many steps as it lists noise levels.
    #[must_use]
    pub fn for_run(mut self, profile: &ModelProfile) -> Self {
        self.take_options(profile, |error| {
            matches!(error, DraftError::NoEta(_) | DraftError::NoShift | DraftError::NoSuchOption(_))
        });
        if let Some(levels) = &self.options.levels {
            self.steps = levels.values().len();
        }
        self
    }

    /// Removes the options that the model and the sampler do not have or that are out of their bounds, and returns
    /// them.
    pub fn take_unfit_options(&mut self, profile: &ModelProfile) -> (SamplingOptions, PromptOptions) {
        self.take_options(profile, |_| true)
    }

    /// Whether the negative prompt has an effect on a model.
    pub fn takes_negative_prompt(&self, profile: &ModelProfile) -> bool {
        let truly_guided = || self.prompt_options.true_guidance_scale.is_some_and(|scale| scale > 1.0);
        profile.guidance.takes_negative_prompt() || profile.prompt_features.true_guidance && truly_guided()
    }

    /// Removes the options with an error that is `unfit`.
    fn take_options(
        &mut self,
        profile: &ModelProfile,
        unfit: impl Fn(DraftError) -> bool,
    ) -> (SamplingOptions, PromptOptions) {
        let is_unfit = |checked: Result<(), DraftError>| checked.is_err_and(&unfit);
        let (mut options, mut prompt) = (SamplingOptions::default(), PromptOptions::default());
        let (ours, has) = (&mut self.options, profile.prompt_features);
        if is_unfit(check_eta(ours.eta, self.sampler)) {
            options.eta = ours.eta.take();
        }
        if is_unfit(check_guidance_rescale(ours.guidance_rescale)) || !profile.can_be_guided_classifier_free()
        {
            options.guidance_rescale = std::mem::take(&mut ours.guidance_rescale);
        }
        if is_unfit(check_shift(ours.shift, profile)) {
            options.shift = ours.shift.take();
        }
        if ours.levels.as_ref().is_some_and(|levels| is_unfit(levels.check(profile))) {
            options.levels = ours.levels.take();
        }
        let ours = &mut self.prompt_options;
        if is_unfit(check_clip_skip(ours.clip_skip, has)) {
            prompt.clip_skip = ours.clip_skip.take();
        }
        if is_unfit(check_max_tokens(ours.max_tokens, has)) {
            prompt.max_tokens = ours.max_tokens.take();
        }
        if is_unfit(check_true_guidance(ours.true_guidance_scale, has)) {
            prompt.true_guidance_scale = ours.true_guidance_scale.take();
        }
        if is_unfit(check_skip_layers(ours.skip_layers, has)) {
            prompt.skip_layers = ours.skip_layers.take();
        }
        if is_unfit(check_size_conditions(ours, has)) {
            prompt.original_size = ours.original_size.take();
            prompt.crop = std::mem::take(&mut ours.crop);
            prompt.target_size = ours.target_size.take();
        }
        (options, prompt)
    }

    /// Checks the further settings of sampling.
    pub(super) fn check_options(&self, profile: &ModelProfile) -> Result<(), DraftError> {
        let SamplingOptions { eta, guidance_rescale, shift, levels } = &self.options;
        if profile.prediction == PredictionType::Flow && !self.schedule.fits_flows() {
            return Err(DraftError::Schedule(self.schedule));
        }
        check_eta(*eta, self.sampler)?;
        check_guidance_rescale(*guidance_rescale)?;
        check_shift(*shift, profile)?;
        let Some(levels) = levels else { return Ok(()) };
        levels.check(profile)?;
        let max = levels.values().len();
        if self.steps == max { Ok(()) } else { Err(DraftError::Steps { steps: self.steps, max }) }
    }

    /// Checks the options of prompt encoding and guidance.
    pub(super) fn check_prompt_options(&self, profile: &ModelProfile) -> Result<(), DraftError> {
        let (options, has) = (&self.prompt_options, profile.prompt_features);
        check_clip_skip(options.clip_skip, has)?;
        check_max_tokens(options.max_tokens, has)?;
        check_true_guidance(options.true_guidance_scale, has)?;
        check_skip_layers(options.skip_layers, has)?;
        check_size_conditions(options, has)
    }
}

impl NoiseLevels {
    /// Checks every level against a model's noise.
    ///
    /// # Errors
    /// [`DraftError::Level`] for the first level that the model does not have.
    pub fn check(&self, profile: &ModelProfile) -> Result<(), DraftError> {
        let is_flow = profile.prediction == PredictionType::Flow;
        let train = profile.step_limits.train as f64;
        let (quantity, min, max) = match self {
            Self::Sigmas(_) if is_flow => ("sigma", 1e-6, 1.0),
            Self::Sigmas(_) => ("sigma", 1e-6, GenerationDraft::MAX_SIGMA),
            Self::Timesteps(_) if is_flow => ("timestep", 0.001, train),
            Self::Timesteps(_) => ("timestep", 0.0, train - 1.0),
        };
        match self.values().iter().find(|value| !(min..=max).contains(*value)) {
            Some(&value) => Err(DraftError::Level { value, quantity, min, max }),
            None => Ok(()),
        }
    }
}

fn check_eta(eta: Option<f64>, sampler: SamplerKind) -> Result<(), DraftError> {
    match eta {
        Some(eta) if !(0.0..=1.0).contains(&eta) => Err(DraftError::Eta(eta)),
        Some(_) if !sampler.takes_eta() => Err(DraftError::NoEta(sampler)),
        _ => Ok(()),
    }
}

fn check_guidance_rescale(share: f64) -> Result<(), DraftError> {
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(DraftError::GuidanceRescale(share)) }
}

fn check_shift(shift: Option<f64>, profile: &ModelProfile) -> Result<(), DraftError> {
    const BOUNDS: std::ops::RangeInclusive<f64> = GenerationDraft::MIN_SHIFT..=GenerationDraft::MAX_SHIFT;
    match shift {
        Some(_) if profile.prediction != PredictionType::Flow => Err(DraftError::NoShift),
        Some(shift) if !BOUNDS.contains(&shift) => Err(DraftError::Shift(shift)),
        _ => Ok(()),
    }
}

fn check_clip_skip(skip: Option<usize>, has: PromptFeatures) -> Result<(), DraftError> {
    let Some(skip) = skip else { return Ok(()) };
    match has.clip_layers {
        0 => Err(DraftError::NoSuchOption("CLIP skip")),
        layers if skip == 0 || skip > layers => Err(DraftError::ClipSkip { skip, layers }),
        _ => Ok(()),
    }
}

fn check_max_tokens(tokens: Option<usize>, has: PromptFeatures) -> Result<(), DraftError> {
    let Some(tokens) = tokens else { return Ok(()) };
    let max = has.max_tokens.ok_or(DraftError::NoSuchOption("limit of tokens"))?;
    if (1..=max).contains(&tokens) { Ok(()) } else { Err(DraftError::MaxTokens { tokens, max }) }
}

fn check_true_guidance(scale: Option<f64>, has: PromptFeatures) -> Result<(), DraftError> {
    match scale {
        Some(_) if !has.true_guidance => Err(DraftError::NoSuchOption("true guidance scale")),
        Some(scale) if !(0.0..=GenerationDraft::MAX_GUIDANCE_SCALE).contains(&scale) => {
            Err(DraftError::TrueGuidance(scale))
        }
        _ => Ok(()),
    }
}

fn check_skip_layers(skip: Option<SkipLayers>, has: PromptFeatures) -> Result<(), DraftError> {
    let Some(skip) = skip else { return Ok(()) };
    if has.skip_layers == 0 {
        return Err(DraftError::NoSuchOption("skip-layer guidance"));
    }
    if let Some(layer) = skip.layers.iter().find(|layer| *layer >= has.skip_layers) {
        return Err(DraftError::SkippedLayer { layer, max: has.skip_layers - 1 });
    }
    if !(0.0..=GenerationDraft::MAX_GUIDANCE_SCALE).contains(&skip.scale) {
        return Err(DraftError::SkipScale(skip.scale));
    }
    match [skip.start, skip.end].into_iter().find(|at| !(0.0..=1.0).contains(at)) {
        Some(at) => Err(DraftError::SkipRange(at)),
        None => Ok(()),
    }
}

impl SkipLayers {
    /// Checks the layers and the values against a model.
    ///
    /// # Errors
    /// [`DraftError`] for a model without skip-layer guidance or these layers, and for values out of their bounds.
    pub fn check(&self, profile: &ModelProfile) -> Result<(), DraftError> {
        check_skip_layers(Some(*self), profile.prompt_features)
    }
}

fn check_size_conditions(options: &PromptOptions, has: PromptFeatures) -> Result<(), DraftError> {
    if options.has_size_conditions() && !has.size_conditions {
        return Err(DraftError::NoSuchOption("size conditioning (original size, crop, target size)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{GuidanceKind, ImageSize};
    use crate::request::LayerSet;

    /// Options that no single model has all of.
    fn draft(profile: &ModelProfile) -> GenerationDraft {
        GenerationDraft {
            options: SamplingOptions {
                eta: Some(0.5),
                guidance_rescale: 0.7,
                shift: Some(3.0),
                levels: Some(NoiseLevels::Sigmas(vec![0.9, 0.5, 0.1])),
            },
            prompt_options: PromptOptions {
                clip_skip: Some(2),
                max_tokens: Some(64),
                true_guidance_scale: Some(4.0),
                original_size: Some(ImageSize::new(640, 480)),
                crop: [8, 0],
                target_size: None,
                skip_layers: Some(SkipLayers::new(LayerSet::of_typed("7").unwrap())),
            },
            sampler: SamplerKind::Euler,
            ..GenerationDraft::new(profile)
        }
    }

    #[test]
    fn a_run_leaves_out_what_the_model_lacks_and_takes_the_rest() {
        let plain = ModelProfile::made_up();
        let run = draft(&plain).for_run(&plain);
        assert_eq!((run.prompt_options, run.options.eta, run.options.shift), Default::default());
        assert_eq!((run.options.guidance_rescale, run.steps), (0.7, 3));
        assert!(run.validate(&plain).is_ok());

        let flux = ModelProfile {
            prediction: PredictionType::Flow,
            guidance: GuidanceKind::Embedded,
            prompt_features: PromptFeatures {
                max_tokens: Some(512),
                true_guidance: true,
                ..PromptFeatures::default()
            },
            ..plain.clone()
        };
        let run = draft(&flux).for_run(&flux);
        let kept = (run.options.shift, run.prompt_options.max_tokens, run.prompt_options.true_guidance_scale);
        assert_eq!(kept, (Some(3.0), Some(64), Some(4.0)));
        assert_eq!((run.prompt_options.clip_skip, run.prompt_options.original_size), (None, None));
        assert!(run.takes_negative_prompt(&flux) && run.validate(&flux).is_ok());
        assert!(!GenerationDraft::new(&flux).takes_negative_prompt(&flux));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_in_a_run_and_removed_where_settings_are_restored() {
        let plain = ModelProfile::made_up();
        let eta = Some(7.0);
        let options = SamplingOptions { eta, ..SamplingOptions::default() };
        let mut wrong = GenerationDraft { options, ..GenerationDraft::new(&plain) };
        assert_eq!(wrong.clone().for_run(&plain).validate(&plain), Err(DraftError::Eta(7.0)));
        assert_eq!(wrong.take_unfit_options(&plain).0.eta, eta);
        assert!(wrong.validate(&plain).is_ok());
    }
}
