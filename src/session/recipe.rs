//! The settings of the next pictures, the prompt history, and remembered settings of models.

use crate::catalog::{ImageSize, ModelProfile, ModelSource, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, PromptOptions, SamplingOptions, Seed};

/// Upper limit of the batch size.
const MAX_BATCH: u64 = 1000;
/// Capacity of the prompt history.
const MAX_PROMPTS: usize = 100;

/// Which settings of a document are copied into the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Its seed, which is then locked.
    Seed,
    /// Its prompts.
    Prompt,
    /// Everything except the model; the seed is then locked.
    All,
}

/// The settings that are remembered for each model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSettings {
    /// Picture size, pixels.
    pub size: ImageSize,
    /// Sampling steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance_scale: f64,
    /// The sampler.
    pub sampler: SamplerKind,
    /// The noise schedule.
    pub schedule: ScheduleKind,
    /// Further settings of sampling.
    pub options: SamplingOptions,
    /// Options of prompt encoding and guidance.
    pub prompt_options: PromptOptions,
}

impl ModelSettings {
    fn of(draft: &GenerationDraft) -> Self {
        Self {
            size: draft.size,
            steps: draft.steps,
            guidance_scale: draft.guidance_scale,
            sampler: draft.sampler,
            schedule: draft.schedule,
            options: draft.options.clone(),
            prompt_options: draft.prompt_options,
        }
    }

    fn apply_to(&self, draft: &mut GenerationDraft) {
        (draft.size, draft.steps, draft.guidance_scale) = (self.size, self.steps, self.guidance_scale);
        (draft.sampler, draft.schedule) = (self.sampler, self.schedule);
        (draft.options, draft.prompt_options) = (self.options.clone(), self.prompt_options);
    }
}

/// The settings that are saved between starts.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedRecipe {
    /// The prompt.
    pub prompt: String,
    /// The negative prompt.
    pub negative_prompt: String,
    /// The next seed.
    pub seed: Seed,
    /// Whether the seed is locked.
    pub seed_locked: bool,
    /// Batch size.
    pub batch: u64,
    /// The model's settings; `None` if no model was loaded.
    pub settings: Option<ModelSettings>,
}

/// The settings of the next pictures.
pub(super) struct Recipe {
    pub(super) draft: GenerationDraft,
    /// Batch size.
    pub(super) batch: u64,
    /// Whether the seed stays the same after a batch.
    pub(super) seed_locked: bool,
    /// The model whose settings the draft has.
    of: Option<ModelSource>,
    /// Settings of previously used models.
    remembered: Vec<(ModelSource, ModelSettings)>,
    prompts: Prompts,
}

/// The prompt history.
#[derive(Default)]
struct Prompts {
    /// Used prompts, oldest first.
    used: Vec<String>,
    /// The index of the recalled prompt; `None` while the typed one is shown.
    at: Option<usize>,
    /// The typed prompt, to return to from the history.
    typed: String,
}

impl Recipe {
    /// Default settings until the model's profile is known.
    pub(super) fn new(model: ModelSource) -> Self {
        let draft = GenerationDraft {
            model,
            prompt: String::new(),
            negative_prompt: String::new(),
            size: ImageSize::new(128, 128),
            steps: 20,
            guidance_scale: 4.0,
            seed: Seed::random(),
            sampler: SamplerKind::default(),
            schedule: ScheduleKind::default(),
            options: SamplingOptions::default(),
            prompt_options: PromptOptions::default(),
            init_image: None,
        };
        let (remembered, prompts) = (Vec::new(), Prompts::default());
        Self { draft, batch: 1, seed_locked: false, of: None, remembered, prompts }
    }

    pub(super) fn set_batch(&mut self, batch: u64, seed_locked: bool) {
        (self.batch, self.seed_locked) = (batch.clamp(1, MAX_BATCH), seed_locked);
    }

