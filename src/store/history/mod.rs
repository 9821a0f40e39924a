//! The history: every run is kept, with its settings, its steps, its final latent and its picture.
//!
//! A run has a folder of its own, `<root>/<YYYY-MM>/<id>`, which needs no other file:
//!
//! | file | content |
//! |---|---|
//! | `run.json` | the settings, the model, the parts, of which grid it is a picture, how far the run came ([`RunRecord`]), and `"format": 1` |
//! | `steps.bin` | the steps, appended one by one, each a safetensors file: `noisy` (f16), `output.0`, `output.1`, … (f32, what the denoiser returned), `denoised` (f16, unless it is `output.0`), and the step's number, sigma, time and hash as metadata |
//! | `final.safetensors` | the final latent, model space, exact; written before it is decoded |
//! | `final.latent` | the same in VAE space, for other programs |
//! | `picture.png`, `thumbnail.png` | the decoded picture with its settings, and at most 256 pixels of an edge |
//! | `source.safetensors`, `source.png` | the latent, model space, and the picture of a run that started from one |
//! | `retouched-<n>.safetensors` | the latent, model space, that part `n` (from 0) of the run started from |
//! | `meaning.safetensors` | the place of the picture in the space of a model that finds pictures: `embedding` (f32, of length 1), and the hash of that model's weights (blake3, hex) as `model` in the metadata; may be removed, it is made again |
//! | `lock` | locked by the process that writes the run |
//!
//! From the outputs the samplers take the steps again to the same bits, without the network. A run that says it is
//! running and is not locked was interrupted. A run that went on from another holds a copy of the steps they share.
//!
//! `<root>/index.jsonl` is a cache of the records, and `<root>/lock` is held while a record is changed. Several processes
//! may use the same root.

mod error;
mod family;
mod index;
mod kept_step;
mod meaning;
mod moment;
mod opened_run;
mod record;
mod run_folder;
mod step_file;
#[cfg(test)]
mod tests;
mod thin;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use directories::ProjectDirs;

pub use error::HistoryError;
pub use family::{Family, Member, MemberPlace};
pub use index::RunList;
pub use kept_step::{KeptStep, is_kept_as, step_hash};
pub use meaning::PictureMeaning;
pub use moment::RunMoment;
pub use opened_run::OpenedRun;
pub use record::{PartRecord, RunGrid, RunId, RunIdError, RunOrigin, RunRecord, RunStatus, RunSummary};
pub use thin::ThinReport;
pub use writer::RunWriter;

use self::index::Index;
use self::run_folder::{RunFolder, read_latent, read_picture};
use self::step_file::Steps;
use self::writer::{Beginning, NewFiles};
use crate::catalog::ModelSource;
use crate::formats::atomic::WriteFileError;
use crate::latent::{Latent, LatentFormat};
use crate::request::{Picture, Seed};

/// The kept runs below a folder. A clone is the same history.
#[derive(Clone, Debug)]
pub struct History {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// `None` before the first list.
    index: Mutex<Option<Index>>,
    /// The threads of the writers.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Waits for what is being written. Every writer holds the history, so that none is open any more.
impl Drop for Inner {
    fn drop(&mut self) {
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

/// What is known of a run at its beginning.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Where its model is.
    pub model: ModelSource,
    /// The name of its model.
    pub model_name: String,
    /// The model's family.
    pub family: String,
    /// The format of its latents.
    pub format: LatentFormat,
    /// Hash of the VAE's weights (blake3, hex).
    pub vae_hash: String,
    /// Its parts, at least one: those of the run it goes on from up to that step, then its own.
    pub parts: Vec<PartRecord>,
    /// Steps that it takes if nothing ends it, shared ones included.
    pub steps_planned: usize,
    /// The latent of the picture it starts from, model space, and the picture, if there is one. `None` is that of the run
    /// it goes on from, or noise.
    pub source: Option<(Latent, Option<Picture>)>,
    /// What replaces the estimate at the beginning of the last part, model space, if that is retouched. Those of the parts
    /// before are copied from the run it goes on from.
    pub retouched: Option<Latent>,
    /// Where it goes on from another run, whose first steps are copied.
    pub origin: Option<RunOrigin>,
    /// The grid of which it is a picture.
    pub grid: Option<RunGrid>,
}

impl History {
    /// The runs below a folder, which is made when the first one begins.
    pub fn open(root: PathBuf) -> Self {
        Self { inner: Arc::new(Inner { root, index: Mutex::default(), threads: Mutex::default() }) }
    }

