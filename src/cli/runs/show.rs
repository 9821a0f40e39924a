//! `safelight runs show`.

use serde_json::{Value, json};

use super::super::inspect::size_text;
use super::super::output::{self, Output, aligned};
use super::list::summary_json;
use super::named::{find, state};
use crate::store::history::{History, HistoryError, KeptStep, RunId, RunRecord, RunStatus, RunSummary};

/// Prints what is known of a run.
pub(super) fn show(history: &History, name: &str, as_json: bool, output: &mut Output) -> anyhow::Result<()> {
    let id = find(history, name)?;
    let record = history.read(&id)?;
    let steps = history.steps(&id)?;
    let files = files(history, &id)?;
    let mut summary = RunSummary::from(&record);
    if record.status == RunStatus::Running {
        (summary.steps_done, summary.steps_kept) = (steps.len(), steps.len());
    }
    let damaged = (steps.len() < record.steps_kept).then(|| steps.len() + 1);
    if as_json {
        let mut object = summary_json(history, &summary);
        object["steps"] = steps.iter().map(step_json).collect();
        object["parts"] = record
            .parts
            .iter()
            .map(|part| {
                json!({
                    "after": part.after, "noise_seed": part.noise_seed, "retouched": part.retouched,
                    "settings": part.facts,
                })
            })
            .collect();
        object["model_path"] = record.model.path().map(output::text).into();
        object["vae_hash"] = record.vae_hash.as_str().into();
        object["finished_early"] = record.finished_early.into();
        object["failure"] = failure(&record).into();
        object["damaged_step"] = damaged.into();
        object["files"] = files.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
        output.json(&object);
        return Ok(());
    }
    for (key, value) in rows(history, &record, &summary) {
        if !value.is_empty() {
            output.line(&format!("{key}: {value}"));
        }
    }
    let head = ["  STEP", "SIGMA", "SECONDS", "HASH"].map(str::to_owned);
    let row = |kept: &KeptStep| {
        let step = &kept.step;
        let secs = format!("{:.3}", step.elapsed_secs);
        [format!("  {}", step.step), format!("{:.4}", step.sigma), secs, kept.hash.clone()]
    };
    let steps: Vec<[String; 4]> = std::iter::once(head).chain(steps.iter().map(row)).collect();
    if steps.len() > 1 {
        for line in aligned(&steps) {
            output.line(&line);
        }
    }
    if let Some(step) = damaged {
        output.notice(&format!("step {step} is damaged, and none from there on can be read"));
    }
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    output.line(&format!("files: {} in {}", size_text(bytes), output::text(&history.folder(&id))));
    let files: Vec<[String; 2]> =
        files.into_iter().map(|(name, bytes)| [format!("  {name}"), size_text(bytes)]).collect();
    for line in aligned(&files) {
        output.line(&line);
    }
    Ok(())
}

/// What is known of a run line by line; empty values are not printed.
fn rows(history: &History, record: &RunRecord, summary: &RunSummary) -> Vec<(String, String)> {
    let origin = record.origin.as_ref().map(|origin| format!("step {} of {}", origin.step, origin.run));
    let mut rows = vec![
        ("run", record.id.to_string()),
        ("state", state(history, summary).to_owned()),
        ("failure", failure(record).unwrap_or_default().to_owned()),
        ("forked from", origin.unwrap_or_default()),
        ("model file", record.model.path().map(output::text).unwrap_or_default()),
        ("family", record.family.clone()),
    ];
    let (done, planned, kept) = (summary.steps_done, summary.steps_planned, summary.steps_kept);
    rows.push(("steps", format!("{done} of {planned} taken, {kept} kept")));
    let mut rows: Vec<(String, String)> =
        rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    for (index, part) in record.parts.iter().enumerate() {
        if index > 0 {
            let seed = part.noise_seed.map(|seed| format!(", noise seed {seed}")).unwrap_or_default();
            let retouched = if part.retouched { ", from a retouched latent" } else { "" };
            rows.push(("after step".to_owned(), format!("{}{seed}{retouched}", part.after)));
        }
        let indent = if index > 0 { "  " } else { "" };
        rows.extend(
            part.facts.settings().into_iter().map(|(name, value)| (format!("{indent}{name}"), value)),
        );
    }
    rows
}

fn step_json(kept: &KeptStep) -> Value {
    let step = &kept.step;
    json!({ "step": step.step, "sigma": step.sigma, "secs": step.elapsed_secs, "hash": kept.hash })
}

/// Why a run failed.
fn failure(record: &RunRecord) -> Option<&str> {
    match &record.status {
        RunStatus::Failed { reason } => Some(reason),
        _ => None,
    }
}

/// The names and the bytes of a run's files, sorted by name.
fn files(history: &History, id: &RunId) -> anyhow::Result<Vec<(String, u64)>> {
    let folder = history.folder(id);
    let unread = |cause| HistoryError::Read { cause, path: folder.clone() };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let bytes = entry.metadata().map_or(0, |data| data.len());
        files.push((entry.file_name().to_string_lossy().into_owned(), bytes));
    }
    files.sort();
    Ok(files)
}
