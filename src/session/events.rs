//! What the engine tells.

use super::queue::Asked;
use super::{Effect, Message, ModelState, Outcome, ResultItem, Session, Shown};
use crate::catalog::ModelProfile;
use crate::engine::{Event, JobId, Stage, Task};
use crate::request::{DecodeChoice, GenerationDraft};

impl Session {
    /// Applies an event. Events of jobs that are not known (any more) change nothing.
    pub fn apply_event(&mut self, event: Event) {
        match event {
            Event::ModelLoaded { job, profile, device, in_halves, .. } => {
                self.model_loaded(job, profile, ModelState::Ready { device, in_halves });
            }
            Event::StageChanged { job, stage } => self.stage_changed(job, stage),
            Event::StepFinished { job, step } => {
                if let Some(running) = self.queue.running_job(job) {
                    // A running mean that follows changes of pace.
                    let secs = step.elapsed_secs;
                    running.step_secs = Some(running.step_secs.map_or(secs, |mean| 0.7 * mean + 0.3 * secs));
                    running.newest = Some(step);
                    if self.results.shown == Shown::Live {
                        self.follow_canvas();
                    }
                }
            }
            Event::Remarks { remarks, .. } => self.notify_once(Message::PromptRemarks(remarks)),
            Event::Sampled { job, latent, trajectory, finished_early } => {
                let Some(running) = self.queue.running.as_ref().filter(|running| running.id == job) else {
                    return;
                };
                let Some(profile) = &self.model.profile else { return };
                self.results.items.push(ResultItem {
                    job,
                    request: running.request.clone(),
                    model_name: profile.name.clone(),
                    format: profile.format,
                    latent,
                    trajectory,
                    outcome: Outcome::Decoding,
                    finished_early,
                    elapsed_secs: running.since.elapsed().as_secs_f64(),
                    saved: false,
                });
                self.outbox.effects.push(Effect::Keep(job));
            }
            Event::Decoded { job, picture, notice, elapsed_secs } => {
                if let Some(notice) = notice {
                    self.notify(Message::Decoder(notice));
                }
                if self.inspector.pending == Some(job) {
                    self.inspector.pending = None;
                    self.inspector.decoded = Some(picture.clone());
                    self.compare(job, picture);
                } else if let Some(index) = self.results.items.iter().rposition(|item| item.job == job) {
                    self.results.items[index].outcome = Outcome::Decoded(picture);
                    if self.recovering.decoding != Some(job) {
                        self.results.items[index].elapsed_secs = elapsed_secs;
                    }
                    if self.results.shown == Shown::Live {
                        self.results.shown = Shown::Result(index);
                        self.follow_canvas();
                    }
                }
                self.end_job(job);
            }
            Event::Encoded { job, mean, log_variance, .. } => {
                if self.inspector.pending == Some(job)
                    && let Some(profile) = self.model.profile.clone()
                {
                    self.inspector.set_encoded(mean, log_variance, profile.format);
                    self.decode_inspected(DecodeChoice::default());
                }
            }
            Event::Failed { job, failure } => {
                let runs = self.queue.runs(job);
                // A picture may have had to load its model first.
                if self.model.take_load(job).is_some() || (runs && failure.task == Task::LoadModel) {
                    self.model.state = ModelState::Failed(failure.why.clone());
                }
                if let Some(item) = self.results.items.iter_mut().find(|item| item.job == job) {
                    item.outcome = Outcome::Failed(failure.why.clone());
                }
                if self.inspector.pending == Some(job) {
                    self.inspector.pending = None;
                }
                self.fit_ended(job, true);
                self.notify(Message::Failed(failure));
                self.end_job(job);
                self.give_up_recovering();
            }
            Event::PreviewFitted { job, model, fit } => {
                self.fit_ended(job, true);
                if model == self.recipe.draft.model {
                    self.model.fit = Some(fit);
                }
            }
            Event::Cancelled { job } => {
                let runs = self.queue.runs(job);
                if runs && self.model.load.is_none() && matches!(self.model.state, ModelState::Loading(..)) {
                    // Stopped while it loaded its model: the model is wanted all the same.
                    self.load_model(self.recipe.draft.model.clone());
                }
                self.fit_ended(job, false);
                self.model.take_load(job);
                if let Some(item) = self.results.items.iter_mut().find(|item| item.job == job) {
                    item.outcome =
                        Outcome::Failed("The decoding was stopped; the latent is kept.".to_owned());
                }
                self.end_job(job);
            }
            // The model is no longer open. One that was on its way has failed and would fail again.
            Event::Restarted { reason } => {
                if self.is_ready() {
                    self.load_model(self.recipe.draft.model.clone());
                } else if self.model.load.is_none() {
                    self.model.state = ModelState::Failed(reason);
                    self.give_up_recovering();
                }
            }
        }
    }