    /// The folder of the runs of this user; `None` if the system names none for the program's data.
    pub fn folder_of_system() -> Option<PathBuf> {
        Some(ProjectDirs::from("", "", "safelight")?.data_dir().join("runs"))
    }

    /// The folder of all runs.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The folder of a run, which may not exist.
    pub fn folder(&self, id: &RunId) -> PathBuf {
        self.run(id).path().to_owned()
    }

    fn run(&self, id: &RunId) -> RunFolder {
        RunFolder::of(&self.inner.root, id)
    }

    /// Begins a run. Its folder is made now, its files by the writer's thread.
    ///
    /// # Errors
    /// [`HistoryError::Write`] if the folder cannot be made, [`HistoryError::NoRun`] and [`HistoryError::StepNotKept`] if
    /// the run it goes on from does not have the steps.
    ///
    /// # Panics
    /// If it has no part.
    pub fn begin(&self, start: NewRun) -> Result<RunWriter, HistoryError> {
        assert!(!start.parts.is_empty(), "a run has at least one part");
        let origin = start.origin.as_ref().map(|origin| self.run(&origin.run));
        let shared = start.origin.as_ref().map_or(0, |origin| origin.step);
        if let Some(origin) = &origin {
            let kept = count_steps(origin)?;
            if kept < shared {
                let folder = origin.path().to_owned();
                return Err(HistoryError::StepNotKept { wanted: shared, kept, folder });
            }
        }
        let (id, created_ms, folder) = self.make_folder()?;
        let lock = folder.lock().ok();
        let record = RunRecord {
            id: id.clone(),
            created_ms,
            model: start.model,
            model_name: start.model_name,
            family: start.family,
            format: start.format,
            vae_hash: start.vae_hash,
            parts: start.parts,
            origin: start.origin,
            grid: start.grid,
            status: RunStatus::Running,
            steps_planned: start.steps_planned,
            steps_done: shared,
            steps_kept: shared,
            finished_early: false,
            elapsed_secs: 0.0,
            stars: 0,
            other: serde_json::Map::new(),
        };
        let files = NewFiles { record, source: start.source, retouched: start.retouched, origin };
        self.start(&id, folder, lock, shared, Beginning::New(Box::new(files)))
    }

