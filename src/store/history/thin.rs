//! Keeping the runs within a limit of space: the steps of the oldest runs go first.

use std::path::Path;

use super::error::HistoryError;
use super::record::{RunId, RunStatus, RunSummary};
use super::run_folder::RunFolder;
use crate::formats::atomic::WriteFileError;

/// What [`super::History::thin`] did.
#[derive(Debug, Default)]
pub struct ThinReport {
    /// The limit, bytes.
    pub limit: u64,
    /// Bytes of all runs before.
    pub before: u64,
    /// Bytes of all runs after.
    pub after: u64,
    /// The runs whose steps were removed, the oldest first.
    pub thinned: Vec<RunId>,
    /// Why the steps of others could not be.
    pub failed: Vec<HistoryError>,
}

impl ThinReport {
    /// Whether the runs still take more than the limit. What is left, pictures, settings and what is starred or running,
    /// is never removed without being asked for: runs must be deleted, or the limit raised.
    pub fn is_above_limit(&self) -> bool {
        self.after > self.limit
    }
}

/// Removes the steps of the oldest runs without stars until all runs take at most `limit` bytes.
pub(super) fn thin(root: &Path, runs: &[RunSummary], limit: u64) -> ThinReport {
    let before = bytes_below(root);
    let mut report = ThinReport { limit, before, after: before, ..ThinReport::default() };
    // An interrupted run needs its steps to go on.
    let mut candidates: Vec<&RunSummary> =
        runs.iter().filter(|run| run.stars == 0 && run.status != RunStatus::Running).collect();
    candidates.sort_by_key(|run| (run.created_ms, &run.id));
    for run in candidates {
        if !report.is_above_limit() {
            break;
        }
        let folder = RunFolder::of(root, &run.id);
        let Ok(steps) = std::fs::metadata(folder.steps_path()) else { continue };
        match remove_steps(&folder) {
            Ok(true) => {
                report.after = report.after.saturating_sub(steps.len());
                report.thinned.push(run.id.clone());
            }
            Ok(false) => {}
            Err(error) => report.failed.push(error),
        }
    }
    report
}

/// Removes the steps of a run. Returns whether they were: not if it was starred in the meantime, or is being written.
fn remove_steps(folder: &RunFolder) -> Result<bool, HistoryError> {
    let Some(_lock) = folder.try_lock() else { return Ok(false) };
    if folder.read_record()?.stars > 0 {
        return Ok(false);
    }
    let path = folder.steps_path();
    std::fs::remove_file(&path).map_err(|cause| WriteFileError { cause, path })?;
    folder.change_record(|record| record.steps_kept = 0)?;
    Ok(true)
}

/// Bytes of all files below a folder. What cannot be looked at, such as what was just deleted, counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |data| data.len()),
        _ => 0,
    });
    bytes.sum()
}
