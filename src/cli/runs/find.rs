//! `safelight runs find`.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{anyhow, bail};
use clap::Args;

use super::super::output::{self, Output, aligned};
use super::super::picture_models::PictureModel;
use super::list::{short_prompt, summary_json};
use super::named::{RunsFolder, find as find_run};
use crate::engine::{Like, RunSearch};
use crate::formats::picture::{ReadOptions, read_picture};
use crate::request::CancelToken;
use crate::store::history::{History, RunId, RunSummary};
use crate::store::library::EntryKind;

#[derive(Debug, Args)]
pub(in crate::cli) struct FindArguments {
    /// What is in the pictures.
    #[arg(required_unless_present = "like", conflicts_with = "like", allow_hyphen_values = true)]
    words: Option<String>,
    /// Find pictures like this one: a file, the id of a run, the beginning of its id, or ‘last’.
    #[arg(long, value_name = "PICTURE")]
    like: Option<String>,
    /// List no more than these.
    #[arg(long, value_name = "N", default_value_t = 10, allow_hyphen_values = true, value_parser = super::super::numbers::positive)]
    limit: usize,
    #[command(flatten)]
    model: PictureModel,
    #[command(flatten)]
    folder: RunsFolder,
    /// Print JSON on standard output, one line for each run.
    #[arg(long)]
    json: bool,
}

/// Prints the runs whose pictures are most like words or another picture. Pictures that were never compared are read
/// first.
pub(super) fn find(arguments: &FindArguments, output: &mut Output) -> anyhow::Result<()> {
    let history = arguments.folder.history()?;
    let like = match (&arguments.words, &arguments.like) {
        (Some(words), _) if words.trim().is_empty() => bail!("say in words what is in the pictures"),
        (Some(words), _) => Like::Words(words.clone()),
        (None, Some(like)) => like_of(&history, like)?,
        (None, None) => bail!("name words, or a picture with --like"),
    };
    let weights = arguments.model.weights(EntryKind::PictureSearch)?;
    let search = RunSearch::open(&weights, arguments.model.threads)?;
    place_missing(&search, &history, output)?;
    let found = search.find(&history, &like, &CancelToken::new())?;
    let runs: HashMap<RunId, RunSummary> =
        history.runs()?.runs.into_iter().map(|run| (run.id.clone(), run)).collect();
    let found: Vec<(&RunSummary, f32)> = found
        .runs
        .iter()
        .filter_map(|(id, similarity)| Some((runs.get(id)?, *similarity)))
        .take(arguments.limit)
        .collect();
    if arguments.json {
        for (run, similarity) in found {
            let mut object = summary_json(&history, run);
            object["similarity"] = (f64::from(similarity * 1e4).round() / 1e4).into();
            output.json(&object);
        }
        return Ok(());
    }
    if found.is_empty() {
        output
            .notice(&format!("no finished picture is kept in this folder: {}", output::text(history.root())));
        return Ok(());
    }
    let row = |(run, similarity): &(&RunSummary, f32)| {
        [format!("{similarity:.3}"), run.id.to_string(), run.model_name.clone(), short_prompt(&run.prompt)]
    };
    let head = ["LIKE", "RUN", "MODEL", "PROMPT"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(found.iter().map(row)).collect();
    for line in aligned(&rows) {
        output.line(&line);
    }
    Ok(())
}

/// A picture's file, or a run.
fn like_of(history: &History, named: &str) -> anyhow::Result<Like> {
    let path = Path::new(named);
    if std::fs::symlink_metadata(path).is_ok() {
        let read = read_picture(path, &ReadOptions::default());
        return Ok(Like::Picture(read.map_err(|error| output::named(path, error))?.picture));
    }
    match find_run(history, named) {
        Ok(run) => {
            history.read(&run)?;
            Ok(Like::Run(run))
        }
        // Such as a path that was mistyped.
        Err(_) if named.contains(['/', '\\', '.']) => bail!("there is no such picture: {named}"),
        Err(error) => Err(error),
    }
}

/// Compares the pictures that were never compared with this model. One that cannot be read is said and left out.
fn place_missing(search: &RunSearch, history: &History, output: &mut Output) -> anyhow::Result<()> {
    let missing = search.missing(history)?;
    let bar = output::progress();
    bar.set_message("reading pictures");
    bar.set_length(missing.len() as u64);
    for run in missing {
        if let Err(error) = search.place(history, &run) {
            bar.suspend(|| output.notice(&output::sentence(&anyhow!(error))));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
