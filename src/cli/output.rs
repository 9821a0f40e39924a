//! Printing: results on standard output, errors and notices on standard error, progress on a terminal.
//!
//! A failing standard output does not end the work: a closed pipe is ignored, other errors are reported at the end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::formats::picture::PictureRemark;

/// Standard output and standard error of a command.
#[derive(Default)]
pub(super) struct Output {
    /// The first error of standard output, after which nothing more is printed there.
    failed: Option<std::io::Error>,
    /// The notices already printed.
    printed: BTreeSet<String>,
    /// Whether a failure was printed.
    has_failures: bool,
}

impl Output {
    /// Prints a result.
    pub(super) fn line(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = print(&mut std::io::stdout().lock(), text).err();
        }
    }

    /// Prints a result as one line of JSON.
    pub(super) fn json(&mut self, value: &Value) {
        self.line(&value.to_string());
    }

    /// Whether the reader of standard output has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.failed.as_ref().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    }

    /// Prints a notice on standard error, unless it was printed before.
    pub(super) fn notice(&mut self, text: &str) {
        if self.printed.insert(text.to_owned()) {
            eprint_line(&format!("safelight: {text}"));
        }
    }

    /// Prints remarks about a picture that was read.
    pub(super) fn remarks(&mut self, path: &Path, of_picture: &[PictureRemark]) {
        for remark in of_picture {
            self.notice(&format!("{remark}: {}", text(path)));
        }
    }

    /// Prints an error and makes the exit code 1; the command continues.
    pub(super) fn failure(&mut self, error: &anyhow::Error) {
        self.has_failures = true;
        eprint_line(&format!("safelight: {}", sentence(error)));
    }

    /// The exit code of a command with this result.
    pub(super) fn exit_code(mut self, done: anyhow::Result<()>) -> ExitCode {
        if let Err(error) = done {
            self.failure(&error);
        }
        if let Some(error) = self.failed.take().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
            self.failure(&anyhow!("the results could not be printed on standard output: {error}"));
        }
        if self.has_failures { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Replaces control characters, so that names in files cannot send escape sequences to a terminal.
fn printable(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(commands) { text.replace(commands, "\u{fffd}").into() } else { text.into() }
}

/// Writes and flushes a line in one call, so that lines of several processes do not mix.
fn print(stream: &mut impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{}\n", printable(text)).as_bytes())?;
    stream.flush()
}

/// Writes a line to standard error; errors are ignored.
fn eprint_line(text: &str) {
    let _ = print(&mut std::io::stderr().lock(), text);
}

/// Adds the path to an error, unless its message contains it.
pub(super) fn named(path: &Path, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let (name, error) = (text(path), error.into());
    if sentence(&error).contains(&name) { error } else { error.context(name) }
}

/// An error and its causes as one sentence. Causes already contained in the message are skipped.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Prints a message on standard error.
pub(super) fn warning(text: &str) {
    eprint_line(&format!("safelight: {text}"));
}

/// Prints a message if standard error is a terminal.
pub(super) fn remark(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint_line(text);
    }
}

/// A path as text; bytes that are not UTF-8 are replaced.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A text in one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Remarks about a picture, joined; `None` if there are none.
pub(super) fn remarks(remarks: &[PictureRemark]) -> Option<String> {
    let texts: Vec<_> = remarks.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Rows with their columns below each other.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A progress bar, which is hidden unless standard error is a terminal.
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

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        let mut printed = Vec::new();
        print(&mut printed, "a\x1b[2J\u{9b}m 여우\n\tb").unwrap();
        assert_eq!(String::from_utf8(printed).unwrap(), "a\u{fffd}[2J\u{fffd}m 여우\n\tb\n");
    }

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [["a", "여우", "x"], ["longer", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), ["a       여우  x", "longer  b"]);
    }

    #[test]
    fn a_cause_is_printed_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("could not read a.png: {source}")]
        struct Quoting {
            source: std::io::Error,
        }
        let error = anyhow::Error::from(Quoting { source: std::io::Error::other("no such file") });
        assert_eq!(sentence(&error), "could not read a.png: no such file");
        let error = anyhow!("the cause").context("what failed");
        assert_eq!(sentence(&error), "what failed: the cause");
        let error = Err::<(), _>(error).context("what failed: the cause, and more").unwrap_err();
        assert_eq!(sentence(&error), "what failed: the cause, and more");
    }

    #[test]
    fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
        for (kind, code) in
            [(ErrorKind::StorageFull, ExitCode::FAILURE), (ErrorKind::BrokenPipe, ExitCode::SUCCESS)]
        {
            let output = Output { failed: Some(kind.into()), ..Output::default() };
            assert_eq!(output.is_closed(), kind == ErrorKind::BrokenPipe);
            assert_eq!(output.exit_code(Ok(())), code);
        }
        assert_eq!(Output::default().exit_code(Ok(())), ExitCode::SUCCESS);
        assert_eq!(Output::default().exit_code(Err(anyhow!("no"))), ExitCode::FAILURE);
        let mut output = Output::default();
        output.failure(&anyhow!("one of several"));
        assert_eq!(output.exit_code(Ok(())), ExitCode::FAILURE);
    }
}
