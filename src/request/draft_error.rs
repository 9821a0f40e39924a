//! What is wrong with a draft.

use super::GenerationDraft;
use crate::catalog::{ImageSize, SamplerKind, ScheduleKind};

/// Why a draft is invalid. Each message says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DraftError {
    /// An edge is out of bounds, or not a multiple of the model's.
    #[error(
        "the size {size} does not fit: both edges must be multiples of {multiple} pixels from {multiple} to {max}"
    )]
    Size {
        /// The size of the draft.
        size: ImageSize,
        /// What edges must be multiples of.
        multiple: usize,
        /// The longest edge.
        max: usize,
    },
    /// Too few or too many steps for the model and the sampler.
    #[error("{steps} steps are not possible with this model and sampler: choose from 1 to {max}")]
    Steps {
        /// The steps of the draft.
        steps: usize,
        /// The largest number possible.
        max: usize,
    },
    /// A guidance scale that is not a number or out of bounds.
    #[error(
        "a guidance scale of {0} is not possible: choose from 0 to {max}, where 0 to 1 turn guidance off",
        max = GenerationDraft::MAX_GUIDANCE_SCALE
    )]
    GuidanceScale(f64),
    /// The prompt or the negative prompt is too long.
    #[error("the prompt has {bytes} bytes, but at most {max} are possible: shorten it", max = GenerationDraft::MAX_PROMPT_BYTES)]
    Prompt {
        /// Length of the longer of the two.
        bytes: usize,
    },
    /// A schedule that is not known for the model's kind of noise.
    #[error("the schedule {} is not known for flow models: choose another", .0.id())]
    Schedule(ScheduleKind),
    /// An eta outside 0..=1.
    #[error("an eta of {0} is not possible: choose from 0 to 1")]
    Eta(f64),
    /// An eta for a sampler that has none.
    #[error("the sampler {} has no eta: leave it out, or choose one of {}", .0.id(), samplers_with_eta())]
    NoEta(SamplerKind),
    /// A guidance rescale outside 0..=1.
    #[error("a guidance rescale of {0} is not possible: choose from 0 to 1")]
    GuidanceRescale(f64),
    /// A shift out of bounds.
    #[error("a shift of {0} is not possible: choose from {min} to {max}", min = GenerationDraft::MIN_SHIFT, max = GenerationDraft::MAX_SHIFT)]
    Shift(f64),
    /// A shift for a model whose noise is not a flow's.
    #[error("this model's noise has no shift, which flow models alone have: leave it out")]
    NoShift,
    /// A list of noise levels that does not fit the model.
    #[error("{value} is not a {quantity} of this model: choose from {min} to {max}")]
    Level {
        /// The value.
        value: f64,
        /// Sigma or timestep.
        quantity: &'static str,
        /// The least.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// A CLIP skip beyond the text encoder's layers.
    #[error("a CLIP skip of {skip} is not possible: choose from 1, the last layer, to {layers}")]
    ClipSkip {
        /// The CLIP skip of the draft.
        skip: usize,
        /// Layers of the text encoder.
        layers: usize,
    },
    /// A number of tokens out of bounds.
    #[error("{tokens} tokens of a prompt are not possible: choose from 1 to {max}")]
    MaxTokens {
        /// The number of the draft.
        tokens: usize,
        /// The largest number possible.
        max: usize,
    },
    /// A true guidance scale that is not a number or out of bounds.
    #[error(
        "a true guidance scale of {0} is not possible: choose from 0 to {max}",
        max = GenerationDraft::MAX_GUIDANCE_SCALE
    )]
    TrueGuidance(f64),
    /// A layer that the model does not have.
    #[error("layer {layer} cannot be skipped: choose from 0 to {max}")]
    SkippedLayer {
        /// The layer of the draft.
        layer: usize,
        /// The last layer.
        max: usize,
    },
    /// A scale of skip-layer guidance that is not a number or out of bounds.
    #[error(
        "a scale of skip-layer guidance of {0} is not possible: choose from 0 to {max}",
        max = GenerationDraft::MAX_GUIDANCE_SCALE
    )]
    SkipScale(f64),
    /// A beginning or an end of skip-layer guidance outside 0..=1.
    #[error("skip-layer guidance cannot begin or end at {0}: choose from 0 to 1 of the run")]
    SkipRange(f64),
    /// An option of prompt encoding or guidance that the model does not have.
    #[error("this model has no {0}: leave it out")]
    NoSuchOption(&'static str),
    /// A strength outside 0..=1.
    #[error("a strength of {0} is not possible: choose from 0 to 1")]
    Strength(f64),
    /// The strength is so small that no step is left.
    #[error("with strength {strength} none of {steps} steps is left: raise the strength or the steps")]
    NothingToDo {
        /// The strength of the draft.
        strength: f64,
        /// The steps of the draft.
        steps: usize,
    },
}

fn samplers_with_eta() -> String {
    let ids: Vec<_> =
        SamplerKind::ALL.into_iter().filter(|kind| kind.takes_eta()).map(SamplerKind::id).collect();
    ids.join(", ")
}
