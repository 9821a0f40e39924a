//! `safelight runs export`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::super::output::{self, Output};
use super::super::outputs::{Files, PictureFile};
use super::super::signals::uninterrupted;
use super::super::{numbers, run};
use super::model::{self, RunModelArguments};
use super::named::{RunsFolder, check_step, find};
use crate::engine::{Event, JobId, JobKind};
use crate::formats::latent_file::{LatentFacts, LatentQuantity, write_latent};
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::WriteOptions;
use crate::latent::Latent;
use crate::request::{DecodeChoice, Picture};
use crate::store::history::{History, OpenedRun, RunRecord};

#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("files").required(true).multiple(true))]
pub(in crate::cli) struct ExportArguments {
    /// The run: its id, the beginning of its id, or ‘last’.
    run: String,
    /// The picture to write: .png, .jpg or .webp.
    #[arg(long, value_name = "FILE", group = "files")]
    output: Option<PathBuf>,
    /// The latent to write, in ComfyUI's format.
    #[arg(long, value_name = "FILE.latent", group = "files")]
    latent: Option<PathBuf>,
    /// The denoised estimate of this step instead of the run's result.
    #[arg(long, value_name = "K", allow_hyphen_values = true, value_parser = numbers::positive)]
    step: Option<usize>,
    #[command(flatten)]
    folder: RunsFolder,
    #[command(flatten)]
    model: RunModelArguments,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Writes the picture or the latent of a run or of one of its steps. The model is only loaded where there is no picture.
pub(super) fn export(arguments: &ExportArguments, output: &mut Output) -> anyhow::Result<()> {
    let history = arguments.folder.history()?;
    let id = find(&history, &arguments.run)?;
    let mut opened = history.open_run(&id)?;
    model::name_model(&mut opened, &arguments.model)?;
    let mut files = Files::of_model(&opened.record.model);
    let picture = arguments.output.as_deref().map(|path| files.picture(path, 0, 1)).transpose()?;
    let latent_file = arguments.latent.as_deref().map(|path| files.latent(path, 0, 1)).transpose()?;
    files.check()?;

    let exported = Exported::of(&history, &opened, arguments.step)?;
    if let Some(path) = &latent_file {
        let latent = exported.latent.with_context(|| {
            format!("the run has no latent yet, as it took no step: {}", output::text(&history.folder(&id)))
        })?;
        let latent = opened.record.format.vae_from_model(latent);
        uninterrupted(|| write_latent(path, &latent, &exported.latent_facts(&opened.record)))?;
    }
    if let Some(file) = &picture {
        write_picture(file, &exported, &opened, arguments, output)?;
    }
    if arguments.json {
        output.json(&json!({
            "run": id.as_str(),
            "step": exported.step,
            "output": picture.as_ref().map(|file| output::text(&file.path)),
            "latent": latent_file.as_deref().map(output::text),
        }));
    } else {
        let paths = [picture.as_ref().map(|file| file.path.as_path()), latent_file.as_deref()];
        for path in paths.into_iter().flatten() {
            output::remark(&output::text(path));
        }
    }
    Ok(())
}

/// What is taken out of a run.
struct Exported<'a> {
    /// The number of the step; `None` for the result of a whole run.
    step: Option<usize>,
    sigma: Option<f64>,
    latent: Option<&'a Latent>,
    picture: Option<&'a Picture>,
    facts: GenerationFacts,
}

impl<'a> Exported<'a> {
    fn of(history: &History, opened: &'a OpenedRun, step: Option<usize>) -> anyhow::Result<Self> {
        let mut facts = opened.record.facts().clone();
        let Some(number) = step else {
            let is_whole = opened.latent.is_some() && !opened.record.finished_early;
            let last = opened.trajectory.steps.last().filter(|_| !is_whole);
            return Ok(Self {
                step: last.map(|step| step.step),
                sigma: last.map(|step| step.sigma),
                latent: opened.last_latent(),
                picture: opened.picture.as_ref(),
                facts,
            });
        };
        check_step(history, opened, number)?;
        let kept = &opened.trajectory.steps[number - 1];
        // Those of the part that took the step, of which this is no result.
        facts.clone_from(opened.record.facts_at(number));
        facts.other.push(("Estimate after step".to_owned(), format!("{number} of {}", kept.steps)));
        Ok(Self {
            step: Some(number),
            sigma: Some(kept.sigma),
            latent: Some(&kept.denoised),
            picture: None,
            facts,
        })
    }

    fn latent_facts(&self, record: &RunRecord) -> LatentFacts {
        LatentFacts {
            family: Some(record.family.clone()),
            scaling: Some(record.format.scale),
            shift: Some(record.format.shift),
            step: self.step,
            sigma: self.sigma,
            quantity: Some(LatentQuantity::Denoised),
            vae_hash: Some(record.vae_hash.clone()),
            generation: Some(self.facts.clone()),
        }
    }
}

/// Writes the kept picture, or else that of the latent, which the model of the run decodes.
fn write_picture(
    file: &PictureFile,
    exported: &Exported<'_>,
    opened: &OpenedRun,
    arguments: &ExportArguments,
    output: &mut Output,
) -> anyhow::Result<()> {
    let decoded;
    let picture = match (exported.picture, exported.latent) {
        (Some(picture), _) => picture,
        (None, Some(latent)) => {
            decoded = decode(opened, latent, &arguments.model, output)?;
            &decoded
        }
        (None, None) => bail!("the run has no picture yet, as it took no step"),
    };
    file.write(picture, Some(&exported.facts), WriteOptions::default())?;
    Ok(())
}

/// Decodes a latent (model space) with the model of a run.
fn decode(
    opened: &OpenedRun,
    latent: &Latent,
    arguments: &RunModelArguments,
    output: &mut Output,
) -> anyhow::Result<Picture> {
    let loaded = model::load(opened, arguments, output)?;
    let (model, how) = (opened.record.model.clone(), DecodeChoice::default());
    let kind = JobKind::Decode { model, latent: latent.clone(), how };
    match run::run_job(&loaded.engine, JobId(1), kind, |_| {})? {
        Event::Decoded { picture, notice, .. } => {
            if let Some(notice) = notice {
                output.notice(&notice);
            }
            Ok(picture)
        }
        other => bail!("the engine answered unexpectedly: {other:?}"),
    }
}
