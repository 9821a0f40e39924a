//! Jobs that wait and the one that runs.

use std::sync::Arc;
use std::time::Instant;

use super::{Message, Session};
use crate::engine::{JobId, JobKind, Stage};
use crate::latent::TrajectoryStep;
use crate::request::{CancelToken, GenerationDraft, GenerationRequest};

/// Waiting pictures that were let go.
pub(super) struct Dropped {
    pub(super) notice: u64,
    pub(super) waiting: Vec<Queued>,
    pub(super) asked: Vec<Asked>,
}

/// Jobs that wait and the one that runs.
#[derive(Default)]
pub(super) struct Queue {
    /// The next one first.
    pub(super) waiting: Vec<Queued>,
    pub(super) running: Option<Running>,
    /// Oldest first. If the model could not be loaded, the next one draws them.
    pub(super) asked: Vec<Asked>,
    /// What was let go and can come back.
    pub(super) dropped: Vec<Dropped>,
    /// Pictures drawn and in all since there was last nothing to do.
    series: [u64; 2],
    /// Seconds that the last picture took.
    picture_secs: Option<f64>,
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

    /// Moves a job one place earlier.
    pub(super) fn promote(&mut self, job: JobId) {
        if let Some(at) = self.waiting.iter().position(|queued| queued.id == job)
            && at > 0
        {
            self.waiting.swap(at, at - 1);
        }
    }

    /// Moves a job to a place among those that wait.
    pub(super) fn move_to(&mut self, job: JobId, place: usize) {
        if let Some(at) = self.waiting.iter().position(|queued| queued.id == job) {
            let queued = self.waiting.remove(at);
            self.waiting.insert(place.min(self.waiting.len()), queued);
        }
    }

    /// More pictures were asked for.
    pub(super) fn series_grows(&mut self, by: u64) {
        if self.running.is_none() && self.waiting.is_empty() {
            self.series = [0, 0];
        }
        self.series[1] += by;
    }

    /// Pictures that were asked for are not drawn after all.
    pub(super) fn series_shrinks(&mut self, by: u64) {
        self.series[1] = self.series[1].saturating_sub(by);
    }

    /// The running picture is over.
    pub(super) fn picture_ended(&mut self, secs: Option<f64>) {
        self.series[0] += 1;
        self.picture_secs = secs.or(self.picture_secs);
    }

    /// Which picture of how many is being drawn, counted from 1, and from when there was last nothing to do.
    pub(super) fn series(&self) -> [u64; 2] {
        [(self.series[0] + 1).min(self.series[1].max(1)), self.series[1].max(1)]
    }

    /// Seconds until all is drawn that was asked for, as far as can be told.
    pub(super) fn seconds_left_all(&self) -> Option<f64> {
        let running = self.running.as_ref()?;
        let steps = |request: &GenerationRequest| Some(running.step_secs? * request.steps as f64);
        let waiting = self.waiting.iter().map(|queued| self.picture_secs.or_else(|| steps(&queued.request)));
        Some(running.seconds_left()? + waiting.sum::<Option<f64>>()?)
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
        self.start_next();
        self.go_live();
    }

    /// Puts what is being drawn on the easel, and what is drawn after it.
    pub(super) fn go_live(&mut self) {
        self.documents.follows = true;
        if let Some(running) = &self.queue.running {
            self.put_on_easel(super::DocumentId::of_job(running.id));
        }
    }

    /// Ends the running picture; what it has so far stays as a document.
    pub(super) fn stop_running(&mut self) {
        if let Some(running) = &self.queue.running {
            running.cancel.stop();
        }
    }

    /// Ends the running picture and, once the person has agreed, lets go what waits.
    pub(super) fn stop(&mut self) {
        let waiting = self.queue.unfinished() - u64::from(self.queue.running.is_some());
        if waiting > 0 {
            self.opening.question = Some(super::Question::StopAll { waiting });
        } else {
            self.stop_running();
        }
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
                    self.queue.series_grows(1);
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
        self.begin_document(id, request.clone());
        self.queue.running =
            Some(Running { id, request, cancel, stage: None, newest: None, step_secs: None, since });
    }
}
