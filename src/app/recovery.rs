//! Crash recovery: unsaved results are written to disk as soon as they are sampled, deleted once they are saved or
//! discarded, and offered at the next start otherwise.
//!
//! Each running window has a folder with a lock file. It holds `<job>.latent` with `<job>.json` for what the latent
//! file does not store, and `loading.json` while a model is being loaded. A folder that is not locked was left by a
//! window that crashed or was killed.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Sender, bounded};
use directories::ProjectDirs;
use serde_json::{Value, json};

use super::files::result_latent_facts;
use crate::catalog::ModelSource;
use crate::engine::JobId;
use crate::formats::atomic::write_atomically;
use crate::formats::latent_file::{read_latent, write_latent};
use crate::formats::locks::{LockAttempt, lock, lock_with_timeout};
use crate::formats::metadata::GenerationFacts;
use crate::session::{Recovered, ResultItem};
use crate::store::model_json::{model_from_json, model_to_json};

/// Capacity of the writer's queue. When it is full, because the disk does not respond, results are dropped: the window
/// must not block.
const MAX_WAITING: usize = 1024;

/// The root folder for unsaved results.
pub(super) fn folder() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "safelight")?.data_dir().join("unsaved"))
}

/// This window's recovery folder, and the thread that writes into it.
pub(super) struct Recovery {
    folder: PathBuf,
    lock: Option<File>,
    /// The files of each result, without their extension.
    files: HashMap<JobId, PathBuf>,
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    /// Folders of crashed windows whose results this window has restored.
    adopted: Vec<Abandoned>,
}

enum Work {
    Keep { stem: PathBuf, item: Box<ResultItem> },
    Forget { stem: PathBuf },
    Loading { file: PathBuf, model: Option<ModelSource> },
}

/// The recovery folder of a window that crashed or was killed.
pub(super) struct Abandoned {
    folder: PathBuf,
    /// Held open, so that no other window restores the same results.
    lock: File,
    /// The results' files, without extension, oldest first.
    stems: Vec<PathBuf>,
    /// The model that was being loaded at the crash.
    pub(super) loading: Option<ModelSource>,
}

impl Abandoned {
    /// The number of results.
    pub(super) fn count(&self) -> usize {
        self.stems.len()
    }

    /// One result of a window that never was.
    #[cfg(test)]
    pub(super) fn made_up() -> Self {
        let lock = tempfile::tempfile().unwrap();
        Self { folder: PathBuf::new(), lock, stems: vec!["a".into()], loading: None }
    }
}

/// Creates this window's folder below `root`, and finds the folders of crashed windows, which stay locked while the
/// returned values live.
///
/// # Errors
/// If the folder cannot be created or the writer thread cannot be started.
pub(super) fn begin(root: &Path) -> anyhow::Result<(Recovery, Vec<Abandoned>)> {
    std::fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    // Serialised between processes, because a folder is not locked yet while it is being created.
    let turn = lock_with_timeout(&root.join("lock"));
    let found = abandoned(root);
    let folder = tempfile::Builder::new()
        .prefix("session-")
        .tempdir_in(root)
        .with_context(|| root.display().to_string())?
        .keep();
    let held = match lock(&folder.join("lock")) {
        LockAttempt::Acquired(file) => Some(file),
        LockAttempt::HeldElsewhere | LockAttempt::Failed => None,
    };
    drop(turn);
    let (work, received) = bounded(MAX_WAITING);
    let write = move || {
        for work in received {
            if let Err(error) = execute(work) {
                log::warn!("an unsaved result could not be kept on the disk: {error:#}");
            }
        }
    };
    let thread = std::thread::Builder::new().name("safelight-unsaved".to_owned()).spawn(write)?;
    let recovery = Recovery {
        folder,
        lock: held,
        files: HashMap::new(),
        work: Some(work),
        thread: Some(thread),
        adopted: Vec::new(),
    };
    Ok((recovery, found))
}

/// The folders of crashed windows. Empty ones are removed.
fn abandoned(root: &Path) -> Vec<Abandoned> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let folder = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with("session-");
        if !is_ours || !folder.join("lock").is_file() {
            continue;
        }
        let LockAttempt::Acquired(lock) = lock(&folder.join("lock")) else { continue };
        let mut stems = stems_of(&folder);
        stems.sort_by_key(|stem| job_number(stem));
        let loading = std::fs::read(folder.join("loading.json"))
            .ok()
            .and_then(|bytes| model_from_json(&serde_json::from_slice(&bytes).ok()?));
        if stems.is_empty() && loading.is_none() {
            let _ = std::fs::remove_dir_all(&folder);
        } else {
            found.push(Abandoned { folder, lock, stems, loading });
        }
    }
    found
}

fn stems_of(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let latents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "latent"));
    latents.map(|path| path.with_extension("")).collect()
}

fn job_number(stem: &Path) -> u64 {
    stem.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(u64::MAX)
}

/// Reads the results of crashed windows. Returns those that could be read, and the errors of the others.
pub(super) fn read_all(stems: &[PathBuf]) -> (Vec<Recovered>, Vec<anyhow::Error>) {
    let (mut read, mut failed) = (Vec::new(), Vec::new());
    for stem in stems {
        match read_one(stem) {
            Ok(recovered) => read.push(recovered),
            Err(error) => failed.push(error),
        }
    }
    (read, failed)
}

