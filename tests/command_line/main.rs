//! The program run as a process, without its window.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod endings;
mod failures;
mod model_files;
mod models;
mod refusals;
mod results;
mod sampling_options;
mod small_model;