    /// Called after a batch was queued: advances the seed unless it is locked.
    pub(super) fn batch_queued(&mut self) {
        self.remember_prompt();
        if !self.seed_locked {
            self.draft.seed = self.draft.seed.nth(self.batch);
        }
    }

    /// The settings to save.
    pub(super) fn saved(&self) -> SavedRecipe {
        SavedRecipe {
            prompt: self.draft.prompt.clone(),
            negative_prompt: self.draft.negative_prompt.clone(),
            seed: self.draft.seed,
            seed_locked: self.seed_locked,
            batch: self.batch,
            settings: self.of.as_ref().map(|_| ModelSettings::of(&self.draft)),
        }
    }

    /// Restores saved settings. The model's settings are applied when it is loaded.
    pub(super) fn restore(&mut self, saved: SavedRecipe) {
        (self.draft.prompt, self.draft.negative_prompt) = (saved.prompt, saved.negative_prompt);
        self.draft.seed = saved.seed;
        self.set_batch(saved.batch, saved.seed_locked);
        if let Some(settings) = saved.settings {
            self.remembered.push((self.draft.model.clone(), settings));
        }
    }

    /// Gives another source of the same model the settings of the draft.
    pub(super) fn share_settings(&mut self, model: &ModelSource) {
        self.remembered.retain(|(known, _)| known != model);
        self.remembered.push((model.clone(), ModelSettings::of(&self.draft)));
    }

    /// Adapts the draft to a loaded model: applies its remembered settings or its defaults. Prompts, seed and source
    /// picture are kept.
    pub(super) fn adapt_to(&mut self, profile: &ModelProfile) {
        if let Some(of) = self.of.take().filter(|of| *of != profile.source) {
            let settings = ModelSettings::of(&self.draft);
            self.remembered.retain(|(known, _)| *known != of);
            self.remembered.push((of, settings));
        }
        self.draft = self.adapted(self.draft.clone(), profile);
        self.of = Some(profile.source.clone());
    }

    /// A draft with a model's remembered settings or its defaults.
    pub(super) fn adapted(&self, draft: GenerationDraft, profile: &ModelProfile) -> GenerationDraft {
        let mut adapted = GenerationDraft {
            prompt: draft.prompt,
            negative_prompt: draft.negative_prompt,
            seed: draft.seed,
            init_image: draft.init_image,
            ..GenerationDraft::new(profile)
        };
        let known = self.remembered.iter().find(|(model, _)| *model == profile.source);
        if let Some((_, settings)) = known {
            let mut remembered = adapted.clone();
            settings.apply_to(&mut remembered);
            // The folder may contain another model now, so the settings may be invalid.
            let is_valid = |draft: &GenerationDraft| draft.clone().for_run(profile).validate(profile).is_ok();
            if !is_valid(&remembered) {
                remembered.take_unfit_options(profile);
            }
            if is_valid(&remembered) {
                adapted = remembered;
            }
        }
        adapted
    }

    /// Copies settings into the draft.
    pub(super) fn reuse(&mut self, used: &GenerationDraft, what: Reuse) {
        if what != Reuse::Seed {
            self.remember_prompt();
        }
        match what {
            Reuse::Seed => self.draft.seed = used.seed,
            Reuse::Prompt => {
                self.draft.prompt.clone_from(&used.prompt);
                self.draft.negative_prompt.clone_from(&used.negative_prompt);
            }
            Reuse::All => self.draft = GenerationDraft { model: self.draft.model.clone(), ..used.clone() },
        }
        self.seed_locked |= what != Reuse::Prompt;
    }

    /// Replaces the prompt; the old one is added to the history.
    pub(super) fn replace_prompt(&mut self, prompt: String) {
        self.remember_prompt();
        self.draft.prompt = prompt;
    }

