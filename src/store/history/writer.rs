//! Writing a run as it goes, in a thread of its own: who samples never waits for the disk.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::error::HistoryError;
use super::kept_step::bytes_of_step;
use super::record::{RunId, RunRecord, RunStatus};
use super::run_folder::{RunFolder, copy, write_exact};
use super::step_file::{self, StepSink, Steps};
use crate::formats::atomic::WriteFileError;
use crate::formats::latent_file::{LatentFacts, LatentQuantity, write_latent};
use crate::formats::picture::{WriteOptions, shrink_to_edge, write_picture};
use crate::latent::{Latent, TrajectoryStep};
use crate::request::Picture;

/// The longer edge of a thumbnail, pixels.
const THUMBNAIL_EDGE: usize = 256;

/// Messages that may wait: more steps than a run has. Only a disk that has not answered since a run began lets a caller
/// wait.
const MAX_WAITING: usize = 4096;
/// Messages that are written before the disk is waited for.
const MAX_AT_ONCE: usize = 64;

/// The first thing that went wrong.
type Fault = Arc<Mutex<Option<Arc<HistoryError>>>>;

/// A run that is being written. All calls but [`Self::flush`] return at once; a thread writes what they were given, in
/// order.
///
/// What cannot be written ends neither the run nor the writer: see [`Self::fault`]. Dropped, it finishes what waits, and
/// the run counts as interrupted unless [`Self::ended`] was called.
pub struct RunWriter {
    id: RunId,
    kept: usize,
    sender: Sender<Message>,
    fault: Fault,
    /// Waits for the thread in the end.
    _history: Arc<dyn Send + Sync>,
}

enum Message {
    Step(Arc<TrajectoryStep>),
    Sampled { latent: Latent, finished_early: bool, elapsed_secs: f64 },
    Picture(Picture),
    Ended { status: RunStatus, elapsed_secs: f64 },
    Flush(Sender<()>),
}

impl RunWriter {
    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Steps that were kept when it was opened: those shared with another run, or those of an interrupted one.
    pub fn steps_kept(&self) -> usize {
        self.kept
    }

    /// Appends a step. The first [`Self::steps_kept`] are skipped, so that a run may be sampled again from its beginning.
    ///
    /// Once it is written, no kill of the process loses it, and once [`Self::flush`] returns, no power cut does.
    pub fn step(&self, step: Arc<TrajectoryStep>) {
        self.send(Message::Step(step));
    }

    /// Keeps the final latent, model space, before it is decoded.
    pub fn sampled(&self, latent: &Latent, finished_early: bool, elapsed_secs: f64) {
        self.send(Message::Sampled { latent: latent.clone(), finished_early, elapsed_secs });
    }

    /// Keeps the decoded picture, and a thumbnail of it.
    pub fn picture(&self, picture: &Picture) {
        self.send(Message::Picture(picture.clone()));
    }

    /// Says how the run ended.
    pub fn ended(&self, status: RunStatus, elapsed_secs: f64) {
        self.send(Message::Ended { status, elapsed_secs });
    }

    /// Waits until everything before is on the disk, or could not be written.
    pub fn flush(&self) {
        let (done, wait) = bounded(1);
        self.send(Message::Flush(done));
        // An error means that the thread has ended, and nothing waits.
        let _ = wait.recv();
    }

    /// The first thing that could not be written, if any. After a step that could not be, no further ones are; the final
    /// latent, the picture and the record are tried all the same.
    pub fn fault(&self) -> Option<Arc<HistoryError>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn send(&self, message: Message) {
        if self.sender.send(message).is_err() {
            log::warn!("the thread that keeps the run {} has ended", self.id);
        }
    }
}

/// What a writer begins with.
pub(super) enum Beginning {
    /// A new run.
    New(Box<NewFiles>),
    /// A run that was interrupted, and where its further steps are written.
    Again(Box<dyn StepSink>),
}

