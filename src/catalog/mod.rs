//! What there is to choose from: models and what is known of each, samplers, schedules.
//!
//! A [`ModelProfile`] holds a model's identity; what a person asks of it is a [`crate::request`].

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
pub use profile::{ModelDefaults, ModelProfile, StepLimits};
pub use sampler_kind::SamplerKind;
pub use schedule_kind::{ScheduleKind, TimestepSpacing};
pub use source::ModelSource;
