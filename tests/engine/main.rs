//! The engine's protocol: order of events, stops, failures, panics, slow clients; and the seams for its models.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

mod failures;
mod fake;
mod made_up_family;
mod measure;
mod order;
mod preview_fit;
