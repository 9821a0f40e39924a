//! What the bytes of a file that another program wrote really are.
//!
//! Every reader of such a file, whatever its layer, starts here: [`Content`] says what a file is, by its bytes;
//! [`json`] reads what Python calls JSON, and a wrong value is named by its key in words that a person who wrote
//! the file would use.

pub mod json;
mod kind;

pub use kind::{Content, START_BYTES};
