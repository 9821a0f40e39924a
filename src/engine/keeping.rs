//! What the history is given of a run. Whatever goes wrong there, the run goes on.

use std::sync::Arc;
use std::time::Instant;

use super::failure::JobError;
use super::outbox::Outbox;
use super::protocol::{Event, JobId, KeepRun};
use super::run_job::RunJob;
use crate::catalog::ModelProfile;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, TrajectoryStep};
use crate::reason::Reason;
use crate::request::{FinishedPart, Picture};
use crate::store::history::{History, HistoryError, NewRun, PartRecord, RunStatus, RunWriter};

/// The keeping of one run.
pub(super) struct Keeping<'a> {
    history: Option<&'a History>,
    keep: KeepRun,
    job: JobId,
    outbox: &'a Outbox,
    writer: Option<RunWriter>,
    clock: Instant,
}

impl<'a> Keeping<'a> {
    /// Nothing is kept without a history.
    pub(super) fn new(history: Option<&'a History>, keep: KeepRun, job: JobId, outbox: &'a Outbox) -> Self {
        Self { history, keep, job, outbox, writer: None, clock: Instant::now() }
    }

    /// Begins the run, whose source has this latent.
    pub(super) fn begin(&mut self, profile: &ModelProfile, run: &RunJob<'_>, source: Option<&Latent>) {
        let Some(history) = self.history else { return };
        let begun = match &self.keep {
            KeepRun::Again(id) => history.reopen(id),
            _ => history.begin(self.new_run(profile, run, source)),
        };
        match begun {
            Ok(writer) => {
                self.outbox.send(Event::RunKept { job: self.job, run: writer.id().clone() });
                self.writer = Some(writer);
            }
            Err(error) => self.not_kept(&error),
        }
    }

    fn new_run(&self, profile: &ModelProfile, run: &RunJob<'_>, source: Option<&Latent>) -> NewRun {
        let parts = match run.continues {
            Some(run_before) => run_before.clone().parts_with(run.request),
            None => vec![FinishedPart::whole(run.request.clone())],
        };
        let record = |part: &FinishedPart| PartRecord {
            facts: GenerationFacts::of_request(&part.request, &profile.name),
            after: part.after,
            noise_seed: part.noise_seed,
            retouched: part.retouched.is_some(),
        };
        let origin = match &self.keep {
            KeepRun::Fork(origin) => Some(origin.clone()),
            KeepRun::No | KeepRun::New | KeepRun::InGrid(_) | KeepRun::Again(_) => None,
        };
        let grid = match &self.keep {
            KeepRun::InGrid(grid) => Some(grid.clone()),
            _ => None,
        };
        let picture = run.request.init_image.as_ref().map(|init| init.picture.clone());
        NewRun {
            model: run.request.model.clone(),
            model_name: profile.name.clone(),
            family: profile.family.to_owned(),
            format: profile.format,
            vae_hash: profile.vae_hash.clone(),
            steps_planned: run.request.steps,
            source: source.map(|latent| (latent.clone(), picture)),
            retouched: parts.last().and_then(|part| part.retouched.clone()),
            parts: parts.iter().map(record).collect(),
            origin,
            grid,
        }
    }

    pub(super) fn step(&self, step: &Arc<TrajectoryStep>) {
        if let Some(writer) = &self.writer {
            writer.step(Arc::clone(step));
        }
    }

    pub(super) fn sampled(&self, latent: &Latent, finished_early: bool) {
        if let Some(writer) = &self.writer {
            writer.sampled(latent, finished_early, self.clock.elapsed().as_secs_f64());
        }
    }

    pub(super) fn picture(&self, picture: &Picture) {
        if let Some(writer) = &self.writer {
            writer.picture(picture);
        }
    }

    /// Says how the run ended.
    pub(super) fn ended<T>(&mut self, result: &Result<T, JobError>) {
        let status = match result {
            Ok(_) => RunStatus::Finished,
            Err(JobError::Cancelled) => RunStatus::Stopped,
            Err(JobError::Failed(failure) | JobError::NonFinite(failure)) => {
                RunStatus::Failed { reason: failure.to_string() }
            }
        };
        self.end(status);
    }

    fn end(&mut self, status: RunStatus) {
        let Some(writer) = self.writer.take() else { return };
        writer.ended(status, self.clock.elapsed().as_secs_f64());
        // What the client takes for kept is on the disk, or it hears that it is not.
        writer.flush();
        if let Some(fault) = writer.fault() {
            self.not_kept(&fault);
        }
    }

    fn not_kept(&self, error: &HistoryError) {
        self.outbox.send(Event::RunNotKept { job: self.job, why: Reason::from(error) });
    }
}

/// A run that panics has failed: it is not one that was interrupted, which could go on.
impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.end(RunStatus::Failed { reason: "a bug in the program".to_owned() });
        }
    }
}
