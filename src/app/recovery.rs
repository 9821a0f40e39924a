//! Unsaved results on the disk: written as soon as they are sampled, gone once they are saved or given up, and
//! offered at the next start when neither came to pass.
//!
//! Each running window has a folder of its own, which it locks: `<n>.latent` with `<n>.json` for what the latent's
//! file does not say, and `loading.json` while a model is loaded. A folder whose lock is free was left by a window
//! that ended without a word.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Sender, bounded};
use directories::ProjectDirs;
use serde_json::{Value, json};

use super::files::result_latent_facts;
use super::locks::{Held, lock, lock_soon};
use super::settings::{model_from_json, model_to_json};
use crate::catalog::ModelSource;
use crate::engine::JobId;
use crate::formats::atomic::write_atomically;
use crate::formats::latent_file::{read_latent, write_latent};
use crate::formats::metadata::GenerationFacts;
use crate::session::{Recovered, ResultItem};

/// What may wait for the disk. More than that a disk that does not answer would cost: the window does not wait.
const MAX_WAITING: usize = 1024;

/// Where unsaved results are kept.
pub(super) fn folder() -> Option<PathBuf> {
    Some(ProjectDirs::from("", "", "safelight")?.data_dir().join("unsaved"))
}

/// This window's folder, and the thread that writes into it.
pub(super) struct Recovery {
    folder: PathBuf,
    lock: Option<File>,
    /// The files of each result, without their extension.
    files: HashMap<JobId, PathBuf>,
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    /// Folders of ended windows whose results are here now.
    adopted: Vec<Abandoned>,
}

enum Work {
    Keep { stem: PathBuf, item: Box<ResultItem> },
    Forget { stem: PathBuf },
    Loading { file: PathBuf, model: Option<ModelSource> },
}

/// What a window left that ended without a word.
pub(super) struct Abandoned {
    folder: PathBuf,
    /// Held, so that no other window takes the same.
    lock: File,
    /// The results' files, without their extension, oldest first.
    stems: Vec<PathBuf>,
    /// The model that was being loaded when it ended.
    pub(super) loading: Option<ModelSource>,
}

impl Abandoned {
    /// How many results there are.
    pub(super) fn count(&self) -> usize {
        self.stems.len()
    }
}

