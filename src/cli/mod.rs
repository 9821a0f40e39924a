//! The command line: the same engine without a window, for scripts and tests.
//!
//! Arguments are checked before the work starts: values by `numbers`, files by `outputs`. Every result is written as
//! soon as it exists. A failure does not affect other results: a batch continues, every input is reported, and the exit
//! code is 1 if anything failed. Signals end the program, but not in the middle of writing a file.

mod arguments;
mod bench;
mod compare;
mod convert;
mod describe;
mod doctor;
mod drawing;
mod engine_arguments;
mod generate;
mod get;
mod grid;
mod grid_arguments;
mod inspect;
mod library;
mod models;
mod numbers;
mod output;
mod outputs;
mod packaging_files;
mod picture_models;
mod run;
mod runs;
mod sampling_arguments;
mod signals;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

pub use arguments::Arguments;
use arguments::Command;
use output::Output;

impl Arguments {
    /// The files to open the window on, as absolute paths; `None` if a command is to run without a window.
    pub fn window_files(&self) -> Option<Vec<PathBuf>> {
        match &self.command {
            None => Some(Vec::new()),
            Some(Command::Open { paths }) => {
                let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Some(paths.iter().map(absolute).collect())
            }
            Some(_) => None,
        }
    }

    /// Reads the process's arguments.
    ///
    /// # Errors
    /// The exit code, after the help, the version or an error message was printed.
    pub fn from_command_line() -> Result<Self, ExitCode> {
        Self::try_parse_from(with_open(std::env::args_os())).map_err(|typed| {
            let printed = typed.print();
            if typed.use_stderr() {
                return ExitCode::from(typed.exit_code() as u8);
            }
            let done = match printed {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(anyhow::Error::from(error)
                        .context("the help could not be printed on standard output"))
                }
                _ => Ok(()),
            };
            Output::default().exit_code(done)
        })
    }

    /// Runs the command. The exit code is 0 only if it succeeded.
    pub fn run(self) -> ExitCode {
        signals::watch();
        let mut output = Output::default();
        let done = match self.command {
            None | Some(Command::Open { .. }) => Ok(()),
            Some(Command::Generate(arguments)) if arguments.grid.is_wanted() => {
                grid::run(&arguments, &mut output)
            }
            Some(Command::Generate(arguments)) => generate::run(&arguments, &mut output),
            Some(Command::Encode(arguments)) => convert::encode(&arguments, &mut output),
            Some(Command::Decode(arguments)) => convert::decode(&arguments, &mut output),
            Some(Command::Channels(arguments)) => convert::channels(&arguments, &mut output),
            Some(Command::Compare(arguments)) => compare::run(&arguments, &mut output),
            Some(Command::Inspect { paths, json }) => inspect::run(&paths, json, &mut output),
            Some(Command::Describe(arguments)) => describe::run(&arguments, &mut output),
            Some(Command::Models { command }) => models::run(&command, &mut output),
            Some(Command::Runs { command }) => runs::run(&command, &mut output),
            Some(Command::Fork(arguments)) => runs::fork(&arguments, &mut output),
            Some(Command::Reel(arguments)) => runs::reel(&arguments, &mut output),
            Some(Command::Bench { engine, steps, size, instructions, json }) => {
                bench::run(&engine, steps, size, instructions.as_deref(), json, &mut output)
            }
            Some(Command::Doctor { quick, threads, json }) => {
                doctor::run(quick, threads, json, &mut output);
                Ok(())
            }
            Some(Command::PackagingFiles { folder }) => packaging_files::run(&folder),
        };
        output.exit_code(done)
    }
}

/// The arguments with the command `open` before files: desktops start a program with nothing but the files to open.
/// A word that is neither a command nor an existing file stays, so that a mistyped command is reported as one.
fn with_open(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_command = |word: &OsString| {
        word == "help" || Arguments::command().get_subcommands().any(|command| word == command.get_name())
    };
    if arguments.get(1).is_some_and(|first| Path::new(first).exists() && !is_command(first)) {
        arguments.insert(1, "open".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        let arguments = ["safelight"].iter().chain(arguments).map(OsString::from);
        Arguments::try_parse_from(with_open(arguments))
    }

    #[test]
    fn files_without_a_command_open_in_the_window() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a picture.png");
        std::fs::write(&file, "").unwrap();
        let gone = folder.path().join("gone.png");
        let [file, other] = [&file, &gone].map(|path| path.to_str().unwrap());
        let files = |arguments: &[&str]| parsed(arguments).unwrap().window_files();
        assert_eq!(files(&[]), Some(Vec::new()));
        assert_eq!(files(&["open"]), Some(Vec::new()));
        assert_eq!(files(&[file, other]), Some(vec![file.into(), other.into()]));
        assert_eq!(files(&["open", other]), Some(vec![other.into()]));
        assert_eq!(files(&["inspect", file]), None);
        let relative = files(&["open", "src"]).unwrap();
        assert!(relative[0].is_absolute() && relative[0].ends_with("src"), "{relative:?}");
    }

    #[test]
    fn a_mistyped_command_is_no_file() {
        let error = parsed(&["generat", "--prompt", "x"]).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::InvalidSubcommand);
        assert!(error.to_string().contains("'generate'"), "{error}");
    }
}
