//! Helpers that several test programs share. Each includes this folder as a module; it is not a test program itself.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub(crate) mod fake_device;
pub(crate) mod fixtures;
pub(crate) mod flux_files;
pub(crate) mod hub;
pub(crate) mod model_folders;
pub(crate) mod numbers;
pub(crate) mod pictures;
pub(crate) mod program;
pub(crate) mod recorded_pictures;
pub(crate) mod sampling;
pub(crate) mod server;
#[cfg(target_os = "linux")]
pub(crate) mod sockets;
