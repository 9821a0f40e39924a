//! The settings a picture was generated with, and back in a draft.

use super::options::{is_option, pairs_of, restore_option};
use super::{exact_number, names};
use crate::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
use crate::request::{FinishedPart, GenerationDraft, InitImage, PromptOptions, SamplingOptions, Seed};

/// The settings in a picture's file. Everything is optional, since files contain different parts.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct GenerationFacts {
    /// The prompt.
    pub prompt: Option<String>,
    /// The negative prompt.
    pub negative_prompt: Option<String>,
    /// Sampling steps.
    pub steps: Option<usize>,
    /// The sampler's name as the program wrote it; see [`Self::sampler_kind`].
    pub sampler: Option<String>,
    /// The schedule's name as the program wrote it; see [`Self::schedule_kind`].
    pub schedule: Option<String>,
    /// Classifier-free guidance scale.
    #[serde(with = "exact_number")]
    pub guidance_scale: Option<f64>,
    /// The seed.
    pub seed: Option<Seed>,
    /// Picture size as generated.
    pub size: Option<ImageSize>,
    /// The model's name, never its path.
    pub model: Option<String>,
    /// Strength of an image-to-image run; `None` for a run from noise.
    #[serde(with = "exact_number")]
    pub denoising_strength: Option<f64>,
    /// Number of skipped layers at the end of the text encoder plus one: 1 skips none.
    pub clip_skip: Option<u32>,
    /// The program and its version.
    pub version: Option<String>,
    /// Further keys and values, in order.
    pub other: Vec<(String, String)>,
}

/// A setting in a file that this program cannot restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrestored {
    /// A sampler that is not supported.
    Sampler(String),
    /// A schedule that is not supported.
    Schedule(String),
    /// A further setting of sampling that the model does not have or that cannot be read, as key and value.
    Option(String),
    /// The CLIP skip of a model that has another text encoder.
    ClipSkip(usize),
    /// The source picture of an image-to-image run, which files do not contain.
    InitImage,
    /// The class of a ComfyUI node that changes a prompt in a way that its words do not show.
    PromptNode(String),
}

impl Unrestored {
    /// Options that were removed because the model does not have them.
    pub fn options(options: &SamplingOptions, prompt: &PromptOptions) -> Vec<Self> {
        let pairs = pairs_of(options, prompt).into_iter();
        let pairs = pairs.map(|(key, value)| Self::Option(format!("{key} {value}")));
        pairs.chain(prompt.clip_skip.map(Self::ClipSkip)).collect()
    }
}

/// The key in [`GenerationFacts::other`] for the nodes of [`Unrestored::PromptNode`].
pub(super) const LEFT_OUT_NODE: &str = "Node left out of the prompt";

impl GenerationFacts {
    /// The settings of a request, for a model with this name.
    pub fn of_request(request: &GenerationDraft, model_name: &str) -> Self {
        Self {
            prompt: Some(request.prompt.clone()),
            negative_prompt: (!request.negative_prompt.is_empty()).then(|| request.negative_prompt.clone()),
            steps: Some(request.steps),
            sampler: Some(request.sampler.name().to_owned()),
            schedule: Some(request.schedule.name().to_owned()),
            guidance_scale: Some(request.guidance_scale),
            seed: Some(request.seed),
            size: Some(request.size),
            model: Some(model_name.to_owned()),
            denoising_strength: request.init_image.as_ref().map(|init| init.strength),
            clip_skip: request.prompt_options.clip_skip.and_then(|skip| skip.try_into().ok()),
            version: Some(concat!("Safelight ", env!("CARGO_PKG_VERSION")).to_owned()),
            // On every device the noise is that of PyTorch's CPU generator.
            other: [("RNG".to_owned(), "CPU".to_owned())]
                .into_iter()
                .chain(pairs_of(&request.options, &request.prompt_options))
                .collect(),
        }
    }

    /// The settings of a run with these parts, the last of which has this request. They name the steps after which later
    /// parts took over.
    pub fn of_parts(request: &GenerationDraft, parts: &[FinishedPart], model_name: &str) -> Self {
        let mut facts = Self::of_request(request, model_name);
        let forks = parts.iter().skip(1).map(|part| ("Forked after step".to_owned(), part.after.to_string()));
        facts.other.extend(forks);
        facts
    }

    /// The classes of the nodes whose effect the prompts do not show.
    pub(super) fn left_out_nodes(&self) -> impl Iterator<Item = String> {
        self.other.iter().filter(|(key, _)| key == LEFT_OUT_NODE).map(|(_, class)| class.clone())
    }

    /// Whether there are settings, and not only a prompt.
    pub fn has_settings(&self) -> bool {
        self.steps.is_some() || self.sampler.is_some() || self.seed.is_some()
    }

    /// The sampler, if it is supported.
    pub fn sampler_kind(&self) -> Option<SamplerKind> {
        Some(names::sampler_and_schedule(self.sampler.as_deref()?)?.kind)
    }