    /// Has the decode measured against the original, where nothing was changed in between.
    fn compare(&mut self, job: JobId, decoded: crate::request::Picture) {
        self.inspector.comparison = None;
        self.inspector.compared = Some(job);
        let Some(format) = self.inspector.format else { return };
        if let (Some(original), Some(latent), true) =
            (&self.inspector.original, &self.inspector.latent, self.inspector.adjustments.is_none())
        {
            self.outbox.effects.push(Effect::Compare {
                job,
                original: original.clone(),
                decoded,
                downscale: format.downscale,
                latent_bytes: latent.values().len() * 2,
            });
        }
    }

    fn stage_changed(&mut self, job: JobId, stage: Stage) {
        if let Stage::FittingPreview { done, total } = stage {
            self.model.fit_progress = Some((done, total));
        }
        let loads = self.model.load.as_ref().is_some_and(|load| load.job == job);
        let runs = self.queue.runs(job);
        if let (true, Stage::Loading { part, done, total }) = (loads || runs, &stage) {
            self.model.state = ModelState::Loading(part.clone(), *done, *total);
        }
        if let Some(running) = self.queue.running_job(job) {
            running.stage = Some(stage);
        }
    }

    fn model_loaded(&mut self, job: JobId, profile: std::sync::Arc<ModelProfile>, ready: ModelState) {
        let load = self.model.take_load(job);
        if load.is_none() && !self.queue.runs(job) && self.model.load.is_some() {
            // Another model was chosen meanwhile.
            return;
        }
        let is_new = self.model.profile.as_ref().is_none_or(|known| known.source != profile.source);
        if is_new && !profile.remarks.is_empty() {
            self.notify_once(Message::ModelRemarks(profile.remarks.clone()));
        }
        // A new model brings its suggestions; what was typed and chosen for any model stays.
        let as_suggested = |draft: GenerationDraft| GenerationDraft {
            prompt: draft.prompt,
            negative_prompt: draft.negative_prompt,
            seed: draft.seed,
            init_image: draft.init_image,
            ..GenerationDraft::new(&profile)
        };
        let mut asked = std::mem::take(&mut self.queue.asked);
        let is_suggested = is_new && profile.source == self.recipe.draft.model;
        if is_suggested {
            self.recipe.draft = as_suggested(self.recipe.draft.clone());
        }
        for Asked { draft, .. } in &mut asked {
            if is_suggested {
                *draft = as_suggested(draft.clone());
            }
            // It may have been asked of a model that could not be loaded.
            draft.model = profile.source.clone();
        }
        self.model.profile = Some(profile);
        self.model.state = ready;
        if is_new {
            self.begin_fitting();
        }
        self.open_awaited();
        self.recover_of_model();
        for Asked { draft, count } in asked {
            self.enqueue(&draft, count);
        }
        self.start_next();
    }

    fn end_job(&mut self, job: JobId) {
        if self.queue.runs(job) {
            self.queue.running = None;
            self.start_next();
        }
        self.decode_ended(job);
        self.fit_in_quiet();
    }
}
