//! The generation queue and the running job.

use std::sync::Arc;
use std::time::Instant;

use super::{Forked, Message, Session};
use crate::engine::{JobId, JobKind, KeepRun, Stage};
use crate::latent::TrajectoryStep;
use crate::request::{CancelToken, GenerationDraft, GenerationRequest};
use crate::store::history::RunGrid;

/// Pictures that were removed from the queue, with the id of the notice that offers to restore them.
pub(super) struct Dropped {
    pub(super) notice: u64,
    pub(super) waiting: Vec<Queued>,
    pub(super) deferred: Vec<Deferred>,
}

/// The generation queue and the running job.
#[derive(Default)]
pub(super) struct Queue {
    /// The next job first.
    pub(super) waiting: Vec<Queued>,
    pub(super) running: Option<Running>,
    /// Requests made while a model was being loaded, oldest first. If that model fails, the next one runs them.
    pub(super) deferred: Vec<Deferred>,
    /// Removed pictures that can be restored.
    pub(super) dropped: Vec<Dropped>,
    /// Pictures finished and requested since the queue was last empty.
    series: [u64; 2],
    /// Duration of the last picture, seconds.
    picture_secs: Option<f64>,
    /// Seconds that the last picture took for each step and pixel.
    pace: Option<f64>,
}

/// A request made while a model was being loaded.
pub(super) struct Deferred {
    pub(super) draft: GenerationDraft,
    /// Number of pictures, with consecutive seeds.
    pub(super) count: u64,
}

/// A queued job.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The job's id.
    pub id: JobId,
    /// The request.
    pub request: GenerationRequest,
    /// The run it goes on from.
    pub fork: Option<Forked>,
    /// The grid of which it is a picture.
    pub grid: Option<RunGrid>,
}

/// Steps of a request times its pixels, to which its time is about proportional.
fn amount(request: &GenerationRequest) -> f64 {
    let share = request.init_image.as_ref().map_or(1.0, |init| init.strength);
    request.steps as f64 * share * (request.size.width * request.size.height) as f64
}

/// The running generation job.
pub struct Running {
    /// The job's id.
    pub id: JobId,
    /// The request.
    pub request: GenerationRequest,
    /// Its cancel token.
    pub cancel: CancelToken,
    /// The engine's stage, once it has started.
    pub stage: Option<Stage>,
    /// The newest step.
    pub newest: Option<Arc<TrajectoryStep>>,
    /// Moving average of the step time, seconds.
    pub step_secs: Option<f64>,
    /// When it was sent.
    pub since: Instant,
}

impl Running {
    /// Finished fraction of the steps, 0..=1.
    pub fn progress(&self) -> f32 {
        self.newest.as_ref().map_or(0.0, |step| step.step as f32 / step.steps as f32)
    }

    /// Estimated seconds until sampling ends; `None` before the first step.
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

    /// Whether this job is the running one.
    pub(super) fn runs(&self, job: JobId) -> bool {
        self.running.as_ref().is_some_and(|running| running.id == job)
    }

    /// Moves a job one position towards the front.
    pub(super) fn promote(&mut self, job: JobId) {
        if let Some(at) = self.waiting.iter().position(|queued| queued.id == job)
            && at > 0
        {
            self.waiting.swap(at, at - 1);
        }
    }

    /// Moves a job to an index of the queue.
    pub(super) fn move_to(&mut self, job: JobId, place: usize) {
        if let Some(at) = self.waiting.iter().position(|queued| queued.id == job) {
            let queued = self.waiting.remove(at);
            self.waiting.insert(place.min(self.waiting.len()), queued);
        }
    }

    /// Adds requested pictures to the series.
    pub(super) fn series_grows(&mut self, by: u64) {
        if self.running.is_none() && self.waiting.is_empty() {
            self.series = [0, 0];
        }
        self.series[1] += by;
    }

    /// Removes requested pictures from the series.
    pub(super) fn series_shrinks(&mut self, by: u64) {
        self.series[1] = self.series[1].saturating_sub(by);
    }

    /// Counts a finished picture. `secs`: its duration, if it was completed.
    pub(super) fn picture_ended(&mut self, request: &GenerationRequest, secs: Option<f64>) {
        self.series[0] += 1;
        self.picture_secs = secs.or(self.picture_secs);
        self.pace = secs.map(|secs| secs / amount(request)).or(self.pace);
    }