fn read_one(stem: &Path) -> anyhow::Result<Recovered> {
    let file = stem.with_extension("latent");
    let read = read_latent(&file).with_context(|| file.display().to_string())?;
    let sidecar = std::fs::read(stem.with_extension("json")).ok();
    let sidecar: Value = sidecar.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    // The JSON is lossless; the generation text in the latent file, which other programs read, is not.
    let facts: Option<GenerationFacts> = serde_json::from_value(sidecar["facts"].clone()).ok();
    Ok(Recovered {
        kept_as: stem.to_owned(),
        model: model_from_json(&sidecar["model"]).unwrap_or_default(),
        facts: facts.or(read.facts.generation).unwrap_or_default(),
        latent: read.latent,
        finished_early: sidecar["finished_early"].as_bool().unwrap_or_default(),
        elapsed_secs: sidecar["elapsed_secs"].as_f64().unwrap_or_default(),
    })
}

fn execute(work: Work) -> anyhow::Result<()> {
    match work {
        Work::Keep { stem, item } => {
            let sidecar = json!({
                "model": model_to_json(&item.request.model),
                "facts": item.facts(),
                "finished_early": item.finished_early,
                "elapsed_secs": item.elapsed_secs,
            });
            let text = serde_json::to_vec(&sidecar)?;
            // The latent is written last, so that its presence means the result is complete.
            write_atomically(&stem.with_extension("json"), |file| std::io::Write::write_all(file, &text))?;
            let latent = item.format.vae_from_model(&item.latent);
            write_latent(&stem.with_extension("latent"), &latent, &result_latent_facts(&item))?;
        }
        Work::Forget { stem } => forget(&stem),
        Work::Loading { file, model: Some(model) } => {
            let text = serde_json::to_vec(&model_to_json(&model))?;
            write_atomically(&file, |file| std::io::Write::write_all(file, &text))?;
        }
        Work::Loading { file, model: None } => {
            let _ = std::fs::remove_file(file);
        }
    }
    Ok(())
}

fn forget(stem: &Path) {
    // The latent is deleted first, since a JSON file without a latent is ignored.
    for extension in ["latent", "json"] {
        let _ = std::fs::remove_file(stem.with_extension(extension));
    }
}

impl Recovery {
    /// Writes a result to disk, where it stays until it is saved or discarded.
    pub(super) fn keep(&mut self, item: &ResultItem) {
        let own = self.folder.join(item.job.0.to_string());
        let stem = self.files.entry(item.job).or_insert(own).clone();
        self.send(Work::Keep { stem, item: Box::new(item.clone()) });
    }

    /// Registers a restored result, which is in these files already.
    pub(super) fn is_kept_as(&mut self, job: JobId, stem: PathBuf) {
        self.files.insert(job, stem);
    }

    /// Deletes the files of a result that was saved or discarded.
    pub(super) fn forget(&mut self, job: JobId) {
        if let Some(stem) = self.files.remove(&job) {
            self.send(Work::Forget { stem });
        }
    }

    /// Records on disk which model is being loaded, in case that crashes the program. `None` removes the record.
    pub(super) fn loading(&self, model: Option<&ModelSource>) {
        self.send(Work::Loading { file: self.folder.join("loading.json"), model: model.cloned() });
    }

    /// Takes over the folders of crashed windows. Returns the files of all results, without extension.
    pub(super) fn adopt(&mut self, found: Vec<Abandoned>) -> Vec<PathBuf> {
        let stems = found.iter().flat_map(|abandoned| abandoned.stems.clone()).collect();
        self.adopted.extend(found);
        stems
    }

    /// Deletes the results of crashed windows.
    pub(super) fn discard(found: Vec<Abandoned>) {
        for Abandoned { folder, lock, .. } in found {
            let _ = std::fs::remove_dir_all(folder);
            drop(lock);
        }
    }

    fn send(&self, work: Work) {
        if let Some(sender) = &self.work
            && sender.try_send(work).is_err()
        {
            log::warn!("an unsaved result could not be kept: the disk does not answer");
        }
    }

    /// Finishes all writes and ends the thread. Unsaved results stay on disk unless `give_up`.
    pub(super) fn end(&mut self, give_up: bool) {
        if give_up {
            for (_, stem) in std::mem::take(&mut self.files) {
                self.send(Work::Forget { stem });
            }
        }
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(lock) = self.lock.take() {
            let _ = std::fs::remove_file(self.folder.join("loading.json"));
            remove_if_empty(&self.folder);
            drop(lock);
        }
        for Abandoned { folder, lock, .. } in self.adopted.drain(..) {
            remove_if_empty(&folder);
            drop(lock);
        }
    }
}

