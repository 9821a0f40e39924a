//! One value of an axis.

use super::error::GridError;
use super::setting::GridSetting;
use super::words;
use crate::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, PromptOptions, Seed};

/// A value of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum GridValue {
    /// Words; may be empty.
    Words(String),
    /// A seed.
    Seed(Seed),
    /// A number of steps.
    Steps(usize),
    /// A guidance scale, strength, eta or shift.
    Number(f64),
    /// A sampler.
    Sampler(SamplerKind),
    /// A schedule.
    Schedule(ScheduleKind),
    /// A model: as it was typed, and where it is.
    Model(String, ModelSource),
    /// A picture size.
    Size(ImageSize),
}

impl GridValue {
    /// A single value as it is typed.
    pub(super) fn parse(setting: GridSetting, text: &str) -> Result<Self, GridError> {
        let parsed = match setting {
            GridSetting::Words => Some(Self::Words(text.to_owned())),
            GridSetting::Seed => text.parse().ok().map(Self::Seed),
            GridSetting::Steps => text.parse().ok().filter(|steps| *steps > 0).map(Self::Steps),
            GridSetting::Guidance | GridSetting::Strength | GridSetting::Eta | GridSetting::Shift => {
                text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Number)
            }
            GridSetting::Sampler => {
                let named = |kind: &SamplerKind| kind.name().eq_ignore_ascii_case(text);
                let by_name = || SamplerKind::ALL.into_iter().find(named);
                text.to_lowercase().parse().ok().or_else(by_name).map(Self::Sampler)
            }
            GridSetting::Schedule => {
                let named = |kind: &ScheduleKind| kind.name().eq_ignore_ascii_case(text);
                let by_name = || ScheduleKind::ALL.into_iter().find(named);
                text.to_lowercase().parse().ok().or_else(by_name).map(Self::Schedule)
            }
            GridSetting::Model => {
                (!text.is_empty()).then(|| Self::Model(text.to_owned(), ModelSource::from_argument(text)))
            }
            GridSetting::Size => PromptOptions::size_of(text).ok().map(Self::Size),
        };
        parsed.ok_or_else(|| GridError::Value { setting, text: text.to_owned() })
    }

    /// Itself as it is typed.
    pub(super) fn typed(&self) -> String {
        match self {
            Self::Words(text) | Self::Model(text, _) => words::quoted(text),
            Self::Seed(seed) => seed.to_string(),
            Self::Steps(steps) => steps.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Sampler(kind) => kind.id().to_owned(),
            Self::Schedule(kind) => kind.id().to_owned(),
            Self::Size(size) => format!("{}x{}", size.width, size.height),
        }
    }

    /// Its name as a label: that of the window where there is one.
    pub fn name(&self) -> String {
        match self {
            Self::Words(text) => text.clone(),
            Self::Seed(seed) => seed.to_string(),
            Self::Steps(steps) => steps.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Sampler(kind) => kind.name().to_owned(),
            Self::Schedule(kind) => kind.name().to_owned(),
            Self::Model(_, source) => source.short_name(),
            Self::Size(size) => size.to_string(),
        }
    }

    /// Sets it in a draft. `replaced`: the words that words replace.
    pub(super) fn apply_to(&self, setting: GridSetting, replaced: &str, draft: &mut GenerationDraft) {
        match self {
            Self::Words(text) => {
                draft.prompt = draft.prompt.replace(replaced, text);
                draft.negative_prompt = draft.negative_prompt.replace(replaced, text);
            }
            Self::Seed(seed) => draft.seed = *seed,
            Self::Steps(steps) => (draft.steps, draft.options.levels) = (*steps, None),
            Self::Number(number) => match setting {
                GridSetting::Strength => {
                    if let Some(init) = &mut draft.init_image {
                        init.strength = *number;
                    }
                }
                GridSetting::Eta => draft.options.eta = Some(*number),
                GridSetting::Shift => draft.options.shift = Some(*number),
                _ => draft.guidance_scale = *number,
            },
            Self::Sampler(kind) => draft.sampler = *kind,
            Self::Schedule(kind) => (draft.schedule, draft.options.levels) = (*kind, None),
            Self::Model(_, source) => draft.model = source.clone(),
            Self::Size(size) => draft.size = *size,
        }
    }
}
