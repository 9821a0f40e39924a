//! The engine's thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::failure::JobError;
use super::host::ModelHost;
use super::job;
use super::protocol::{Command, EngineSettings, Event, Failure, JobId, Stage};
use crate::models::{LatentDiffusionModel, ModelSettings};
use crate::networks::ops::threads;
use crate::request::{CancelToken, ModelChoice};

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
    choice: ModelChoice,
    settings: ModelSettings,
    model: Box<dyn LatentDiffusionModel>,
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
        for command in commands {
            let job = match &command {
                Command::Configure(settings) => {
                    self.configure(*settings);
                    continue;
                }
                Command::LoadModel { job, .. }
                | Command::Generate { job, .. }
                | Command::Encode { job, .. }
                | Command::Decode { job, .. } => *job,
            };
            match catch_unwind(AssertUnwindSafe(|| self.carry_out(command))) {
                Ok(Ok(())) => {}
                Ok(Err(JobError::Cancelled)) => self.outbox.send(Event::Cancelled { job }),
                Ok(Err(JobError::Failed(failure))) => self.outbox.send(Event::Failed { job, failure }),
                Err(panic) => self.recover(job, panic.as_ref()),
            }
        }
    }

    fn configure(&mut self, settings: EngineSettings) {
        self.settings = ModelSettings { device: settings.device, dtype: settings.dtype };
        threads::set_count(settings.threads);
    }

    /// A panic is our fault: the job is lost and said to be, the model may be half changed and goes.
    fn recover(&mut self, job: JobId, panic: &(dyn Any + Send)) {
        let reason = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "unknown".to_owned());
        self.loaded = None;
        let failure = Failure {
            what: "The engine stopped unexpectedly".to_owned(),
            why: reason.clone(),
            advice: "It was started again; this is a fault of the program, please report it.".to_owned(),
        };
        self.outbox.send(Event::Failed { job, failure });
        self.outbox.send(Event::Restarted { reason });
    }

    fn carry_out(&mut self, command: Command) -> Result<(), JobError> {
        let clock = Instant::now();
        match command {
            Command::Configure(_) => Ok(()),
            Command::LoadModel { job, model, cancel } => self.model(job, &model, &cancel).map(|_| ()),
            Command::Generate { job, request, cancel } => {
                self.model(job, &request.model, &cancel)?;
                let Some(loaded) = &mut self.loaded else { return Ok(()) };
                job::generate(&mut *loaded.model, job, &request, &cancel, &self.outbox)
            }
            Command::Decode { job, model, latent, cancel } => {
                let (model, outbox) = self.model(job, &model, &cancel)?;
                job::decode(model, job, &latent, &cancel, outbox, clock)
            }
            Command::Encode { job, model, picture, cancel } => {
                let (model, outbox) = self.model(job, &model, &cancel)?;
                outbox.send(Event::StageChanged { job, stage: Stage::EncodingPicture });
                let encoded = model
                    .encode(&picture, &cancel)
                    .map_err(|error| JobError::from_model("The picture could not be encoded", error))?;
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

    /// The wanted model, loaded if it is not.
    fn model(
        &mut self,
        job: JobId,
        choice: &ModelChoice,
        cancel: &CancelToken,
    ) -> Result<(&dyn LatentDiffusionModel, &Outbox), JobError> {
        let is_there = |loaded: &Loaded| loaded.choice == *choice && loaded.settings == self.settings;
        if !self.loaded.as_ref().is_some_and(is_there) {
            // The old one goes first: two may not fit in memory.
            self.loaded = None;
            let clock = Instant::now();
            let outbox = &self.outbox;
            let mut progress = |part: &str, done: usize, total: usize| {
                let stage = Stage::Loading { part: part.to_owned(), done, total };
                outbox.send(Event::StageChanged { job, stage });
            };
            let model = self
                .host
                .load(choice, self.settings, &mut progress, cancel)
                .map_err(|error| JobError::from_model("The model could not be loaded", error))?;
            outbox.send(Event::ModelLoaded {
                job,
                profile: Arc::new(model.profile().clone()),
                device: model.device_name(),
                elapsed_secs: clock.elapsed().as_secs_f64(),
            });
            self.loaded = Some(Loaded { choice: choice.clone(), settings: self.settings, model });
        }
        match &self.loaded {
            Some(loaded) => Ok((&*loaded.model, &self.outbox)),
            None => Err(JobError::Cancelled),
        }
    }
}
