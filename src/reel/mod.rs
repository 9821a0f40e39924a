//! The development of a run taken along: its steps one after another as a moving picture (a reel), or all of them on one
//! sheet.
//!
//! [`timing`] says when which step is shown, [`Development`] what is seen of a step, and [`write()`] makes the file. Frames
//! between two steps are blends of what is seen of both: the previews are linear maps, so that this is the preview of the
//! latents' blend.

mod development;
mod options;
mod sheet;
pub mod timing;
mod write;

pub use development::{Development, PreviewProjection};
pub use options::{Easing, Pace, ReelKind, ReelOptions, ReelSize, Shown};
pub use write::{ReelError, ReelProgress, check, decode_to_keep, size_of, write};

pub use crate::formats::animation::{AnimationError, AnimationFormat, has_ffmpeg};
