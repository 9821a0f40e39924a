//! `safelight runs go-on`.

use anyhow::{anyhow, bail};
use clap::Args;

use super::super::drawing::Drawn;
use super::super::output::{self, Output};
use super::model::{self, RunModelArguments};
use super::named::{RunsFolder, find};
use super::one_picture::OnePictureArguments;
use crate::engine::KeepRun;
use crate::store::history::{History, HistoryError, OpenedRun, RunOrigin, RunStatus};

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct GoOnArguments {
    /// The run: its id, the beginning of its id, or ‘last’.
    run: String,
    #[command(flatten)]
    folder: RunsFolder,
    #[command(flatten)]
    model: RunModelArguments,
    #[command(flatten)]
    picture: OnePictureArguments,
}

/// Goes on with a run: with an interrupted one in its folder, and with another as a new run that shares its steps.
pub(super) fn go_on(arguments: &GoOnArguments, output: &mut Output) -> anyhow::Result<()> {
    let history = arguments.folder.history()?;
    let id = find(&history, &arguments.run)?;
    let mut opened = history.open_run(&id)?;
    check(&history, &opened)?;
    model::name_model(&mut opened, &arguments.model)?;
    let paths = arguments.picture.paths(&opened.record.model)?;
    if let Some(damage) = history.damage_of(&opened) {
        output
            .notice(&format!("{}; the run goes on from the step before", output::sentence(&anyhow!(damage))));
    }

    let loaded = model::load(&opened, &arguments.model, output)?;
    let keep = if opened.record.is_interrupted() {
        KeepRun::Again(id)
    } else {
        KeepRun::Fork(RunOrigin { run: id, step: opened.trajectory.steps.len() })
    };
    let continues = opened.into_continuation();
    let request = continues.parts[continues.parts.len() - 1].request.clone();
    let drawn = Drawn { request, continues: Some(continues), keep };
    arguments.picture.draw(loaded, drawn, &paths, Some(history), output)
}

/// Checks that a run can go on.
fn check(history: &History, opened: &OpenedRun) -> anyhow::Result<()> {
    let record = &opened.record;
    let folder = history.folder(&record.id);
    if record.status == RunStatus::Finished && !record.finished_early {
        bail!(
            "the run has come to its end; ‘safelight fork’ goes on from one of its steps with other settings: {}",
            output::text(&folder)
        );
    }
    if history.is_being_written(&record.id) {
        return Err(HistoryError::InUse(folder).into());
    }
    if opened.is_thinned() && history.damage_of(opened).is_none() {
        bail!(
            "the steps of this run were removed to save space, so that it cannot go on; draw it again with the same \
             settings: {}",
            output::text(&folder)
        );
    }
    Ok(())
}