/// The files of a new run.
pub(super) struct NewFiles {
    pub(super) record: RunRecord,
    /// The latent of the picture it starts from, model space, and the picture.
    pub(super) source: Option<(Latent, Option<Picture>)>,
    /// What replaced the estimate at the beginning of the last part, model space.
    pub(super) retouched: Option<Latent>,
    /// The run it goes on from, with which it shares its first steps.
    pub(super) origin: Option<RunFolder>,
}

/// What the thread works with.
pub(super) struct Writing {
    folder: RunFolder,
    /// Held until the thread ends; `None` where there are no locks.
    _lock: Option<File>,
    /// `None` once a step could not be written.
    steps: Option<Box<dyn StepSink>>,
    kept: usize,
    /// Number of the last step, kept or not.
    done: usize,
    fault: Fault,
}

/// Starts the thread of a writer, whose run has `kept` steps at the beginning.
///
/// # Errors
/// [`HistoryError::Write`] if no thread can be started.
pub(super) fn start(
    id: &RunId,
    folder: RunFolder,
    lock: Option<File>,
    kept: usize,
    beginning: Beginning,
    history: Arc<dyn Send + Sync>,
) -> Result<(RunWriter, std::thread::JoinHandle<()>), HistoryError> {
    let path = folder.path().to_owned();
    let (sender, received) = bounded(MAX_WAITING);
    let fault = Fault::default();
    let mut writing =
        Writing { folder, _lock: lock, steps: None, kept, done: kept, fault: Arc::clone(&fault) };
    let write = move || {
        writing.begin(beginning);
        writing.receive(&received);
    };
    let thread = std::thread::Builder::new()
        .name("safelight-history".to_owned())
        .spawn(write)
        .map_err(|cause| WriteFileError { cause, path })?;
    Ok((RunWriter { id: id.clone(), kept, sender, fault, _history: history }, thread))
}

impl Writing {
    /// Makes the files of a new run.
    fn begin(&mut self, beginning: Beginning) {
        match beginning {
            Beginning::Again(steps) => self.steps = Some(steps),
            Beginning::New(files) => match self.begin_files(&files) {
                Ok(file) => self.steps = Some(Box::new(file)),
                Err(error) => self.fail(error),
            },
        }
    }

    fn begin_files(&self, files: &NewFiles) -> Result<File, HistoryError> {
        let NewFiles { record, source, retouched, origin } = files;
        let folder = &self.folder;
        if let Some((latent, picture)) = source {
            write_exact(&folder.source_path(), latent)?;
            if let Some(picture) = picture {
                write_picture(&folder.source_picture_path(), picture, None, &WriteOptions::default())?;
            }
        } else if let Some(origin) = origin {
            copy(&origin.source_path(), &folder.source_path())?;
            copy(&origin.source_picture_path(), &folder.source_picture_path())?;
        }
        let last = record.parts.len().saturating_sub(1);
        for part in (0..record.parts.len()).filter(|part| record.parts[*part].retouched) {
            match (retouched, origin) {
                (Some(latent), _) if part == last => write_exact(&folder.retouched_path(part), latent)?,
                (_, Some(origin)) => {
                    copy(&origin.retouched_path(part), &folder.retouched_path(part))?;
                }
                _ => {}
            }
        }
        let mut file = step_file::create(&folder.steps_path())?;
        if let Some(origin) = origin {
            let path = origin.steps_path();
            let mut steps = Steps::open(&path)?;
            for wanted in 1..=self.kept {
                let step = steps.as_mut().map_or(Ok(None), Steps::next)?;
                let missing = || HistoryError::StepNotKept {
                    wanted,
                    kept: wanted - 1,
                    folder: origin.path().to_owned(),
                };
                write_step(&mut file, &step.ok_or_else(missing)?, &folder.steps_path())?;
            }
        }
        sync(&mut file, &folder.steps_path())?;
        // The record comes last: a folder with one is a whole run.
        folder.write_record(record)?;
        folder.sync();
        Ok(file)
    }

