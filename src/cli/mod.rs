//! The command line: the same engine without a window, for scripts and tests.
//!
//! Arguments are checked before the work starts: values by `numbers`, files by `outputs`. Every result is written as
//! soon as it exists. A failure does not affect other results: a batch continues, every input is reported, and the exit
//! code is 1 if anything failed. Signals end the program, but not in the middle of writing a file.

mod arguments;
mod bench;
mod convert;
mod generate;
mod get;
mod inspect;
mod library;
mod models;
mod numbers;
mod output;
mod outputs;
mod run;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

pub use arguments::Arguments;
use arguments::Command;
use output::Output;

impl Arguments {
    /// Whether to open the window: no command was given.
    pub fn wants_window(&self) -> bool {
        self.command.is_none()
    }

    /// Reads the process's arguments.
    ///
    /// # Errors
    /// The exit code, after the help, the version or an error message was printed.
    pub fn from_command_line() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|typed| {
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
            None => Ok(()),
            Some(Command::Generate(arguments)) => generate::run(&arguments, &mut output),
            Some(Command::Encode(arguments)) => convert::encode(&arguments, &mut output),
            Some(Command::Decode(arguments)) => convert::decode(&arguments, &mut output),
            Some(Command::Channels(arguments)) => convert::channels(&arguments, &mut output),
            Some(Command::Inspect { paths, json }) => inspect::run(&paths, json, &mut output),
            Some(Command::Models { command }) => models::run(&command, &mut output),
            Some(Command::Bench { engine, steps, size, instructions, json }) => {
                bench::run(&engine, steps, size, instructions.as_deref(), json, &mut output)
            }
        };
        output.exit_code(done)
    }
}
