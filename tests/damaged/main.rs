//! Files that lie or were damaged: an error or a value, never a panic, never half of a picture for a whole one, and
//! never memory that the file does not justify.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod allocation;
#[path = "../common/mod.rs"]
mod common;
mod memory;
mod models;
mod pictures;
mod random_files;
