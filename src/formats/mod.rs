//! Files ↔ values: pictures, embedded metadata, latents.
//!
//! The content of a file is never trusted: sizes are checked before memory is allocated, texts and profiles have
//! limits, and for a damaged file the error says what is wrong, why and what to try. Files are written completely or
//! not at all ([`atomic`]).

pub mod animation;
pub mod atomic;
pub mod latent_file;
pub mod locks;
pub mod metadata;
pub mod metrics;
pub mod picture;

mod canvas;
mod channel_sheet;
mod comparison;
mod destination;
mod file_kind;
mod grid_sheet;
mod input;
mod picture_difference;
mod png_chunks;
mod step_sheet;
mod strays;
mod write_error;

pub use channel_sheet::{SheetError, channel_sheet};
pub use comparison::{Comparison, compare};
pub use destination::{DestinationKind, check_writable};
pub use file_kind::{FileKind, file_kind, kind_of_bytes};
pub use grid_sheet::{check_grid_sheet, grid_sheet};
pub use input::{Input, MAX_INPUT_BYTES, ReadFileError, Sources, read_input};
pub use picture_difference::{HEAT_MAP, PictureDifference, heat_picture, picture_difference};
pub use step_sheet::{SheetStep, step_sheet};