    /// The schedule, if it is supported. It may be part of the sampler's name ("DPM++ 2M Karras", "euler karras").
    pub fn schedule_kind(&self) -> Option<ScheduleKind> {
        let by_sampler = self.schedule_of_sampler().and_then(|(_, kind)| kind);
        let Some(schedule) = self.schedule.as_deref() else { return by_sampler };
        if names::is_automatic(schedule)
            && !self.is_ours()
            && let Some(kind) = self.sampler_kind().and_then(SamplerKind::automatic_elsewhere)
        {
            return Some(kind);
        }
        names::schedule(schedule).or(by_sampler)
    }

    /// The schedule at the end of the sampler's name, and its kind if it is supported.
    fn schedule_of_sampler(&self) -> Option<(&str, Option<ScheduleKind>)> {
        names::sampler_and_schedule(self.sampler.as_deref()?)?.schedule
    }

    /// Whether this program wrote them.
    pub fn is_ours(&self) -> bool {
        self.version.as_deref().is_some_and(|v| v.starts_with("Safelight"))
    }

    /// The draft of a run with these settings, which this program wrote.
    pub fn draft_of_run(&self, model: ModelSource, init_image: Option<InitImage>) -> GenerationDraft {
        let mut draft = GenerationDraft {
            model,
            prompt: String::new(),
            negative_prompt: String::new(),
            size: ImageSize::new(0, 0),
            steps: 0,
            guidance_scale: 1.0,
            seed: Seed(0),
            sampler: SamplerKind::default(),
            schedule: ScheduleKind::default(),
            options: SamplingOptions::default(),
            prompt_options: PromptOptions::default(),
            init_image,
        };
        self.apply_to(&mut draft);
        draft
    }

    /// Restores the settings in a draft, which keeps its model and everything the facts do not contain. Returns what
    /// could not be restored. Options that the model does not have are in the draft too: see
    /// [`GenerationDraft::take_unfit_options`].
    pub fn apply_to(&self, draft: &mut GenerationDraft) -> Vec<Unrestored> {
        let mut unrestored: Vec<_> = self.left_out_nodes().map(Unrestored::PromptNode).collect();
        // An empty prompt of another program was probably not found, so the typed one is kept.
        if let Some(prompt) = self.prompt.as_ref().filter(|prompt| !prompt.is_empty() || self.is_ours()) {
            draft.prompt.clone_from(prompt);
            // A text without that line had no negative prompt; in a graph it may not have been found.
            if unrestored.is_empty() {
                draft.negative_prompt.clear();
            }
        }
        if let Some(negative) = &self.negative_prompt {
            draft.negative_prompt.clone_from(negative);
        }
        if let Some(steps) = self.steps {
            draft.steps = steps;
        }
        if let Some(guidance_scale) = self.guidance_scale {
            draft.guidance_scale = guidance_scale;
        }
        if let Some(seed) = self.seed {
            draft.seed = seed;
        } else if self
            .other
            .iter()
            .any(|(key, value)| key == "Seed" && value.parse().is_ok_and(|v: i64| v < 0))
        {
            // Every program takes a negative seed to mean a random one.
            draft.seed = Seed::random();
        }
        if let Some(size) = self.size {
            draft.size = size;
        }
        draft.options = SamplingOptions::default();
        draft.prompt_options = PromptOptions::default();
        for (key, value) in self.other.iter().filter(|(key, _)| self.is_ours() && is_option(key)) {
            if restore_option(key, value, &mut draft.options, &mut draft.prompt_options).is_none() {
                unrestored.push(Unrestored::Option(format!("{key} {value}")));
            }
        }
        // To other programs 1 means that nothing is asked for, even for a model that skips layers by itself.
        let least = if self.is_ours() { 1 } else { 2 };
        let clip_skip = self.clip_skip.filter(|skip| *skip >= least);
        draft.prompt_options.clip_skip = clip_skip.and_then(|skip| skip.try_into().ok());
        match (self.sampler_kind(), &self.sampler) {
            (Some(kind), _) => {
                draft.sampler = kind;
                draft.schedule = self.schedule_kind().unwrap_or_default();
            }
            (None, Some(name)) => unrestored.push(Unrestored::Sampler(name.clone())),
            (None, None) => {}
        }
        let schedule = self.schedule.as_deref().or_else(|| self.schedule_of_sampler().map(|(name, _)| name));
        if let Some(name) = schedule
            && self.schedule_kind().is_none()
        {
            unrestored.push(Unrestored::Schedule(name.to_owned()));
        }
        if let Some(strength) = self.denoising_strength {
            match &mut draft.init_image {
                Some(init) => init.strength = strength,
                None => unrestored.push(Unrestored::InitImage),
            }
        }
        unrestored
    }
}

/// The key and value for a negative seed in JSON, which means a random one.
pub(super) fn negative_seed(seed: Option<&serde_json::Value>) -> Option<(String, String)> {
    let seed = seed?.as_i64().filter(|&seed| seed < 0)?;
    Some(("Seed".to_owned(), seed.to_string()))
}
