//! `safelight runs list`.

use std::collections::HashMap;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::super::output::{self, Output, aligned};
use super::named::state;
use crate::catalog::ImageSize;
use crate::store::history::{History, HistoryError, RunId, RunList, RunSummary};

/// Characters of a prompt in the table.
const PROMPT_WIDTH: usize = 60;

/// Prints the runs that have these words, the newest first.
pub(super) fn list(
    history: &History,
    words: &str,
    limit: Option<usize>,
    as_json: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let RunList { runs, unreadable } = counted_runs(history)?;
    for error in unreadable {
        output.notice(&output::sentence(&anyhow!(error)));
    }
    let is_empty = runs.is_empty();
    let runs: Vec<RunSummary> =
        runs.into_iter().filter(|run| run.has_words(words)).take(limit.unwrap_or(usize::MAX)).collect();
    if as_json {
        for run in &runs {
            output.json(&summary_json(history, run));
        }
        return Ok(());
    }
    if runs.is_empty() {
        let why = if is_empty { "no run is kept in this folder" } else { "no kept run has these words" };
        output.notice(&format!("{why}: {}", output::text(history.root())));
        return Ok(());
    }
    let row = |run: &RunSummary| {
        [
            run.id.to_string(),
            state(history, run).to_owned(),
            format!("{}/{}", run.steps_done, run.steps_planned),
            run.model_name.clone(),
            run.size.map(|size| size.to_string()).unwrap_or_default(),
            run.seed.map(|seed| seed.to_string()).unwrap_or_default(),
            short_prompt(&run.prompt),
        ]
    };
    let head = ["RUN", "STATE", "STEPS", "MODEL", "SIZE", "SEED", "PROMPT"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(runs.iter().map(row)).collect();
    for line in aligned(&rows) {
        output.line(&line);
    }
    Ok(())
}

/// All runs. The steps of interrupted ones are counted in their files.
pub(super) fn counted_runs(history: &History) -> Result<RunList, HistoryError> {
    let counted: HashMap<RunId, RunSummary> =
        history.interrupted()?.into_iter().map(|run| (run.id.clone(), run)).collect();
    let mut list = history.runs()?;
    for run in &mut list.runs {
        if let Some(counted) = counted.get(&run.id) {
            run.clone_from(counted);
        }
    }
    Ok(list)
}

/// A prompt in one line, cut where it is long.
pub(super) fn short_prompt(prompt: &str) -> String {
    let prompt = output::one_line(prompt);
    if prompt.chars().count() <= PROMPT_WIDTH {
        return prompt;
    }
    let cut: String = prompt.chars().take(PROMPT_WIDTH - 1).collect();
    format!("{}…", cut.trim_end())
}

/// What a list says of a run.
pub(super) fn summary_json(history: &History, run: &RunSummary) -> Value {
    let size = |of: fn(ImageSize) -> usize| run.size.map(of);
    json!({
        "run": run.id.as_str(),
        "state": state(history, run),
        "created_ms": run.created_ms,
        "model": run.model_name,
        "family": run.family,
        "prompt": run.prompt,
        "negative_prompt": run.negative_prompt,
        "seed": run.seed,
        "width": size(|size| size.width),
        "height": size(|size| size.height),
        "from_picture": run.from_picture,
        "forked_from": run.origin.as_ref().map(|origin| json!({ "run": origin.run.as_str(), "step": origin.step })),
        "steps_planned": run.steps_planned,
        "steps_done": run.steps_done,
        "steps_kept": run.steps_kept,
        "secs": run.elapsed_secs,
        "stars": run.stars,
        "folder": output::text(&history.folder(&run.id)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_cut_by_characters() {
        assert_eq!(short_prompt("a fox\n  in the  snow"), "a fox in the snow");
        let long = short_prompt(&"여우 ".repeat(40));
        assert_eq!((long.chars().count(), long.ends_with('…')), (60, true));
    }
}
