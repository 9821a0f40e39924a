//! The program run as a process, without its window.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod doctor;
mod endings;
mod failures;
mod forks;
mod grids;
mod kept_runs;
mod killed_runs;
mod meaning;
mod model_files;
mod models;
mod packaging_files;
mod reels;
mod refusals;
mod results;
mod runs;
mod sampling_options;
mod small_model;
mod tiny_decoder;
