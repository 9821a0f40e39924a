//! Damaged and hostile files: the result is an error or a value, never a panic or half of a picture, and the memory stays
//! in proportion to the file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod allocation;
#[path = "../common/mod.rs"]
mod common;
mod meaning;
mod memory;
mod models;
mod pictures;
mod random_files;
mod tiny_decoder;