fn remove_if_empty(folder: &Path) {
    if stems_of(folder).is_empty() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelProfile;
    use crate::latent::{Latent, LatentShape};
    use crate::request::{GenerationDraft, Seed};
    use crate::session::{Lineage, Outcome};

    fn item(job: u64) -> ResultItem {
        let profile = ModelProfile::made_up();
        let mut draft = GenerationDraft::new(&profile);
        draft.seed = Seed(job);
        draft.prompt = "{red|blue} ball\nSteps: 3".into();
        let shape = LatentShape::new(4, 8, 8);
        let values: Vec<f32> = (0..shape.len()).map(|i| i as f32 * 0.125 - 3.0).collect();
        ResultItem {
            job: JobId(job),
            lineage: Lineage::default(),
            request: draft.validate(&profile).unwrap(),
            model_name: profile.name.clone(),
            format: profile.format,
            latent: Latent::new(shape, values).unwrap(),
            trajectory: std::sync::Arc::default(),
            outcome: Outcome::Decoding,
            finished_early: true,
            elapsed_secs: 2.5,
        }
    }

    /// Simulates a killed process: the lock is released, the files stay.
    fn kill(mut recovery: Recovery) {
        recovery.work = None;
        recovery.thread.take().unwrap().join().unwrap();
        let file = recovery.folder.join("lock");
        drop(recovery);
        // A child process of another test inherits the lock between its fork and its exec.
        let start = std::time::Instant::now();
        while !matches!(lock(&file), LockAttempt::Acquired(_)) {
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "the lock is still held");
            std::thread::yield_now();
        }
    }

    #[test]
    fn results_of_a_killed_window_are_recovered_completely_and_only_once() {
        let root = tempfile::tempdir().unwrap();
        let (mut first, found) = begin(root.path()).unwrap();
        assert!(found.is_empty());
        for job in [11, 2, 3] {
            first.keep(&item(job));
        }
        first.forget(JobId(3));
        let (alive, found) = begin(root.path()).unwrap();
        assert!(found.is_empty(), "the folder of a running window is locked");
        kill(first);

        let (mut second, found) = begin(root.path()).unwrap();
        assert_eq!(found.iter().map(Abandoned::count).sum::<usize>(), 2);
        assert!(begin(root.path()).unwrap().1.is_empty(), "the second window has them");
        let (read, failed) = read_all(&second.adopt(found));
        assert!(failed.is_empty(), "{failed:?}");
        let whole = item(2);
        assert_eq!(read.iter().map(|r| r.facts.seed).collect::<Vec<_>>(), [Some(Seed(2)), Some(Seed(11))]);
        assert_eq!(read[0].facts, whole.facts());
        assert_eq!((read[0].finished_early, read[0].elapsed_secs), (true, 2.5));
        let back = whole.format.model_from_vae(&read[0].latent);
        let off =
            back.values().iter().zip(whole.latent.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-5, "{off}");

        // One result is saved before this window is killed, too: the other one is still there.
        second.is_kept_as(JobId(1), read[0].kept_as.clone());
        second.is_kept_as(JobId(2), read[1].kept_as.clone());
        second.forget(JobId(1));
        kill(second);
        let (mut third, found) = begin(root.path()).unwrap();
        assert_eq!(found.iter().map(Abandoned::count).sum::<usize>(), 1);
        Recovery::discard(found);
        third.end(true);
        drop(alive);
        assert!(begin(root.path()).unwrap().1.is_empty());
    }

    #[test]
    fn exit_keeps_unsaved_results_unless_the_user_discards_them() {
        let root = tempfile::tempdir().unwrap();
        for (give_up, left) in [(true, 0), (false, 1)] {
            let (mut recovery, found) = begin(root.path()).unwrap();
            assert!(found.is_empty());
            recovery.keep(&item(1));
            recovery.end(give_up);
            assert_eq!(begin(root.path()).unwrap().1.len(), left);
        }
    }

    #[test]
    fn a_model_that_crashes_the_program_is_known_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let (recovery, _) = begin(root.path()).unwrap();
        let model = ModelSource::Folder("/models/crashing".into());
        recovery.loading(Some(&model));
        kill(recovery);
        let (_, found) = begin(root.path()).unwrap();
        assert_eq!(found[0].loading, Some(model));
        assert_eq!(found[0].count(), 0);
        Recovery::discard(found);

        let (recovery, _) = begin(root.path()).unwrap();
        recovery.loading(Some(&ModelSource::Builtin));
        recovery.loading(None);
        kill(recovery);
        assert!(begin(root.path()).unwrap().1.is_empty());
    }

    #[test]
    fn a_damaged_latent_is_reported_and_does_not_hide_the_others() {
        let root = tempfile::tempdir().unwrap();
        let (mut recovery, _) = begin(root.path()).unwrap();
        recovery.keep(&item(1));
        recovery.keep(&item(2));
        let folder = recovery.folder.clone();
        kill(recovery);
        std::fs::write(folder.join("1.latent"), b"half").unwrap();
        std::fs::write(folder.join("2.json"), b"{").unwrap();
        let (mut next, found) = begin(root.path()).unwrap();
        let (read, failed) = read_all(&next.adopt(found));
        assert_eq!((read.len(), failed.len()), (1, 1));
        // Falls back to the generation text in the latent file.
        assert_eq!(read[0].facts.seed, Some(Seed(2)));
    }
}
