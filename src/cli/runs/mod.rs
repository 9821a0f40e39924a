//! `safelight runs`, `safelight fork` and `safelight reel`: the kept runs without a window.

mod export;
mod find;
mod fork;
mod go_on;
mod list;
mod model;
mod named;
mod one_picture;
mod reel;
mod replay;
mod show;
mod tree;

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Subcommand;

use self::export::ExportArguments;
use self::find::FindArguments;
use self::go_on::GoOnArguments;
use self::model::RunModelArguments;
use super::output::{self, Output};
use crate::store::history::RunId;

pub(super) use fork::{ForkArguments, run as fork};
pub(super) use named::{RunsFolder, find, history};
pub(super) use reel::{ReelArguments, run as reel};

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List the kept runs, the newest first.
    List {
        /// Only those whose prompt, negative prompt or seed has these words.
        #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
        search: String,
        /// List no more than these.
        #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = super::numbers::positive)]
        limit: Option<usize>,
        #[command(flatten)]
        folder: RunsFolder,
        /// Print JSON on standard output, one line for each run.
        #[arg(long)]
        json: bool,
    },
    /// Find runs by what is in their pictures: in words, or like another picture.
    Find(FindArguments),
    /// Show the settings, the parts, the steps and the files of a run.
    Show {
        /// Its id, the beginning of its id, or ‘last’.
        run: String,
        #[command(flatten)]
        folder: RunsFolder,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Show which run went on from which step of which: the family of a run, or all families.
    Tree {
        /// Its id, the beginning of its id, or ‘last’ [default: all runs that others went on from].
        run: Option<String>,
        #[command(flatten)]
        folder: RunsFolder,
        /// Print JSON on standard output, one line for each family.
        #[arg(long)]
        json: bool,
    },
    /// Write the picture of a run, or the picture or the latent of one of its steps.
    Export(ExportArguments),
    /// Draw a run again from its beginning, and say whether every step is the same to the bit.
    Replay {
        /// Its id, the beginning of its id, or ‘last’.
        run: String,
        #[command(flatten)]
        folder: RunsFolder,
        #[command(flatten)]
        model: RunModelArguments,
        /// Print JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Go on with a run that was interrupted, stopped or ended early, from its last step.
    GoOn(Box<GoOnArguments>),
    /// Move runs to the trash.
    Delete {
        /// Their ids, the beginnings of their ids, or ‘last’.
        #[arg(required = true, value_name = "RUN")]
        named: Vec<String>,
        #[command(flatten)]
        folder: RunsFolder,
    },
}

/// Runs one of the commands.
pub(super) fn run(command: &RunsCommand, output: &mut Output) -> anyhow::Result<()> {
    match command {
        RunsCommand::List { search, limit, folder, json } => {
            list::list(&folder.history()?, search, *limit, *json, output)
        }
        RunsCommand::Find(arguments) => find::find(arguments, output),
        RunsCommand::Show { run, folder, json } => show::show(&folder.history()?, run, *json, output),
        RunsCommand::Tree { run, folder, json } => {
            tree::tree(&folder.history()?, run.as_deref(), *json, output)
        }
        RunsCommand::Export(arguments) => export::export(arguments, output),
        RunsCommand::Replay { run, folder, model, json } => {
            replay::replay(&folder.history()?, run, model, *json, output)
        }
        RunsCommand::GoOn(arguments) => go_on::go_on(arguments, output),
        RunsCommand::Delete { named, folder } => delete(named, folder, output),
    }
}

/// Moves runs to the trash. All are found before the first is moved, and one that cannot be moved keeps none of the
/// others.
fn delete(named: &[String], folder: &RunsFolder, output: &mut Output) -> anyhow::Result<()> {
    let history = folder.history()?;
    let mut runs: Vec<RunId> = Vec::new();
    for name in named {
        let run = find(&history, name)?;
        if !history.folder(&run).is_dir() {
            history.read(&run)?;
        }
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    let folders: Vec<PathBuf> = runs.iter().map(|run| history.folder(run)).collect();
    let to_trash = |path: &Path| trash::delete(path).map_err(|error| error.to_string());
    let failed = history.delete(&runs, &to_trash);
    for (run, folder) in runs.iter().zip(&folders) {
        if failed.iter().all(|(id, _)| id != run) {
            output.line(&format!("the run {run} is in the trash: {}", output::text(folder)));
        }
    }
    let count = failed.len();
    for (_, error) in failed {
        output.failure(&anyhow!(error));
    }
    if count > 0 && runs.len() > 1 {
        bail!("{count} of {} runs could not be deleted", runs.len());
    }
    Ok(())
}
