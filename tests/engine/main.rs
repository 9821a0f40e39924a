//! The engine's protocol: order of events, stops, failures, panics, slow clients; and the seams for its models.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../common/mod.rs"]
mod common;
mod continuation;
mod devices;
mod failures;
mod fake;
mod inside;
mod keeping;
mod made_up_family;
mod meaning;
mod measure;
mod order;
mod preview_fit;
mod tiny_decoder;
