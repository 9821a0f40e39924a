//! The engine's thread: the loaded model, and the jobs that use it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::failure::{Failure, JobError, Task};
use super::host::ModelHost;
use super::job;
use super::keeping::Keeping;
use super::meanings::{self, Meanings};
use super::outbox::Outbox;
use super::panics::Panicked;
use super::preview_fit::PreviewFitter;
use super::protocol::{Command, EngineSettings, Event, Job, JobId, JobKind, KeepRun, Stage};
use super::run_job::RunJob;
use super::tiny::TinyDecoders;
use crate::catalog::ModelSource;
use crate::latent::Latent;
use crate::models::{
    Devices, LatentDiffusionModel, ModelSettings, ReturnedAtOnce, damaged_weights, return_freed_pages,
};
use crate::reason::ReasonKind;
use crate::request::{CancelToken, Picture, PromptOptions, Watch};
use crate::store::history::History;

/// Idle time after which freed memory is returned to the system.
const IDLE: Duration = Duration::from_secs(5);

/// A loaded model and what it was loaded with.
struct Loaded {
    source: ModelSource,
    settings: ModelSettings,
    model: Box<dyn LatentDiffusionModel>,
    /// Created by the first `FitPreview` job.
    preview: Option<PreviewFitter>,
}

pub(super) struct Worker {
    host: Box<dyn ModelHost>,
    settings: ModelSettings,
    loaded: Option<Loaded>,
    /// The tiny decoder used last.
    tiny: TinyDecoders,
    history: Option<History>,
    meanings: Meanings,
    /// What the client watches of the runs.
    watch: Watch,
    outbox: Outbox,
}

impl Worker {
    pub(super) fn new(
        host: Box<dyn ModelHost>,
        settings: EngineSettings,
        watch: Watch,
        outbox: Outbox,
    ) -> Self {
        let mut worker = Self {
            host,
            settings: ModelSettings::default(),
            loaded: None,
            tiny: TinyDecoders::default(),
            history: None,
            meanings: Meanings::default(),
            watch,
            outbox,
        };
        worker.configure(settings);
        worker
    }

    /// Waits for a command; `None` once the client has disconnected. An idle engine places pictures of kept runs, one
    /// after another, and then returns freed memory to the system.
    fn next_command(&mut self, commands: &Receiver<Command>) -> Option<Command> {
        let mut wait = if self.meanings.may_work() { meanings::BEFORE } else { IDLE };
        loop {
            match commands.recv_timeout(wait) {
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.meanings.may_work() => {
                    self.meanings.work(self.history.as_ref(), self.settings.threads);
                    wait = if self.meanings.may_work() { meanings::BETWEEN } else { IDLE };
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.meanings.release();
                    if let Some(loaded) = &self.loaded {
                        loaded.model.release_scratch();
                    }
                    return_freed_pages();
                    return commands.recv().ok();
                }
            }
        }
    }

