//! Getting models, against a server on this machine that can do every bad thing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod bad_days;
mod catalogue;
mod layout;
mod offers;
mod promise;
mod queue;
mod redirects;
mod secure;
mod several_programs;
mod speed;
