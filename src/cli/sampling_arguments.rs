//! The arguments that say how a picture is sampled.

use clap::Args;

use super::numbers;
use crate::catalog::{ImageSize, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, LayerSet, NoiseLevels, PromptOptions, SkipLayers};

/// Left and top pixels; a type of its own, as clap takes an array for a list of arguments.
type Crop = [usize; 2];

/// How a picture is sampled, and how its words are encoded.
#[derive(Clone, Debug, Args)]
pub(super) struct SamplingArguments {
    /// Sampling steps [default: the model's, or the run's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    steps: Option<usize>,
    /// Classifier-free guidance scale; 1 or less turns it off [default: the model's, or the run's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale)]
    guidance_scale: Option<f64>,
    #[arg(long, help = sampler_help())]
    sampler: Option<SamplerKind>,
    #[arg(long, help = schedule_help())]
    schedule: Option<ScheduleKind>,
    /// CLIP skip: the text encoder's layer whose states are used, counted from the last, which is 1 [default: the model's, or the run's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    clip_skip: Option<usize>,
    /// Tokens of the prompt that T5 or Qwen3 reads at most [default: the model's, or the run's].
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = numbers::positive)]
    max_tokens: Option<usize>,
    /// Classifier-free guidance of a guidance-distilled model (FLUX.1), with the negative prompt [default: off, or the run's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale)]
    true_guidance_scale: Option<f64>,
    /// Stable Diffusion XL: the size of the imagined original picture [default: the picture's, or the run's].
    #[arg(long, value_name = "WxH", allow_hyphen_values = true, value_parser = PromptOptions::size_of)]
    original_size: Option<ImageSize>,
    /// Stable Diffusion XL: the left and top pixels that its crop removed [default: 0,0, or the run's].
    #[arg(long, value_name = "X,Y", allow_hyphen_values = true, value_parser = PromptOptions::crop_of)]
    crop: Option<Crop>,
    /// Stable Diffusion XL: the size of the imagined result [default: the picture's, or the run's].
    #[arg(long, value_name = "WxH", allow_hyphen_values = true, value_parser = PromptOptions::size_of)]
    target_size: Option<ImageSize>,
    /// Stable Diffusion 3.5: lead away from a prediction without these layers, such as 7,8,9 (skip-layer guidance).
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = LayerSet::of_typed)]
    skip_layers: Option<LayerSet>,
    /// Scale of skip-layer guidance [default: 2.8].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::guidance_scale, requires = "skip_layers")]
    skip_scale: Option<f64>,
    /// Fraction of the run after which skip-layer guidance begins [default: 0.01].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share, requires = "skip_layers")]
    skip_start: Option<f64>,
    /// Fraction of the run after which skip-layer guidance ends [default: 0.2].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share, requires = "skip_layers")]
    skip_end: Option<f64>,
    /// Fraction of the noise added again at each step, for samplers with this option [default: the sampler's, or the run's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share)]
    eta: Option<f64>,
    /// Scale guidance back to the prediction's standard deviation, from 0 (not at all) to 1 [default: 0, or the run's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::share)]
    guidance_rescale: Option<f64>,
    /// Shift of a flow model's times towards high noise [default: the model's, or the run's].
    #[arg(long, value_name = "F", allow_hyphen_values = true, value_parser = numbers::shift)]
    shift: Option<f64>,
    /// Use these sigmas instead of a schedule, such as 14.6,5,1.5,0.4.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = NoiseLevels::of_sigmas)]
    #[arg(conflicts_with_all = ["steps", "schedule", "timesteps"])]
    sigmas: Option<NoiseLevels>,
    /// Use these training timesteps instead of a schedule, such as 999,750,500,250.
    #[arg(long, value_name = "LIST", allow_hyphen_values = true, value_parser = NoiseLevels::of_timesteps)]
    #[arg(conflicts_with_all = ["steps", "schedule"])]
    timesteps: Option<NoiseLevels>,
}

impl SamplingArguments {
    /// The sampler, if one is named.
    pub(super) fn sampler(&self) -> Option<SamplerKind> {
        self.sampler
    }

