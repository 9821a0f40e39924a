//! What is typed and set for the next pictures.

use crate::catalog::{ImageSize, ModelProfile, ModelSource, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, SamplingOptions, Seed};

/// Most pictures of a batch.
const MAX_BATCH: u64 = 1000;
/// Most prompts that are remembered.
const MAX_PROMPTS: usize = 100;

/// What of a document's settings is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Its seed, which stays from then on.
    Seed,
    /// Its prompts.
    Prompt,
    /// All but the model.
    All,
}

/// Settings that are a model's: what suits one does not suit another.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSettings {
    /// Picture size.
    pub size: ImageSize,
    /// Sampling steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance_scale: f64,
    /// The step rule.
    pub sampler: SamplerKind,
    /// The noise levels.
    pub schedule: ScheduleKind,
}

impl ModelSettings {
    fn of(draft: &GenerationDraft) -> Self {
        Self {
            size: draft.size,
            steps: draft.steps,
            guidance_scale: draft.guidance_scale,
            sampler: draft.sampler,
            schedule: draft.schedule,
        }
    }

    fn apply_to(&self, draft: &mut GenerationDraft) {
        (draft.size, draft.steps, draft.guidance_scale) = (self.size, self.steps, self.guidance_scale);
        (draft.sampler, draft.schedule) = (self.sampler, self.schedule);
    }
}

/// What is remembered between starts of what was typed and set.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedRecipe {
    /// The prompt.
    pub prompt: String,
    /// The negative prompt.
    pub negative_prompt: String,
    /// The next seed.
    pub seed: Seed,
    /// Whether it stays.
    pub seed_locked: bool,
    /// Pictures of a batch.
    pub batch: u64,
    /// The model's settings; `None` until the model is there.
    pub settings: Option<ModelSettings>,
}

/// What the next pictures are to be.
pub(super) struct Recipe {
    pub(super) draft: GenerationDraft,
    /// Pictures of the next batch.
    pub(super) batch: u64,
    /// Whether the seed stays after a batch.
    pub(super) seed_locked: bool,
    /// Whose settings the draft holds.
    of: Option<ModelSource>,
    /// Settings of models that were used before.
    remembered: Vec<(ModelSource, ModelSettings)>,
    prompts: Prompts,
}

/// Prompts that were used, oldest first, and which of them is in the field.
#[derive(Default)]
struct Prompts {
    used: Vec<String>,
    at: Option<usize>,
    /// What was typed before the first one was called back.
    typed: String,
}

impl Recipe {
    /// Nothing typed yet, for a model that is not known yet.
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
            init_image: None,
        };
        let (remembered, prompts) = (Vec::new(), Prompts::default());
        Self { draft, batch: 1, seed_locked: false, of: None, remembered, prompts }
    }

    pub(super) fn set_batch(&mut self, batch: u64, seed_locked: bool) {
        (self.batch, self.seed_locked) = (batch.clamp(1, MAX_BATCH), seed_locked);
    }

    /// A batch was taken: the next one has other seeds, unless the person holds the seed.
    pub(super) fn batch_taken(&mut self) {
        self.remember_prompt();
        if !self.seed_locked {
            self.draft.seed = self.draft.seed.nth(self.batch);
        }
    }

    /// What another start finds again.
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

    /// Takes up what an earlier start left, for the same model.
    pub(super) fn restore(&mut self, saved: SavedRecipe) {
        (self.draft.prompt, self.draft.negative_prompt) = (saved.prompt, saved.negative_prompt);
        self.draft.seed = saved.seed;
        self.set_batch(saved.batch, saved.seed_locked);
        if let Some(settings) = saved.settings {
            self.remembered.push((self.draft.model.clone(), settings));
        }
    }

    /// A model is there: its settings of before come back, or its suggestions come. What was typed for any model
    /// stays.
    pub(super) fn suit(&mut self, profile: &ModelProfile) {
        if let Some(of) = self.of.take().filter(|of| *of != profile.source) {
            let settings = ModelSettings::of(&self.draft);
            self.remembered.retain(|(known, _)| *known != of);
            self.remembered.push((of, settings));
        }
        self.draft = self.suited(self.draft.clone(), profile);
        self.of = Some(profile.source.clone());
    }

    /// A draft with a model's settings.
    pub(super) fn suited(&self, draft: GenerationDraft, profile: &ModelProfile) -> GenerationDraft {
        let mut suited = GenerationDraft {
            prompt: draft.prompt,
            negative_prompt: draft.negative_prompt,
            seed: draft.seed,
            init_image: draft.init_image,
            ..GenerationDraft::new(profile)
        };
        let known = self.remembered.iter().find(|(model, _)| *model == profile.source);
        if let Some((_, settings)) = known {
            let mut remembered = suited.clone();
            settings.apply_to(&mut remembered);
            // Its folder may hold another model now.
            if remembered.clone().validate(profile).is_ok() {
                suited = remembered;
            }
        }
        suited
    }

    /// Takes settings that were used before.
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

    /// Puts another prompt into the field; the one that was there can be called back.
    pub(super) fn replace_prompt(&mut self, prompt: String) {
        self.remember_prompt();
        self.draft.prompt = prompt;
    }

    fn remember_prompt(&mut self) {
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

    /// Calls an earlier prompt back, or a later one.
    pub(super) fn turn_prompt(&mut self, earlier: bool) {
        let prompts = &mut self.prompts;
        let before = prompts.at.unwrap_or(prompts.used.len());
        let mut after = before;
        loop {
            let next = if earlier { after.checked_sub(1) } else { Some(after + 1) };
            let Some(next) = next.filter(|next| *next <= prompts.used.len()) else { return };
            after = next;
            // What is in the field already is passed over.
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
    fn earlier_prompts_are_called_back_and_the_typed_one_is_not_lost() {
        let mut recipe = Recipe::new(ModelSource::Builtin);
        for prompt in ["one", "two"] {
            recipe.draft.prompt = prompt.to_owned();
            recipe.batch_taken();
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
        recipe.suit(&first);
        recipe.draft.steps = 7;
        recipe.suit(&second);
        assert_eq!(recipe.draft.steps, second.defaults.steps);
        recipe.suit(&first);
        assert_eq!(recipe.draft.steps, 7);

        let saved = recipe.saved();
        let mut next = Recipe::new(first.source.clone());
        next.restore(saved.clone());
        next.suit(&first);
        assert_eq!(next.saved(), saved);
    }
}
