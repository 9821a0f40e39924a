//! Running the program as a process.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program to its end.
pub(crate) fn safelight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_safelight")).args(arguments).output().unwrap()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