    /// Sets what is given in a draft. The rest stays as it is there.
    pub(super) fn apply_to(&self, draft: &mut GenerationDraft) {
        draft.guidance_scale = self.guidance_scale.unwrap_or(draft.guidance_scale);
        draft.sampler = self.sampler.unwrap_or(draft.sampler);
        draft.schedule = self.schedule.unwrap_or(draft.schedule);
        draft.steps = self.steps.unwrap_or(draft.steps);
        let options = &mut draft.options;
        // Levels that are listed are a schedule of their own.
        if self.steps.is_some() || self.schedule.is_some() {
            options.levels = None;
        }
        if let Some(levels) = self.sigmas.as_ref().or(self.timesteps.as_ref()) {
            draft.steps = levels.values().len();
            options.levels = Some(levels.clone());
        }
        options.eta = self.eta.or(options.eta);
        options.guidance_rescale = self.guidance_rescale.unwrap_or(options.guidance_rescale);
        options.shift = self.shift.or(options.shift);
        let prompt = &mut draft.prompt_options;
        prompt.clip_skip = self.clip_skip.or(prompt.clip_skip);
        prompt.max_tokens = self.max_tokens.or(prompt.max_tokens);
        prompt.true_guidance_scale = self.true_guidance_scale.or(prompt.true_guidance_scale);
        prompt.original_size = self.original_size.or(prompt.original_size);
        prompt.crop = self.crop.unwrap_or(prompt.crop);
        prompt.target_size = self.target_size.or(prompt.target_size);
        let skipped = self.skip_layers.map(|layers| SkipLayers {
            layers,
            scale: self.skip_scale.unwrap_or(2.8),
            start: self.skip_start.unwrap_or(0.01),
            end: self.skip_end.unwrap_or(0.2),
        });
        prompt.skip_layers = skipped.or(prompt.skip_layers);
    }
}

/// Joins names as in a sentence: `a, b or c`.
fn any_of(names: impl IntoIterator<Item = &'static str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn sampler_help() -> String {
    format!("Sampler: {} [default: the model's, or the run's]", any_of(SamplerKind::ALL.map(SamplerKind::id)))
}

fn schedule_help() -> String {
    let names = any_of(ScheduleKind::ALL.map(ScheduleKind::id));
    format!("Schedule of noise levels: {names} [default: {}, or the run's]", ScheduleKind::default().id())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::catalog::ModelSource;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        sampling: SamplingArguments,
    }

    #[test]
    fn what_is_not_given_stays() {
        let profile = crate::models::profile(&ModelSource::Builtin).unwrap();
        let mut before = GenerationDraft { steps: 3, ..GenerationDraft::new(&profile) };
        before.sampler = SamplerKind::Dpmpp3m;
        before.options.levels = Some(NoiseLevels::of_sigmas("9,4,1").unwrap());
        before.options.eta = Some(0.4);
        before.options.guidance_rescale = 0.6;
        before.prompt_options.crop = [8, 16];
        before.prompt_options.clip_skip = Some(2);
        let apply = |typed: &[&str]| {
            let mut draft = before.clone();
            Typed::parse_from([&["x"], typed].concat()).sampling.apply_to(&mut draft);
            draft
        };
        assert_eq!(apply(&[]), before);
        let steps = apply(&["--steps", "9", "--eta", "0"]);
        assert_eq!((steps.steps, steps.options.levels, steps.options.eta), (9, None, Some(0.0)));
        let schedule = apply(&["--schedule", "karras"]);
        assert_eq!(
            (schedule.steps, schedule.options.levels, schedule.schedule),
            (3, None, ScheduleKind::Karras)
        );
        let levels = apply(&["--sigmas", "5,1"]);
        assert_eq!((levels.steps, levels.options.guidance_rescale), (2, 0.6));
        assert_eq!(levels.options.levels, Some(NoiseLevels::of_sigmas("5,1").unwrap()));
        let skipped = apply(&["--skip-layers", "7", "--skip-end", "0.5"]).prompt_options.skip_layers.unwrap();
        assert_eq!((skipped.scale, skipped.start, skipped.end), (2.8, 0.01, 0.5));
    }

    #[test]
    fn names_are_joined_as_in_a_sentence() {
        assert_eq!(any_of(["a", "b", "c"]), "a, b or c");
        assert_eq!((any_of(["a"]), any_of([])), ("a".to_owned(), String::new()));
    }
}
