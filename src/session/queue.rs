//! Jobs that wait and the one that runs.

use std::sync::Arc;
use std::time::Instant;

use super::{Message, Session};
use crate::engine::{JobId, JobKind, Stage};
use crate::latent::TrajectoryStep;
use crate::request::{CancelToken, GenerationDraft, GenerationRequest};

/// Jobs that wait and the one that runs.
#[derive(Default)]
pub(super) struct Queue {
    /// The next one first.
    pub(super) waiting: Vec<Queued>,
    pub(super) running: Option<Running>,
    /// Oldest first. If the model could not be loaded, the next one draws them.
    pub(super) asked: Vec<Asked>,
}

/// Pictures that were asked for while a model was loading.
pub(super) struct Asked {
    pub(super) draft: GenerationDraft,
    /// Pictures of consecutive seeds.
    pub(super) count: u64,
}

/// A job that waits.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its name.
    pub id: JobId,
    /// What to draw.
    pub request: GenerationRequest,
}

/// The job the engine has.
pub struct Running {
    /// Its name.
    pub id: JobId,
    /// What it draws.
    pub request: GenerationRequest,
    /// Its stop switch.
    pub cancel: CancelToken,
    /// What the engine does, once it has begun.
    pub stage: Option<Stage>,
    /// The newest step.
    pub newest: Option<Arc<TrajectoryStep>>,
    /// Mean seconds of a step so far.
    pub step_secs: Option<f64>,
    /// When it was sent.
    pub since: Instant,
}

impl Running {
    /// Share of the job that is done, 0..=1.
    pub fn progress(&self) -> f32 {
        self.newest.as_ref().map_or(0.0, |step| step.step as f32 / step.steps as f32)
    }

    /// Seconds until sampling ends, once a step was timed.
    pub fn seconds_left(&self) -> Option<f64> {
        let step = self.newest.as_ref()?;
        Some(self.step_secs? * (step.steps - step.step) as f64)
    }
}

impl Queue {
    /// The running job, if it is this one.
    pub(super) fn running_job(&mut self, job: JobId) -> Option<&mut Running> {
        self.running.as_mut().filter(|running| running.id == job)
    }

    /// Whether this job runs.
    pub(super) fn runs(&self, job: JobId) -> bool {
        self.running.as_ref().is_some_and(|running| running.id == job)
    }

    pub(super) fn remove(&mut self, job: JobId) {
        self.waiting.retain(|queued| queued.id != job);
    }

    /// Moves a job one place earlier.
    pub(super) fn promote(&mut self, job: JobId) {
        if let Some(at) = self.waiting.iter().position(|queued| queued.id == job)
            && at > 0
        {
            self.waiting.swap(at, at - 1);
        }
    }

    /// Takes back what was asked for and ends the running job.
    pub(super) fn stop_now(&mut self) {
        self.asked.clear();
        self.waiting.clear();
        if let Some(running) = &self.running {
            running.cancel.stop();
        }
    }

    /// Pictures that were asked for while a model was loading.
    pub(super) fn asked_while_loading(&self) -> u64 {
        self.asked.iter().map(|asked| asked.count).sum()
    }

    /// Pictures that were asked for and are not drawn yet.
    pub(super) fn unfinished(&self) -> u64 {
        u64::from(self.running.is_some()) + self.waiting.len() as u64 + self.asked_while_loading()
    }
}

impl Session {
    /// Draws the draft: at once, after what waits, or when the model is there.
    pub(super) fn generate(&mut self) {
        let (draft, count) = (self.recipe.draft.clone(), self.recipe.batch);
        if self.model.load.is_some() {
            self.queue.asked.push(Asked { draft, count });
        } else if !self.enqueue(&draft, count) {
            return;
        }
        self.recipe.batch_taken();
        (self.results.shown, self.results.scrubbed) = (super::Shown::Live, None);
        self.start_next();
    }

    /// Queues pictures of consecutive seeds; says why if it cannot.
    pub(super) fn enqueue(&mut self, draft: &GenerationDraft, count: u64) -> bool {
        let Some(profile) = self.model.profile.clone() else {
            self.notify(Message::NoModel);
            return false;
        };
        for index in 0..count {
            let draft = GenerationDraft { seed: draft.seed.nth(index), ..draft.clone() };
            match draft.validate(&profile) {
                Ok(request) => {
                    let id = self.new_job();
                    self.queue.waiting.push(Queued { id, request });
                }
                Err(error) => {
                    self.notify(Message::NotDrawable(error));
                    return false;
                }
            }
        }
        true
    }

    /// Hands the next job to the engine, if it is free.
    pub(super) fn start_next(&mut self) {
        if self.queue.running.is_some() || self.queue.waiting.is_empty() {
            return;
        }
        let Queued { id, request } = self.queue.waiting.remove(0);
        let cancel = self.send(id, JobKind::Generate { request: Box::new(request.clone()) });
        let since = Instant::now();
        self.queue.running =
            Some(Running { id, request, cancel, stage: None, newest: None, step_secs: None, since });
    }
}