    /// Executes commands until the client disconnects.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        while let Some(command) = self.next_command(commands) {
            let job = match command {
                Command::Run(job) => job,
                Command::Configure(settings) => {
                    self.configure(settings);
                    continue;
                }
                Command::KeepRuns(history) => {
                    self.history = history;
                    self.meanings.look_again();
                    continue;
                }
                Command::PlaceRuns(weights) => {
                    self.meanings.place_with(weights);
                    continue;
                }
            };
            let id = job.id;
            if matches!(job.kind, JobKind::Generate { .. }) {
                self.meanings.look_again();
            }
            if job.cancel.is_stopped() {
                self.outbox.send(Event::Cancelled { job: id });
                continue;
            }
            let cancel = job.cancel.clone();
            match catch_unwind(AssertUnwindSafe(|| self.execute(job))) {
                Ok(Ok(())) => {}
                Ok(Err(JobError::Cancelled)) => self.outbox.send(Event::Cancelled { job: id }),
                Ok(Err(JobError::Failed(failure))) => {
                    if failure.why.kind() == ReasonKind::DeviceLost {
                        self.forget_device();
                    }
                    self.outbox.send(Event::Failed { job: id, failure });
                }
                Ok(Err(JobError::NonFinite(failure))) => {
                    let model = self.loaded.as_ref().map(|loaded| &loaded.source);
                    let damage = model.and_then(|model| damaged_weights(model, &cancel));
                    let failure = damage.map_or(failure.clone(), |damage| failure.because_of(&damage));
                    self.outbox.send(Event::Failed { job: id, failure });
                }
                Err(panic) => self.recover(id, &Panicked::of(panic.as_ref())),
            }
        }
        // What is kept is on the disk before the program ends.
        if let Some(history) = &self.history {
            history.finish();
        }
    }

    fn configure(&mut self, settings: EngineSettings) {
        let EngineSettings { device, dtype, tiles, threads, instructions, memory } = settings;
        let devices = Devices::default();
        self.settings = ModelSettings { devices, device, dtype, tiles, threads, instructions, memory };
    }

    /// Drops the model, which is on a device that has failed; `auto` does not choose it again.
    fn forget_device(&mut self) {
        self.loaded = None;
        self.host.device_lost();
    }

    /// Reports a job that panicked, and drops the model, whose state may be inconsistent.
    fn recover(&mut self, job: JobId, panic: &Panicked) {
        self.loaded = None;
        self.outbox.send(Event::Failed { job, failure: Failure::of_panic(Task::Run, panic) });
        self.outbox.send(Event::Restarted { reason: panic.message.clone() });
    }

    fn execute(&mut self, Job { id: job, cancel, kind }: Job) -> Result<(), JobError> {
        let clock = Instant::now();
        match kind {
            JobKind::LoadModel { model } => {
                let was_loaded = self.is_loaded(&model);
                let (model, outbox) = self.model(job, &model, &cancel)?;
                if was_loaded {
                    outbox.send(loaded_event(job, model, clock));
                }
                Ok(())
            }
            JobKind::Generate { request, continues, keep } => {
                self.model(job, &request.model, &cancel)?;
                let Some(loaded) = &mut self.loaded else { return Ok(()) };
                let (latent, picture) = {
                    let run = RunJob {
                        id: job,
                        request: &request,
                        continues: continues.as_deref(),
                        cancel: &cancel,
                    };
                    let mut keeping = Keeping::new(
                        self.history.as_ref().filter(|_| keep != KeepRun::No),
                        keep,
                        job,
                        &self.outbox,
                    );
                    let done =
                        job::generate(&mut *loaded.model, &run, &mut keeping, &self.watch, &self.outbox);
                    keeping.ended(&done);
                    done?
                };
                self.improve_preview(job, &latent, &picture);
                Ok(())
            }
            JobKind::LookInside { request, continues, watched } => {
                self.model(job, &request.model, &cancel)?;
                let Some(loaded) = &mut self.loaded else { return Ok(()) };
                let run = RunJob { id: job, request: &request, continues: Some(&continues), cancel: &cancel };
                job::look_inside(&mut *loaded.model, &run, watched, &self.outbox)?;
                self.outbox.send(Event::LookedInside { job });
                Ok(())
            }
            JobKind::Decode { model, latent, how } => {
                let (model, outbox) = self.model(job, &model, &cancel)?;
                let picture = job::decode(model, job, &latent, how, &cancel, outbox, clock)?;
                self.improve_preview(job, &latent, &picture);
                Ok(())
            }
            JobKind::DecodeQuickly { decoder, latent } => {
                self.tiny.decode(&decoder, self.settings, job, &latent, &cancel, &self.outbox)
            }
            JobKind::OpenTinyDecoder { model, decoder } => {
                let Some(loaded) = self.loaded.as_ref().filter(|loaded| loaded.source == model) else {
                    return Err(JobError::Cancelled);
                };
                let (profile, fitter) = (loaded.model.profile(), loaded.preview.as_ref());
                self.tiny.open(&decoder, self.settings, job, profile, &self.outbox)?;
                let quality = self.tiny.quality(fitter, &cancel)?;
                self.outbox.send(Event::TinyDecoderMeasured { job, quality });
                Ok(())
            }
            JobKind::MeasurePrompt { model, prompt } => {
                let loaded = self.loaded.as_ref().filter(|loaded| loaded.source == model);
                let length = loaded.and_then(|loaded| loaded.model.prompt_length(&prompt));
                let tokens =
                    loaded.and_then(|loaded| loaded.model.prompt_tokens(&prompt, &PromptOptions::default()));
                self.outbox.send(Event::PromptMeasured { job, length, tokens: tokens.map(Arc::new) });
                Ok(())
            }
            JobKind::FindRuns { weights, like } => {
                self.loading(job, "picture search");
                let (history, threads) = (self.history.as_ref(), self.settings.threads);
                let found = self.meanings.find(history, &weights, &like, threads, &cancel)?;
                self.outbox.send(Event::RunsFound { job, found });
                Ok(())
            }
            JobKind::Describe { weights, picture } => {
                self.loading(job, "picture description");
                let words = self.meanings.describe(&weights, &picture, self.settings.threads, &cancel)?;
                self.outbox.send(Event::Described { job, words });
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

    /// Says that a model is being loaded which is none that draws.
    fn loading(&self, job: JobId, part: &str) {
        let stage = Stage::Loading { part: part.to_owned(), done: 0, total: 1 };
        self.outbox.send(Event::StageChanged { job, stage });
    }

    /// Sends the preview fit of the loaded model, from the cache or newly computed.
    fn fit_preview(
        &mut self,
        job: JobId,
        source: &ModelSource,
        folder: Option<PathBuf>,
        may_compute: bool,
        cancel: &CancelToken,
    ) -> Result<(), JobError> {
        let Some(loaded) = self.loaded.as_mut().filter(|loaded| loaded.source == *source) else {
            return Err(JobError::Cancelled);
        };
        let fitter = match &mut loaded.preview {
            Some(fitter) => fitter,
            none => none.insert(PreviewFitter::open(
                &*loaded.model,
                job,
                folder,
                may_compute,
                cancel,
                &self.outbox,
            )?),
        };
        fitter.send(job, source, &self.outbox);
        Ok(())
    }

    /// Adds a decoded picture to the preview fit, if there is one.
    fn improve_preview(&mut self, job: JobId, latent: &Latent, picture: &Picture) {
        let Some(Loaded { source, model, preview: Some(fitter), .. }) = &mut self.loaded else { return };
        if fitter.learn(&**model, latent, picture) {
            fitter.send(job, source, &self.outbox);
        }
    }

    fn is_loaded(&self, source: &ModelSource) -> bool {
        self.loaded.as_ref().is_some_and(|open| open.source == *source && open.settings == self.settings)
    }

    /// The model of this source, which is loaded if necessary.
    ///
    /// A panic while loading counts as a failed load, since loading the same files again would panic, too.
    fn model(
        &mut self,
        job: JobId,
        source: &ModelSource,
        cancel: &CancelToken,
    ) -> Result<(&dyn LatentDiffusionModel, &Outbox), JobError> {
        if !self.is_loaded(source) {
            // The old model is freed first, because both may not fit in memory.
            self.loaded = None;
            self.meanings.release();
            let clock = Instant::now();
            let outbox = &self.outbox;
            let mut progress = |part: &str, done: usize, total: usize| {
                let stage = Stage::Loading { part: part.to_owned(), done, total };
                outbox.send(Event::StageChanged { job, stage });
            };
            let (host, settings) = (&mut self.host, self.settings);
            let _returned = ReturnedAtOnce::begin();
            let load = || {
                let (settings, refused) = host.settle_device(settings, cancel);
                for why in refused {
                    outbox.send(Event::DeviceRefused { job, why });
                }
                host.load(source, settings, &mut progress, cancel)
            };
            let model = match catch_unwind(AssertUnwindSafe(load)) {
                Ok(loaded) => loaded.map_err(|error| JobError::from_model(Task::LoadModel, error))?,
                Err(panic) => {
                    let panic = Panicked::of(panic.as_ref());
                    return Err(JobError::Failed(Failure::of_panic(Task::LoadModel, &panic)));
                }
            };
            outbox.send(loaded_event(job, &*model, clock));
            self.loaded =
                Some(Loaded { source: source.clone(), settings: self.settings, model, preview: None });
        }
        match &self.loaded {
            Some(loaded) => Ok((&*loaded.model, &self.outbox)),
            None => Err(JobError::Cancelled),
        }
    }
}

/// The event for a loaded model.
fn loaded_event(job: JobId, model: &dyn LatentDiffusionModel, since: Instant) -> Event {
    Event::ModelLoaded {
        job,
        profile: Arc::new(model.profile().clone()),
        device: model.device_name(),
        in_halves: model.computes_in_halves(),
        elapsed_secs: since.elapsed().as_secs_f64(),
    }
}
