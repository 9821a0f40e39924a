//! The choices: models and their profiles, samplers, schedules.
//!
//! A [`ModelProfile`] holds a model's identity and defaults; what a user asks of a model is a [`crate::request`].

mod guidance;
mod image_size;
mod prediction;
mod profile;
mod sampler_kind;
mod schedule_kind;
mod source;

pub use guidance::GuidanceKind;
pub use image_size::{ImageSize, fit_into_multiples};
pub use prediction::PredictionType;
pub use profile::{ModelDefaults, ModelProfile, PromptFeatures, StepLimits};
pub use sampler_kind::SamplerKind;
pub use schedule_kind::{ScheduleKind, TimestepSpacing};
pub use source::{ModelParts, ModelSource, PartRole};
