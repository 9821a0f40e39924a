//! What a user asks for: a draft, validated to a request.
//!
//! A draft may be wrong, a request cannot: [`GenerationDraft::validate`] is the only way to a
//! [`GenerationRequest`].

mod cancel;
mod decode_choice;
mod device_choice;
mod draft;
mod draft_options;
mod picture;
mod prompt_length;
mod prompt_options;
mod sampling_options;
mod seed;
mod tile_choice;

pub use cancel::CancelToken;
pub use decode_choice::DecodeChoice;
pub use device_choice::{DeviceChoice, DtypeChoice};
pub use draft::{DraftError, GenerationDraft, GenerationRequest, InitImage};
pub use picture::{Picture, PictureSizeError};
pub use prompt_length::PromptLength;
pub use prompt_options::PromptOptions;
pub use sampling_options::{LevelsError, NoiseLevels, SamplingOptions};
pub use seed::{Seed, SeedError};
pub use tile_choice::TileChoice;
