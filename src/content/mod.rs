//! Recognising the content of files that other programs wrote.
//!
//! Every reader of such a file, in whatever layer, starts here: [`Content`] recognises a file by its bytes; [`json`]
//! reads JSON as Python writes it, with errors that name the key of a wrong value and no Rust type.

pub mod json;
mod kind;

pub use kind::{Content, START_BYTES};
