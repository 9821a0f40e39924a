//! The folder of the runs, and runs by their names on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::super::output;
use crate::store::history::{History, OpenedRun, RunId, RunStatus, RunSummary};

/// Ids that a message about an ambiguous name lists at most.
const MOST_NAMED: usize = 5;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct RunsFolder {
    /// The folder of the runs [default: where the window keeps them].
    #[arg(long, value_name = "FOLDER")]
    runs: Option<PathBuf>,
}

impl RunsFolder {
    pub(in crate::cli) fn history(&self) -> anyhow::Result<History> {
        history(self.runs.as_deref())
    }
}

/// The runs below a folder; `None` for where the window keeps them.
pub(in crate::cli) fn history(folder: Option<&Path>) -> anyhow::Result<History> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => History::folder_of_system().context(
            "the system names no folder for the program's data; name one with --runs or --keep-in",
        )?,
    };
    Ok(History::open(folder))
}

/// The run that an id, the beginning of one, or ‘last’ names. A whole id names a run that may not exist.
///
/// # Errors
/// If there is no such run, or there are several.
pub(in crate::cli) fn find(history: &History, name: &str) -> anyhow::Result<RunId> {
    let name = name.trim();
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let ids = history.ids()?;
    let root = output::text(history.root());
    if ids.is_empty() {
        bail!("no run is kept in this folder (‘safelight generate --keep’ keeps one): {root}");
    }
    if name == "last" {
        // The time in an id is in whole seconds.
        let newest = history.runs()?.runs.into_iter().next().map(|run| run.id);
        return Ok(newest.unwrap_or_else(|| ids[0].clone()));
    }
    let begins = |id: &&RunId| !name.is_empty() && id.as_str().starts_with(name);
    let found: Vec<&RunId> = ids.iter().filter(begins).collect();
    match found[..] {
        [id] => Ok(id.clone()),
        [] => bail!(
            "no kept run has an id that begins with ‘{name}’ (‘safelight runs list’ shows them): {root}"
        ),
        _ => {
            let named: Vec<&str> = found.iter().take(MOST_NAMED).map(|id| id.as_str()).collect();
            let more = found.len().saturating_sub(MOST_NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            bail!(
                "the ids of {} runs begin with ‘{name}’; type more of one: {}{more}",
                found.len(),
                named.join(", ")
            )
        }
    }
}

/// How far a run came, in a word or two.
pub(super) fn state(history: &History, run: &RunSummary) -> &'static str {
    match run.status {
        RunStatus::Running | RunStatus::Sampled if history.is_being_written(&run.id) => "running",
        RunStatus::Running => "interrupted",
        RunStatus::Sampled => "not decoded",
        RunStatus::Finished => "finished",
        RunStatus::Stopped => "stopped",
        RunStatus::Failed { .. } => "failed",
    }
}

/// Checks that a run has this step.
///
/// # Errors
/// If it has not: because it is damaged, was removed to save space or was never taken.
pub(super) fn check_step(history: &History, run: &OpenedRun, step: usize) -> anyhow::Result<()> {
    let kept = run.trajectory.steps.len();
    if step <= kept {
        return Ok(());
    }
    if let Some(damage) = history.damage_of(run).filter(|_| step <= run.record.steps_kept) {
        return Err(damage.into());
    }
    let folder = output::text(&history.folder(&run.record.id));
    if run.is_thinned() {
        bail!(
            "the steps of this run were removed to save space; draw it again with the same settings, and keep it: {folder}"
        );
    }
    bail!("the run has {kept} steps, and no step {step}: {folder}")
}
