//! `safelight models`: the models of this machine.

use clap::Subcommand;

use super::get::{self, GetArguments};
use super::output::Output;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// Fetch a model from the Hugging Face hub or an https address, or show the catalogue.
    Get(GetArguments),
}

pub(super) fn run(command: &ModelsCommand, output: &mut Output) -> anyhow::Result<()> {
    match command {
        ModelsCommand::Get(arguments) => get::run(arguments, output),
    }
}
