//! What the command line prints: results on standard output only as JSON or text asked for, errors on
//! standard error, progress on a terminal.

#![allow(clippy::print_stdout, reason = "the one place that prints results")]

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Prints a result.
pub(super) fn line(text: &str) {
    println!("{text}");
}

/// Prints an error in one sentence.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("safelight: {error:#}");
}

/// Prints a remark for a person, if one watches.
pub(super) fn remark(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text}");
    }
}

/// A progress bar on a terminal, nothing elsewhere.
pub(super) fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