    fn receive(&mut self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            // What waits is written in one go, and the disk is waited for once.
            let mut is_synced = true;
            for message in std::iter::once(first).chain(messages.try_iter().take(MAX_AT_ONCE)) {
                if !is_synced && !matches!(message, Message::Step(_)) {
                    self.sync();
                    is_synced = true;
                }
                match message {
                    Message::Step(step) => {
                        self.step(&step);
                        is_synced = false;
                    }
                    other => self.other(other),
                }
            }
            if !is_synced {
                self.sync();
            }
        }
    }

    fn step(&mut self, step: &TrajectoryStep) {
        self.done = self.done.max(step.step);
        if step.step <= self.kept {
            return;
        }
        let Some(steps) = &mut self.steps else { return };
        let path = self.folder.steps_path();
        let written = if step.step == self.kept + 1 {
            write_step(steps.as_mut(), &bytes_of_step(step), &path)
        } else {
            let reason = format!("step {} does not follow step {}", step.step, self.kept);
            Err(step_file::damaged(reason, &path))
        };
        match written {
            Ok(()) => self.kept += 1,
            Err(error) => {
                self.steps = None;
                self.fail(error);
            }
        }
    }

    fn sync(&mut self) {
        let Some(steps) = &mut self.steps else { return };
        if let Err(error) = sync(steps.as_mut(), &self.folder.steps_path()) {
            self.steps = None;
            self.fail(error);
        }
    }

    fn other(&mut self, message: Message) {
        let done = match message {
            Message::Step(_) => Ok(()),
            Message::Sampled { latent, finished_early, elapsed_secs } => {
                self.sampled(&latent, finished_early, elapsed_secs)
            }
            Message::Picture(picture) => self.picture(&picture),
            Message::Ended { status, elapsed_secs } => self.change(|record| {
                record.status = status;
                record.elapsed_secs = elapsed_secs;
            }),
            Message::Flush(done) => {
                let _ = done.send(());
                Ok(())
            }
        };
        if let Err(error) = done {
            self.fail(error);
        }
    }

    fn sampled(&self, latent: &Latent, finished_early: bool, elapsed_secs: f64) -> Result<(), HistoryError> {
        write_exact(&self.folder.final_path(), latent)?;
        let record = self.folder.read_record()?;
        let facts = LatentFacts {
            family: Some(record.family.clone()),
            scaling: Some(record.format.scale),
            shift: Some(record.format.shift),
            quantity: Some(LatentQuantity::Denoised),
            vae_hash: Some(record.vae_hash.clone()),
            generation: Some(record.facts().clone()),
            ..LatentFacts::default()
        };
        write_latent(&self.folder.final_vae_path(), &record.format.vae_from_model(latent), &facts)?;
        self.change(|record| {
            record.status = RunStatus::Sampled;
            record.finished_early = finished_early;
            record.elapsed_secs = elapsed_secs;
        })
    }

    fn picture(&self, picture: &Picture) -> Result<(), HistoryError> {
        let facts = self.folder.read_record()?.facts().clone();
        let options = WriteOptions::default();
        write_picture(&self.folder.picture_path(), picture, Some(&facts), &options)?;
        let thumbnail = shrink_to_edge(picture, THUMBNAIL_EDGE);
        let thumbnail = thumbnail.as_ref().unwrap_or(picture);
        write_picture(&self.folder.thumbnail_path(), thumbnail, None, &options)?;
        Ok(())
    }

    /// Changes the record, in which the steps are counted.
    fn change(&self, change: impl FnOnce(&mut RunRecord)) -> Result<(), HistoryError> {
        self.folder.change_record(|record| {
            record.steps_done = self.done;
            record.steps_kept = self.kept;
            change(record);
        })
    }

    fn fail(&self, error: HistoryError) {
        log::warn!("a run is not kept completely: {error}");
        let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(Arc::new(error));
    }
}

fn write_step(sink: &mut dyn StepSink, step: &[u8], path: &Path) -> Result<(), HistoryError> {
    step_file::append(sink, step).map_err(|cause| WriteFileError { cause, path: path.to_owned() }.into())
}

fn sync(sink: &mut dyn StepSink, path: &Path) -> Result<(), HistoryError> {
    sink.sync().map_err(|cause| WriteFileError { cause, path: path.to_owned() }.into())
}
