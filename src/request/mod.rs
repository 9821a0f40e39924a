//! What a person may ask: draft → validated request; model families and their capabilities.
//!
//! A draft may be wrong, a request cannot: [`GenerationDraft::validate`] is the only way to a
//! [`GenerationRequest`].

mod cancel;
mod decode_choice;
mod device_choice;
mod draft;
mod image_size;
mod model_family;
mod picture;
mod sampler_kind;
mod schedule_kind;
mod seed;
mod tile_choice;

pub use cancel::CancelToken;
pub use decode_choice::DecodeChoice;
pub use device_choice::{DeviceChoice, DtypeChoice};
pub use draft::{DraftError, GenerationDraft, GenerationRequest, InitImage};
pub use image_size::{ImageSize, fit_into_multiples};
pub use model_family::{ModelChoice, ModelDefaults, ModelFamily, ModelProfile, PredictionType};
pub use picture::{Picture, PictureSizeError};
pub use sampler_kind::SamplerKind;
pub use schedule_kind::{ScheduleKind, TimestepSpacing};
pub use seed::Seed;
pub use tile_choice::TileChoice;
