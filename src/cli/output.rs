//! What the command line prints: results on standard output only as JSON or text asked for, errors and notices on
//! standard error, progress on a terminal.
//!
//! A stream that cannot be written never ends the work: a reader that has gone away wants no more, and a full disk
//! is told once the work is done.

use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::formats::picture::PictureRemark;

/// Standard output, and what became of it.
#[derive(Default)]
pub(super) struct Output {
    /// Why standard output took no more.
    failed: Option<std::io::Error>,
    /// Notices that were told.
    told: BTreeSet<String>,
    /// Whether something failed that did not end the command.
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

    /// Whether nobody reads what is printed any more.
    pub(super) fn is_closed(&self) -> bool {
        self.failed.as_ref().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    }

    /// Tells something that a person should know, once.
    pub(super) fn notice(&mut self, text: &str) {
        if self.told.insert(text.to_owned()) {
            tell(&format!("safelight: {text}"));
        }
    }

    /// Tells what was left out of a picture that was read.
    pub(super) fn remarks(&mut self, path: &Path, of_picture: &[PictureRemark]) {
        for remark in of_picture {
            self.notice(&format!("{remark}: {}", text(path)));
        }
    }

    /// Tells a failure that does not end the command: the exit code says that there was one.
    pub(super) fn failure(&mut self, error: &anyhow::Error) {
        self.has_failures = true;
        tell(&format!("safelight: {}", sentence(error)));
    }

    /// The exit code of a command that ended so.
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

/// Writes a line in one piece.
fn print(stream: &mut impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{text}\n").as_bytes())?;
    stream.flush()
}

/// Writes a line to standard error; where that is closed there is nobody to tell.
fn tell(text: &str) {
    let _ = print(&mut std::io::stderr().lock(), text);
}

/// An error with the file that it is about, unless it names it already.
pub(super) fn named(path: &Path, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let (name, error) = (text(path), error.into());
    if sentence(&error).contains(&name) { error } else { error.context(name) }
}

/// An error and its causes as one sentence. Many errors quote their cause: each is told once.
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

/// Prints a remark for a person, if one watches.
pub(super) fn remark(text: &str) {
    if std::io::stderr().is_terminal() {
        tell(text);
    }
}

/// A path as text: in JSON, in which other bytes have no place.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What was left out of a picture, as one text.
pub(super) fn remarks(remarks: &[PictureRemark]) -> Option<String> {
    let texts: Vec<_> = remarks.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
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

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
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
    fn a_stream_that_is_full_is_an_error_and_one_that_is_closed_is_none() {
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
