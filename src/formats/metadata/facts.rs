//! What a picture was generated with, as a value, and back into a draft.

use super::names;
use crate::catalog::{ImageSize, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, Seed};

/// What a file says about how its picture was made. Everything is optional, as files are.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GenerationFacts {
    /// What was asked for.
    pub prompt: Option<String>,
    /// What was to be avoided.
    pub negative_prompt: Option<String>,
    /// Sampling steps.
    pub steps: Option<usize>,
    /// The sampler's name as the program wrote it; [`Self::sampler_kind`] understands it.
    pub sampler: Option<String>,
    /// The schedule's name as the program wrote it; [`Self::schedule_kind`] understands it.
    pub schedule: Option<String>,
    /// Classifier-free guidance scale.
    pub guidance_scale: Option<f64>,
    /// The seed.
    pub seed: Option<Seed>,
    /// Picture size as generated.
    pub size: Option<ImageSize>,
    /// The model's name, never its path.
    pub model: Option<String>,
    /// Strength of an image-to-image run; its presence says that there was a source picture.
    pub denoising_strength: Option<f64>,
    /// Layers left out at the end of the text encoder plus one: 1 leaves out none.
    pub clip_skip: Option<u32>,
    /// The program and its version.
    pub version: Option<String>,
    /// Further pairs of the text, in order.
    pub other: Vec<(String, String)>,
}

/// Something a file says that this program cannot set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrestored {
    /// A sampler that is not here.
    Sampler(String),
    /// A schedule that is not here.
    Schedule(String),
    /// The text encoder was cut short by this many layers plus one.
    ClipSkip(u32),
    /// The source picture of an image-to-image run, which no file holds.
    InitImage,
    /// A graph's node that changes a prompt in a way that its words do not say.
    PromptNode(String),
}

/// The key of a node that [`Unrestored::PromptNode`] names.
pub(super) const LEFT_OUT_NODE: &str = "Node left out of the prompt";

impl GenerationFacts {
    /// The facts of a request of this program, for a model with this name.
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
            clip_skip: None,
            version: Some(concat!("Safelight ", env!("CARGO_PKG_VERSION")).to_owned()),
            // The noise is PyTorch's CPU generator's, whatever the device.
            other: vec![("RNG".to_owned(), "CPU".to_owned())],
        }
    }

    /// The classes of a graph's nodes that the prompts leave out.
    pub(super) fn left_out_nodes(&self) -> impl Iterator<Item = String> {
        self.other.iter().filter(|(key, _)| key == LEFT_OUT_NODE).map(|(_, class)| class.clone())
    }

    /// Whether the text held settings, and not only some words.
    pub fn has_settings(&self) -> bool {
        self.steps.is_some() || self.sampler.is_some() || self.seed.is_some()
    }

    /// The sampler, if it is one of ours.
    pub fn sampler_kind(&self) -> Option<SamplerKind> {
        Some(names::sampler_and_schedule(self.sampler.as_deref()?)?.kind)
    }

    /// The schedule, if it is one of ours; from the sampler's name where that says it
    /// ("DPM++ 2M Karras", "euler karras").
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

    /// The schedule that the sampler's name ends in, and if it is one of ours.
    fn schedule_of_sampler(&self) -> Option<(&str, Option<ScheduleKind>)> {
        names::sampler_and_schedule(self.sampler.as_deref()?)?.schedule
    }

    /// Whether this program wrote the facts.
    pub fn is_ours(&self) -> bool {
        self.version.as_deref().is_some_and(|v| v.starts_with("Safelight"))
    }

    /// Sets in a draft all that is known; the draft keeps its model and whatever the facts do not say.
    /// Returns what could not be set.
    pub fn apply_to(&self, draft: &mut GenerationDraft) -> Vec<Unrestored> {
        let mut unrestored: Vec<_> = self.left_out_nodes().map(Unrestored::PromptNode).collect();
        // Another program's empty prompt is one that was not found: what was typed stays.
        if let Some(prompt) = self.prompt.as_ref().filter(|prompt| !prompt.is_empty() || self.is_ours()) {
            draft.prompt.clone_from(prompt);
            // A text without that line had none; a graph may have one that was not found.
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
            // The number every program takes for "another one each time".
            draft.seed = Seed::random();
        }
        if let Some(size) = self.size {
            draft.size = size;
        }
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
        if let Some(clip_skip) = self.clip_skip.filter(|&skip| skip > 1) {
            unrestored.push(Unrestored::ClipSkip(clip_skip));
        }
        unrestored
    }
}

/// The pair for a seed below 0 in JSON, which says that any will do.
pub(super) fn negative_seed(seed: Option<&serde_json::Value>) -> Option<(String, String)> {
    let seed = seed?.as_i64().filter(|&seed| seed < 0)?;
    Some(("Seed".to_owned(), seed.to_string()))
}