    /// Estimated seconds of these pictures one after another; `None` if none was drawn yet.
    pub(super) fn estimate<'a>(&self, requests: impl Iterator<Item = &'a GenerationRequest>) -> Option<f64> {
        Some(self.pace? * requests.map(amount).sum::<f64>())
    }

    /// The number of the running picture, from 1, and the total, counted since the queue was last empty.
    pub(super) fn series(&self) -> [u64; 2] {
        [(self.series[0] + 1).min(self.series[1].max(1)), self.series[1].max(1)]
    }

    /// Estimated seconds until the queue is empty; `None` if there is no basis for an estimate.
    pub(super) fn seconds_left_all(&self) -> Option<f64> {
        let running = self.running.as_ref()?;
        let steps = |request: &GenerationRequest| Some(running.step_secs? * request.steps as f64);
        let waiting = self.waiting.iter().map(|queued| self.picture_secs.or_else(|| steps(&queued.request)));
        Some(running.seconds_left()? + waiting.sum::<Option<f64>>()?)
    }

    /// The number of pictures requested while a model was being loaded.
    pub(super) fn asked_while_loading(&self) -> u64 {
        self.deferred.iter().map(|deferred| deferred.count).sum()
    }

    /// The number of requested pictures that are not finished.
    pub(super) fn unfinished(&self) -> u64 {
        u64::from(self.running.is_some()) + self.waiting.len() as u64 + self.asked_while_loading()
    }
}

impl Session {
    /// Queues the draft, or defers it until the model is loaded.
    pub(super) fn generate(&mut self) {
        let (draft, count) = (self.recipe.draft.clone(), self.recipe.batch);
        if self.model.load.is_some() {
            self.queue.deferred.push(Deferred { draft, count });
        } else if !self.enqueue(&draft, count) {
            return;
        }
        self.recipe.batch_queued();
        self.start_next();
        self.go_live();
    }

    /// Shows the running picture on the easel, and those that follow.
    pub(super) fn go_live(&mut self) {
        self.documents.follows = true;
        if let Some(running) = &self.queue.running {
            self.put_on_easel(super::DocumentId::of_job(running.id));
        }
    }

    /// Stops the running job. Its last estimate stays as a document.
    pub(super) fn stop_running(&mut self) {
        if let Some(running) = &self.queue.running {
            running.cancel.stop();
        }
    }

    /// Stops the running job. If others are queued, asks what to do with them first.
    pub(super) fn stop(&mut self) {
        let waiting = self.queue.unfinished() - u64::from(self.queue.running.is_some());
        if waiting > 0 {
            self.opening.question = Some(super::Question::StopAll { waiting });
        } else {
            self.stop_running();
        }
    }

    /// Queues pictures with consecutive seeds. Returns whether that succeeded; if not, a notice says why.
    pub(super) fn enqueue(&mut self, draft: &GenerationDraft, count: u64) -> bool {
        let Some(profile) = self.model.profile.clone() else {
            self.notify(Message::NoModel);
            return false;
        };
        for index in 0..count {
            let draft = GenerationDraft { seed: draft.seed.nth(index), ..draft.clone() };
            match draft.for_run(&profile).validate(&profile) {
                Ok(request) => {
                    let id = self.new_job();
                    self.queue.series_grows(1);
                    self.queue.waiting.push(Queued { id, request, fork: None, grid: None });
                }
                Err(error) => {
                    self.notify(Message::NotDrawable(error));
                    return false;
                }
            }
        }
        true
    }

    /// Sends the next job to the engine, if none is running.
    pub(super) fn start_next(&mut self) {
        if self.queue.running.is_some() || self.queue.waiting.is_empty() {
            return;
        }
        let Queued { id, request, fork, grid } = self.queue.waiting.remove(0);
        let as_new = || grid.map_or_else(KeepRun::default, KeepRun::InGrid);
        let keep = fork.as_ref().map_or_else(as_new, |fork| fork.keep.clone());
        let continues = fork.as_ref().map(|fork| Box::new(fork.continues.clone()));
        let cancel = self.send(id, JobKind::Generate { request: Box::new(request.clone()), continues, keep });
        let since = Instant::now();
        self.begin_document(id, request.clone(), fork);
        self.queue.running =
            Some(Running { id, request, cancel, stage: None, newest: None, step_secs: None, since });
    }
}
