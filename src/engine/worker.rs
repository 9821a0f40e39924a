//! The engine's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::failure::{Failure, JobError, Task};
use super::host::ModelHost;
use super::job;
use super::memory;
use super::panics::Panicked;
use super::preview_fit;
use super::protocol::{Command, EngineSettings, Event, Job, JobId, JobKind, Stage};
use crate::catalog::ModelSource;
use crate::formats::atomic::write_atomically;
use crate::latent::Latent;
use crate::models::{LatentDiffusionModel, ModelSettings};
use crate::projection::PreviewFitData;
use crate::request::{CancelToken, Picture};
use crate::store::preview_cache;

/// The way to the client.
pub(super) struct Outbox {
    events: Sender<Event>,
    waker: Arc<dyn Fn() + Send + Sync>,
}

impl Outbox {
    pub(super) fn new(events: Sender<Event>, waker: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { events, waker }
    }

    /// Delivers an event, waiting for a slow client; a client that is gone needs none.
    pub(super) fn send(&self, event: Event) {
        let _ = self.events.send(event);
        (self.waker)();
    }

    /// Delivers an event unless the client is behind.
    pub(super) fn offer(&self, event: Event) {
        if self.events.try_send(event).is_ok() {
            (self.waker)();
        }
    }
}

/// A loaded model and what it was loaded with.
struct Loaded {
    choice: ModelSource,
    settings: ModelSettings,
    model: Box<dyn LatentDiffusionModel>,
    /// What its previews are fitted to, and the folder that is kept in.
    rows: Option<(PreviewFitData, Option<PathBuf>)>,
}

/// The next command, if the client is still there. Memory is given back while none comes.
fn next(commands: &Receiver<Command>, loaded: Option<&Loaded>) -> Option<Command> {
    match commands.recv_timeout(memory::REST) {
        Ok(command) => Some(command),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => {
            if let Some(loaded) = loaded {
                loaded.model.release_scratch();
            }
            memory::give_pages_back();
            commands.recv().ok()
        }
    }
}

pub(super) struct Worker {
    host: Box<dyn ModelHost>,
    settings: ModelSettings,
    loaded: Option<Loaded>,
    outbox: Outbox,
}

impl Worker {
    pub(super) fn new(host: Box<dyn ModelHost>, settings: EngineSettings, outbox: Outbox) -> Self {
        let mut worker = Self { host, settings: ModelSettings::default(), loaded: None, outbox };
        worker.configure(settings);
        worker
    }