/// Makes a folder for this window, and finds what ended windows left. Without a folder nothing is kept.
pub(super) fn begin(root: &Path) -> anyhow::Result<(Recovery, Vec<Abandoned>)> {
    std::fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    // One window at a time: a folder that is being made is not locked yet.
    let turn = lock_soon(&root.join("lock"));
    let found = abandoned(root);
    let folder = tempfile::Builder::new()
        .prefix("session-")
        .tempdir_in(root)
        .with_context(|| root.display().to_string())?
        .keep();
    let held = match lock(&folder.join("lock")) {
        Held::Here(file) => Some(file),
        Held::Elsewhere | Held::Unknown => None,
    };
    drop(turn);
    let (work, received) = bounded(MAX_WAITING);
    let write = move || {
        for work in received {
            if let Err(error) = carry_out(work) {
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

/// The folders whose windows have ended. Empty ones are removed.
fn abandoned(root: &Path) -> Vec<Abandoned> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let folder = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with("session-");
        if !is_ours || !folder.join("lock").is_file() {
            continue;
        }
        let Held::Here(lock) = lock(&folder.join("lock")) else { continue };
        let mut stems = stems_of(&folder);
        stems.sort_by_key(|stem| number_of(stem));
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

fn number_of(stem: &Path) -> u64 {
    stem.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(u64::MAX)
}

/// Reads what ended windows left; each with the files it is in.
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
    let aside = std::fs::read(stem.with_extension("json")).ok();
    let aside: Value = aside.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    // The text in the latent's file is the same for every program; ours loses nothing.
    let facts: Option<GenerationFacts> = serde_json::from_value(aside["facts"].clone()).ok();
    Ok(Recovered {
        kept_as: stem.to_owned(),
        model: model_from_json(&aside["model"]).unwrap_or_default(),
        facts: facts.or(read.facts.generation).unwrap_or_default(),
        latent: read.latent,
        finished_early: aside["finished_early"].as_bool().unwrap_or_default(),
        elapsed_secs: aside["elapsed_secs"].as_f64().unwrap_or_default(),
    })
}

fn carry_out(work: Work) -> anyhow::Result<()> {
    match work {
        Work::Keep { stem, item } => {
            let aside = json!({
                "model": model_to_json(&item.request.model),
                "facts": item.facts(),
                "finished_early": item.finished_early,
                "elapsed_secs": item.elapsed_secs,
            });
            let text = serde_json::to_vec(&aside)?;
            // The latent last: what is there with it is whole.
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
    // The latent first: without it the other counts for nothing.
    for extension in ["latent", "json"] {
        let _ = std::fs::remove_file(stem.with_extension(extension));
    }
}

impl Recovery {
    /// Keeps a result until it is saved or given up.
    pub(super) fn keep(&mut self, item: &ResultItem) {
        let own = self.folder.join(item.job.0.to_string());
        let stem = self.files.entry(item.job).or_insert(own).clone();
        self.send(Work::Keep { stem, item: Box::new(item.clone()) });
    }

    /// A result is in these files already.
    pub(super) fn is_kept_as(&mut self, job: JobId, stem: PathBuf) {
        self.files.insert(job, stem);
    }

    /// A result need not be kept any longer.
    pub(super) fn forget(&mut self, job: JobId) {
        if let Some(stem) = self.files.remove(&job) {
            self.send(Work::Forget { stem });
        }
    }

    /// Remembers which model is being loaded, in case that ends the program.
    pub(super) fn loading(&self, model: Option<&ModelSource>) {
        self.send(Work::Loading { file: self.folder.join("loading.json"), model: model.cloned() });
    }

    /// Takes over what ended windows left; gives the files of all results.
    pub(super) fn adopt(&mut self, found: Vec<Abandoned>) -> Vec<PathBuf> {
        let stems = found.iter().flat_map(|abandoned| abandoned.stems.clone()).collect();
        self.adopted.extend(found);
        stems
    }

    /// Gives up what ended windows left.
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

    /// Writes what is to be written and ends. What is still kept stays on the disk, unless the person said that it
    /// need not.
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
    use crate::session::Outcome;

    fn item(job: u64) -> ResultItem {
        let profile = ModelProfile::made_up();
        let mut draft = GenerationDraft::new(&profile);
        draft.seed = Seed(job);
        draft.prompt = "{red|blue} ball\nSteps: 3".into();
        let shape = LatentShape::new(4, 8, 8);
        let values: Vec<f32> = (0..shape.len()).map(|i| i as f32 * 0.125 - 3.0).collect();
        ResultItem {
            job: JobId(job),
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

    /// As if the program had been killed: the lock goes, the files stay.
    fn kill(mut recovery: Recovery) {
        recovery.work = None;
        recovery.thread.take().unwrap().join().unwrap();
    }

    #[test]
    fn what_a_dead_window_left_is_found_whole_and_once() {
        let root = tempfile::tempdir().unwrap();
        let (mut first, found) = begin(root.path()).unwrap();
        assert!(found.is_empty());
        for job in [11, 2, 3] {
            first.keep(&item(job));
        }
        first.forget(JobId(3));
        let (alive, found) = begin(root.path()).unwrap();
        assert!(found.is_empty(), "a living window's results are its own");
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

        // One is saved, then this window dies too: the other is still there.
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
    fn an_end_without_a_word_keeps_and_an_agreed_one_does_not() {
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
    fn a_model_that_ends_the_program_is_known_at_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        let (recovery, _) = begin(root.path()).unwrap();
        let model = ModelSource::Folder("/models/deadly".into());
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
    fn a_damaged_latent_is_said_and_does_not_hide_the_others() {
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
        // The latent's own text says most of it.
        assert_eq!(read[0].facts.seed, Some(Seed(2)));
    }
}
