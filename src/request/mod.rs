//! What a user asks for: a draft, validated to a request.
//!
//! A draft may be wrong, a request cannot: [`GenerationDraft::validate`] is the only way to a
//! [`GenerationRequest`].

mod cancel;
mod continuation;
mod decode_choice;
mod device_choice;
mod draft;
mod draft_error;
mod draft_options;
pub mod grid;
mod picture;
mod prompt_length;
mod prompt_options;
mod prompt_tokens;
mod sampling_options;
mod seed;
mod skip_layers;
mod tile_choice;
mod watch;

pub use cancel::CancelToken;
pub use continuation::{Continuation, FinishedPart};
pub use decode_choice::DecodeChoice;
pub use device_choice::{DeviceChoice, DtypeChoice};
pub use draft::{GenerationDraft, GenerationRequest, InitImage};
pub use draft_error::DraftError;
pub use picture::{Picture, PictureSizeError};
pub use prompt_length::PromptLength;
pub use prompt_options::PromptOptions;
pub use prompt_tokens::{PromptToken, PromptTokens, PromptWord};
pub use sampling_options::{LevelsError, NoiseLevels, SamplingOptions};
pub use seed::{Seed, SeedError};
pub use skip_layers::{LayerSet, SkipLayers};
pub use tile_choice::TileChoice;
pub use watch::{Watch, Watched};