    /// Carries out commands until the client is gone.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        memory::keep_pages();
        while let Some(command) = next(commands, self.loaded.as_ref()) {
            let job = match command {
                Command::Run(job) => job,
                Command::Configure(settings) => {
                    self.configure(settings);
                    continue;
                }
            };
            let id = job.id;
            if job.cancel.is_stopped() {
                self.outbox.send(Event::Cancelled { job: id });
                continue;
            }
            match catch_unwind(AssertUnwindSafe(|| self.carry_out(job))) {
                Ok(Ok(())) => {}
                Ok(Err(JobError::Cancelled)) => self.outbox.send(Event::Cancelled { job: id }),
                Ok(Err(JobError::Failed(failure))) => self.outbox.send(Event::Failed { job: id, failure }),
                Err(panic) => self.recover(id, &Panicked::of(panic.as_ref())),
            }
        }
    }

    fn configure(&mut self, settings: EngineSettings) {
        let EngineSettings { device, dtype, tiles, threads, instructions } = settings;
        self.settings = ModelSettings { device, dtype, tiles, threads, instructions };
    }

    /// A panic is our fault: the job is lost and said to be, the model may be half changed and goes.
    fn recover(&mut self, job: JobId, panic: &Panicked) {
        self.loaded = None;
        self.outbox.send(Event::Failed { job, failure: Failure::of_panic(Task::Run, panic) });
        self.outbox.send(Event::Restarted { reason: panic.message.clone() });
    }

    fn carry_out(&mut self, Job { id: job, cancel, kind }: Job) -> Result<(), JobError> {
        let clock = Instant::now();
        match kind {
            JobKind::LoadModel { model } => {
                let was_open = self.is_open(&model);
                let (model, outbox) = self.model(job, &model, &cancel)?;
                if was_open {
                    outbox.send(loaded_event(job, model, clock));
                }
                Ok(())
            }
            JobKind::Generate { request } => {
                self.model(job, &request.model, &cancel)?;
                let Some(loaded) = &mut self.loaded else { return Ok(()) };
                let (latent, picture) =
                    job::generate(&mut *loaded.model, job, &request, &cancel, &self.outbox)?;
                self.learn(job, &latent, &picture);
                Ok(())
            }
            JobKind::Decode { model, latent, how } => {
                let (model, outbox) = self.model(job, &model, &cancel)?;
                let picture = job::decode(model, job, &latent, how, &cancel, outbox, clock)?;
                self.learn(job, &latent, &picture);
                Ok(())
            }
            JobKind::FitPreview { model, folder, may_compute } => {
                self.fit_preview(job, &model, folder, may_compute, &cancel)
            }
            JobKind::Encode { model, picture } => {
                let (model, outbox) = self.model(job, &model, &cancel)?;
                outbox.send(Event::StageChanged { job, stage: Stage::EncodingPicture });
                let encoded = model
                    .encode(&picture, &cancel)
                    .map_err(|error| JobError::from_model(Task::EncodePicture, error))?;
                outbox.send(Event::Encoded {
                    job,
                    mean: encoded.mean,
                    log_variance: encoded.log_variance,
                    elapsed_secs: clock.elapsed().as_secs_f64(),
                });
                Ok(())
            }
        }
    }

    /// Fits previews to the loaded VAE, or takes the fit that is kept.
    fn fit_preview(
        &mut self,
        job: JobId,
        choice: &ModelSource,
        folder: Option<PathBuf>,
        may_compute: bool,
        cancel: &CancelToken,
    ) -> Result<(), JobError> {
        let Some(loaded) = self.loaded.as_mut().filter(|loaded| loaded.choice == *choice) else {
            return Err(JobError::Cancelled);
        };
        if loaded.rows.is_none() {
            let profile = loaded.model.profile();
            let kept = folder
                .as_deref()
                .and_then(|folder| std::fs::read(preview_cache::path(folder, &profile.vae_hash)).ok())
                .and_then(|bytes| preview_cache::from_bytes(&bytes))
                .filter(|rows| {
                    (rows.channels, rows.downscale) == (profile.format.channels, profile.format.downscale)
                });
            let rows = match kept {
                Some(rows) => rows,
                None if may_compute => {
                    let rows = preview_fit::gather(&*loaded.model, job, cancel, &self.outbox)?;
                    keep(&rows, folder.as_deref(), &profile.vae_hash);
                    rows
                }
                None => return Err(JobError::Cancelled),
            };
            loaded.rows = Some((rows, folder));
        }
        self.tell_fit(job);
        Ok(())
    }

    /// Lets the fit of the loaded VAE learn from a picture it made.
    fn learn(&mut self, job: JobId, latent: &Latent, picture: &Picture) {
        let Some(loaded) = &mut self.loaded else { return };
        let Some((rows, folder)) = &mut loaded.rows else { return };
        if preview_fit::learn(rows, latent, picture) {
            keep(rows, folder.as_deref(), &loaded.model.profile().vae_hash);
            self.tell_fit(job);
        }
    }

    fn tell_fit(&self, job: JobId) {
        let Some(loaded) = &self.loaded else { return };
        let fit = loaded.rows.as_ref().and_then(|(rows, _)| preview_fit::solve(rows));
        if let Some(fit) = fit {
            let model = loaded.choice.clone();
            self.outbox.send(Event::PreviewFitted { job, model, fit: Arc::new(fit) });
        }
    }

    fn is_open(&self, choice: &ModelSource) -> bool {
        self.loaded.as_ref().is_some_and(|open| open.choice == *choice && open.settings == self.settings)
    }

    /// The wanted model, loaded if it is not.
    ///
    /// A load that panics is a load that failed: its files would make the next one panic too.
    fn model(
        &mut self,
        job: JobId,
        choice: &ModelSource,
        cancel: &CancelToken,
    ) -> Result<(&dyn LatentDiffusionModel, &Outbox), JobError> {
        if !self.is_open(choice) {
            // The old one goes first: two may not fit in memory.
            self.loaded = None;
            let clock = Instant::now();
            let outbox = &self.outbox;
            let mut progress = |part: &str, done: usize, total: usize| {
                let stage = Stage::Loading { part: part.to_owned(), done, total };
                outbox.send(Event::StageChanged { job, stage });
            };
            let (host, settings) = (&mut self.host, self.settings);
            let load = || host.load(choice, settings, &mut progress, cancel);
            let model = match catch_unwind(AssertUnwindSafe(load)) {
                Ok(loaded) => loaded.map_err(|error| JobError::from_model(Task::LoadModel, error))?,
                Err(panic) => {
                    let panic = Panicked::of(panic.as_ref());
                    return Err(JobError::Failed(Failure::of_panic(Task::LoadModel, &panic)));
                }
            };
            outbox.send(loaded_event(job, &*model, clock));
            self.loaded = Some(Loaded { choice: choice.clone(), settings: self.settings, model, rows: None });
        }
        match &self.loaded {
            Some(loaded) => Ok((&*loaded.model, &self.outbox)),
            None => Err(JobError::Cancelled),
        }
    }
}

/// A model that is ready.
fn loaded_event(job: JobId, model: &dyn LatentDiffusionModel, since: Instant) -> Event {
    Event::ModelLoaded {
        job,
        profile: Arc::new(model.profile().clone()),
        device: model.device_name(),
        in_halves: model.computes_in_halves(),
        elapsed_secs: since.elapsed().as_secs_f64(),
    }
}

/// Writes what a fit is made from. A folder that cannot be written costs a fit at the next start, no more.
fn keep(rows: &PreviewFitData, folder: Option<&Path>, vae_hash: &str) {
    let Some(folder) = folder else { return };
    let written = std::fs::create_dir_all(folder).map_err(sentence).and_then(|()| {
        let bytes = preview_cache::to_bytes(rows).map_err(sentence)?;
        let path = preview_cache::path(folder, vae_hash);
        write_atomically(&path, |file| std::io::Write::write_all(file, &bytes)).map_err(sentence)
    });
    if let Err(reason) = written {
        log::warn!("the fitted preview could not be kept: {reason}");
    }
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}