    /// Adds the prompt to the history.
    pub(super) fn remember_prompt(&mut self) {
        let prompt = self.draft.prompt.clone();
        self.prompts.at = None;
        if !prompt.trim().is_empty() {
            self.prompts.used.retain(|known| *known != prompt);
            self.prompts.used.push(prompt);
            if self.prompts.used.len() > MAX_PROMPTS {
                self.prompts.used.remove(0);
            }
        }
    }

    /// Empties the prompts and their history.
    pub(super) fn forget_prompts(&mut self) {
        self.draft.prompt.clear();
        self.draft.negative_prompt.clear();
        self.prompts = Prompts::default();
    }

    /// Steps through the prompt history.
    pub(super) fn turn_prompt(&mut self, earlier: bool) {
        let prompts = &mut self.prompts;
        let before = prompts.at.unwrap_or(prompts.used.len());
        let mut after = before;
        loop {
            let next = if earlier { after.checked_sub(1) } else { Some(after + 1) };
            let Some(next) = next.filter(|next| *next <= prompts.used.len()) else { return };
            after = next;
            // Entries equal to the current prompt are skipped.
            if prompts.used.get(after).is_none_or(|prompt| *prompt != self.draft.prompt) {
                break;
            }
        }
        if prompts.at.is_none() {
            prompts.typed.clone_from(&self.draft.prompt);
        }
        self.draft.prompt = prompts.used.get(after).unwrap_or(&prompts.typed).clone();
        prompts.at = (after < prompts.used.len()).then_some(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_prompts_are_recalled_and_the_typed_one_is_not_lost() {
        let mut recipe = Recipe::new(ModelSource::Builtin);
        for prompt in ["one", "two"] {
            recipe.draft.prompt = prompt.to_owned();
            recipe.batch_queued();
        }
        recipe.draft.prompt = "thr".to_owned();
        let mut turn = |earlier| {
            recipe.turn_prompt(earlier);
            recipe.draft.prompt.clone()
        };
        assert_eq!([turn(true), turn(true), turn(true)], ["two", "one", "one"]);
        assert_eq!([turn(false), turn(false), turn(false)], ["two", "thr", "thr"]);
    }

    #[test]
    fn a_model_s_settings_come_back_with_it() {
        let mut recipe = Recipe::new(ModelSource::Builtin);
        let first = ModelProfile::made_up();
        let second =
            ModelProfile { source: ModelSource::Folder("/models/b".into()), ..ModelProfile::made_up() };
        recipe.adapt_to(&first);
        recipe.draft.steps = 7;
        recipe.draft.options.eta = Some(0.4);
        recipe.adapt_to(&second);
        assert_eq!(recipe.draft.options, SamplingOptions::default());
        assert_eq!(recipe.draft.steps, second.defaults.steps);
        recipe.adapt_to(&first);
        assert_eq!(recipe.draft.steps, 7);
        assert_eq!(recipe.draft.options.eta, Some(0.4));

        let saved = recipe.saved();
        let mut next = Recipe::new(first.source.clone());
        next.restore(saved.clone());
        next.adapt_to(&first);
        assert_eq!(next.saved(), saved);
    }
    #[test]
    fn an_option_that_a_model_has_no_more_takes_no_other_setting_along() {
        let model = ModelProfile::made_up();
        let mut recipe = Recipe::new(model.source.clone());
        recipe.adapt_to(&model);
        recipe.draft.steps = 7;
        recipe.draft.prompt_options.clip_skip = Some(3);
        let mut next = Recipe::new(model.source.clone());
        next.restore(recipe.saved());
        next.adapt_to(&model);
        assert_eq!(next.draft.steps, 7);
        next.draft.options.shift = Some(200.0);
        let mut last = Recipe::new(model.source.clone());
        last.restore(next.saved());
        let flow = ModelProfile { prediction: crate::catalog::PredictionType::Flow, ..model };
        last.adapt_to(&flow);
        assert_eq!((last.draft.steps, last.draft.options.shift), (7, None), "200 is out of bounds");
    }
}