    /// Makes a folder whose name no other run has.
    fn make_folder(&self) -> Result<(RunId, u64, RunFolder), HistoryError> {
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let id = RunId::new(now, Seed::random().0 as u32);
            let folder = self.run(&id);
            match folder.make() {
                Ok(()) => return Ok((id, now.as_millis() as u64, folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.path().is_dir() => {
                }
                Err(cause) => return Err(WriteFileError { cause, path: folder.path().to_owned() }.into()),
            }
        }
    }

    fn start(
        &self,
        id: &RunId,
        folder: RunFolder,
        lock: Option<std::fs::File>,
        kept: usize,
        beginning: Beginning,
    ) -> Result<RunWriter, HistoryError> {
        let history = Arc::clone(&self.inner) as Arc<dyn Send + Sync>;
        let (writer, thread) = writer::start(id, folder, lock, kept, beginning, history)?;
        let mut threads = self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(writer)
    }

    /// Opens an interrupted run to go on with it. What was torn at the end of its steps is cut off.
    ///
    /// # Errors
    /// [`HistoryError::InUse`] if another process writes it, and those of [`Self::read`] and of writing.
    pub fn reopen(&self, id: &RunId) -> Result<RunWriter, HistoryError> {
        let folder = self.run(id);
        let lock = folder.lock()?;
        folder.read_record()?;
        let (steps, kept) = step_file::reopen(&folder.steps_path())?;
        folder.change_record(|record| record.status = RunStatus::Running)?;
        self.start(id, folder, Some(lock), kept, Beginning::Again(Box::new(steps)))
    }

    /// All runs, the newest first. Only records that are new or have changed are read.
    ///
    /// # Errors
    /// [`HistoryError::Read`] if the folders cannot be listed.
    pub fn runs(&self) -> Result<RunList, HistoryError> {
        let mut index = self.inner.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.get_or_insert_with(|| Index::load(&self.inner.root)).list(&self.inner.root)
    }

    /// The ids of all runs, also of those that cannot be read, the newest first.
    ///
    /// # Errors
    /// [`HistoryError::Read`] if the folders cannot be listed.
    pub fn ids(&self) -> Result<Vec<RunId>, HistoryError> {
        let mut ids = index::ids(&self.inner.root)?;
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    /// Whether a process is writing a run. Where there are no locks it cannot be known, and it counts as being written.
    pub fn is_being_written(&self, id: &RunId) -> bool {
        let folder = self.run(id);
        folder.path().is_dir() && folder.try_lock().is_none()
    }

    /// The runs that were interrupted, the newest first, with the number of their steps. Folders of runs that were killed
    /// before they began are removed.
    ///
    /// # Errors
    /// Those of [`Self::runs`].
    pub fn interrupted(&self) -> Result<Vec<RunSummary>, HistoryError> {
        for id in self.ids()? {
            self.run(&id).remove_if_never_begun();
        }
        let mut runs = self.runs()?.runs;
        runs.retain_mut(|run| {
            let folder = self.run(&run.id);
            if run.status != RunStatus::Running || folder.try_lock().is_none() {
                return false;
            }
            let kept = count_steps(&folder).unwrap_or_default();
            (run.steps_done, run.steps_kept) = (kept, kept);
            true
        });
        Ok(runs)
    }

    /// What is known of a run.
    ///
    /// # Errors
    /// [`HistoryError::NoRun`], [`HistoryError::Newer`], [`HistoryError::Damaged`] and [`HistoryError::Read`].
    pub fn read(&self, id: &RunId) -> Result<RunRecord, HistoryError> {
        self.run(id).read_record()
    }

    /// The steps of a run, also of one that is running; none if they were removed to save space.
    ///
    /// # Errors
    /// [`HistoryError::NoRun`], [`HistoryError::Newer`], [`HistoryError::Damaged`] and [`HistoryError::Read`].
    pub fn steps(&self, id: &RunId) -> Result<Vec<KeptStep>, HistoryError> {
        each_step(&self.run(id), kept_step::step_from_bytes)
    }

    /// The hashes of the steps of a run ([`step_hash`]).
    ///
    /// # Errors
    /// As for [`Self::steps`].
    pub fn step_hashes(&self, id: &RunId) -> Result<Vec<String>, HistoryError> {
        each_step(&self.run(id), kept_step::hash_from_bytes)
    }

    /// The final latent of a run, model space, exact; `None` if it did not come so far.
    ///
    /// # Errors
    /// [`HistoryError::Latent`] and [`HistoryError::Read`].
    pub fn final_latent(&self, id: &RunId) -> Result<Option<Latent>, HistoryError> {
        read_latent(&self.run(id).final_path())
    }

    /// The latent of the picture that a run started from, model space, exact; `None` if it started from noise.
    ///
    /// # Errors
    /// [`HistoryError::Latent`] and [`HistoryError::Read`].
    pub fn source_latent(&self, id: &RunId) -> Result<Option<Latent>, HistoryError> {
        read_latent(&self.run(id).source_path())
    }

    /// The latent that a part of a run started from, model space, exact; `None` if that part is not retouched.
    ///
    /// # Errors
    /// [`HistoryError::Latent`] and [`HistoryError::Read`].
    pub fn retouched(&self, id: &RunId, part: usize) -> Result<Option<Latent>, HistoryError> {
        read_latent(&self.run(id).retouched_path(part))
    }

    /// The picture of a run; `None` if it is not decoded.
    ///
    /// # Errors
    /// [`HistoryError::Picture`] and [`HistoryError::Read`].
    pub fn picture(&self, id: &RunId) -> Result<Option<Picture>, HistoryError> {
        read_picture(&self.run(id).picture_path())
    }

    /// The file of a run's picture, which may not exist.
    pub fn picture_path(&self, id: &RunId) -> PathBuf {
        self.run(id).picture_path()
    }

    /// The picture of a run with at most 256 pixels of an edge; `None` if it is not decoded.
    ///
    /// # Errors
    /// [`HistoryError::Picture`] and [`HistoryError::Read`].
    pub fn thumbnail(&self, id: &RunId) -> Result<Option<Picture>, HistoryError> {
        read_picture(&self.run(id).thumbnail_path())
    }

    /// The picture that a run started from; `None` if it started from noise or a latent.
    ///
    /// # Errors
    /// [`HistoryError::Picture`] and [`HistoryError::Read`].
    pub fn source_picture(&self, id: &RunId) -> Result<Option<Picture>, HistoryError> {
        read_picture(&self.run(id).source_picture_path())
    }

    /// Gives a run this many stars.
    ///
    /// # Errors
    /// Those of [`Self::read`] and of writing.
    pub fn set_stars(&self, id: &RunId, stars: u8) -> Result<(), HistoryError> {
        self.run(id).change_record(|record| record.stars = stars)
    }

    /// Moves the folders of runs to the trash, by `to_trash`. Returns why some were not.
    pub fn delete(
        &self,
        ids: &[RunId],
        to_trash: &dyn Fn(&Path) -> Result<(), String>,
    ) -> Vec<(RunId, HistoryError)> {
        let delete = |id: &RunId| {
            let folder = self.run(id);
            // Given back before the folder moves: an open file stops that on Windows.
            drop(folder.lock()?);
            to_trash(folder.path())
                .map_err(|why| HistoryError::Trash { why, folder: folder.path().to_owned() })
        };
        ids.iter().filter_map(|id| Some((id.clone(), delete(id).err()?))).collect()
    }

    /// Removes the steps of the oldest runs without stars until all runs take at most `limit_bytes`. Nothing else is
    /// removed: see [`ThinReport::is_above_limit`].
    ///
    /// # Errors
    /// Those of [`Self::runs`].
    pub fn thin(&self, limit_bytes: u64) -> Result<ThinReport, HistoryError> {
        Ok(thin::thin(&self.inner.root, &self.runs()?.runs, limit_bytes))
    }

    /// Waits until the writers that were dropped have written everything, as at the end of the program.
    pub fn finish(&self) {
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// The steps of a run, each made of the bytes of its file.
fn each_step<T>(
    folder: &RunFolder,
    read: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<Vec<T>, HistoryError> {
    let path = folder.steps_path();
    let Some(mut steps) = Steps::open(&path)? else {
        return if folder.path().is_dir() { Ok(Vec::new()) } else { Err(folder.no_run()) };
    };
    let mut all = Vec::new();
    while let Some(bytes) = steps.next()? {
        all.push(read(&bytes).map_err(|reason| step_file::damaged(reason, &path))?);
    }
    if steps.unread_len() > 0 {
        log::info!("{} bytes at the end are no whole step: {}", steps.unread_len(), path.display());
    }
    Ok(all)
}

fn count_steps(folder: &RunFolder) -> Result<usize, HistoryError> {
    Ok(each_step(folder, |_| Ok(()))?.len())
}
