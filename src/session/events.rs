//! Handling of the engine's events.

use super::queue::Deferred;
use super::{Document, DocumentId, Effect, Message, ModelState, Outcome, Session};
use crate::catalog::ModelProfile;
use crate::engine::{Event, JobId, Stage, Task};
use crate::reason::{Reason, ReasonKind};

impl Session {
    /// Updates the state. Events of unknown or finished jobs are ignored.
    pub(super) fn take_event(&mut self, event: Event) {
        self.grid_sees(&event);
        match event {
            Event::ModelLoaded { job, profile, device, in_halves, .. } => {
                self.model_loaded(job, profile, ModelState::Ready { device, in_halves });
            }
            Event::StageChanged { job, stage } => self.stage_changed(job, stage),
            Event::DeviceRefused { why, .. } => self.notify_once(Message::DeviceRefused(why)),
            Event::RunKept { job, run } => {
                if let Some(document) = self.documents.get_mut(DocumentId::of_job(job)) {
                    document.run = Some(run);
                }
            }
            Event::RunNotKept { job, why } => self.run_not_kept(job, why),
            Event::StepFinished { job, step } => {
                if let Some(running) = self.queue.running_job(job) {
                    // Exponential moving average.
                    let secs = step.elapsed_secs;
                    running.step_secs = Some(running.step_secs.map_or(secs, |mean| 0.7 * mean + 0.3 * secs));
                    running.newest = Some(step.clone());
                    self.add_step(job, step);
                }
            }
            Event::Remarks { remarks, .. } => self.notify_once(Message::PromptRemarks(remarks)),
            Event::Sampled { job, latent, trajectory, finished_early } => {
                self.settle(job, latent, trajectory, finished_early, Outcome::Decoding);
            }
            Event::Decoded { job, picture, notice, elapsed_secs } => {
                if let Some(notice) = notice {
                    self.notify(Message::Decoder(notice));
                }
                if !self.pair_decoded(job, &picture) && !self.decoded(job, &picture) {
                    let is_recovered = self.recovering.decoding == Some(job);
                    let document = self.documents.get_mut(DocumentId::of_job(job));
                    if let Some(item) = document.and_then(Document::result_mut) {
                        item.outcome = Outcome::Decoded(picture);
                        if !is_recovered {
                            item.elapsed_secs = elapsed_secs;
                            self.outbox.effects.push(Effect::Drawn(DocumentId::of_job(job)));
                            self.unload_old_documents();
                        }
                    }
                }
                self.end_job(job, Some(elapsed_secs));
            }
            Event::Encoded { job, mean, log_variance, .. } => {
                self.encoded(job, mean, &log_variance);
                self.end_job(job, None);
            }
            Event::PromptMeasured { job, length, tokens } => self.prompt_measured(job, length, tokens),
            Event::SeenInside { job, step, insight } => self.seen_inside(job, step, &insight),
            Event::LookedInside { job } => self.inside_ended(job, false),
            Event::RunsFound { job, found } => self.runs_found(job, found),
            Event::Described { job, words } => self.described(job, words),
            Event::Failed { job, failure } => {
                self.prompt_measured(job, None, None);
                self.inside_ended(job, true);
                self.meaning_ended(job);
                // A generation job may have had to load its model first.
                let loads = self.queue.runs(job) && failure.task == Task::LoadModel;
                if self.model.take_load(job).is_some() {
                    if !self.load_failed(&failure) {
                        return;
                    }
                } else if loads {
                    self.model.state = ModelState::Failed(Some(failure.why.clone()));
                    let model = self.recipe.draft.model.clone();
                    self.give_up_recovering(&model);
                    self.give_up_going_on(&model);
                }
                self.end_drawing(job);
                let document = self.documents.get_mut(DocumentId::of_job(job));
                if let Some(item) = document.and_then(Document::result_mut) {
                    item.outcome = Outcome::Failed(failure.why.clone());
                }
                self.work_ended(job);
                self.pair_decode_ended(job);
                self.fit_ended(job, true);
                self.tiny_ended(job, true);
                self.notify(Message::Failed(failure));
                self.end_job(job, None);
            }
            Event::TinyDecoderOpened { job, network } => self.tiny_opened(job, network),
            Event::TinyDecoderMeasured { job, quality } => {
                self.tiny_measured(job, quality);
                self.fit_when_idle();
            }
            Event::PreviewFitted { job, model, fit } => {
                self.fit_ended(job, true);
                if model == self.recipe.draft.model {
                    self.model.fit = Some(fit);
                }
            }
            Event::Cancelled { job } => {
                self.prompt_measured(job, None, None);
                self.inside_ended(job, false);
                self.meaning_ended(job);
                let runs = self.queue.runs(job);
                if runs && self.model.load.is_none() && matches!(self.model.state, ModelState::Loading(..)) {
                    // The job was stopped while it loaded its model, which is still needed.
                    self.load_model(self.recipe.draft.model.clone());
                }
                self.fit_ended(job, false);
                self.tiny_ended(job, false);
                self.model.take_load(job);
                self.end_drawing(job);
                let document = self.documents.get_mut(DocumentId::of_job(job));
                if let Some(item) = document.and_then(Document::result_mut)
                    && matches!(item.outcome, Outcome::Decoding)
                {
                    item.outcome = Outcome::Stopped;
                }
                self.work_ended(job);
                self.pair_decode_ended(job);
                self.end_job(job, None);
            }
            // The engine has dropped the model. If it panicked while loading, loading again would panic, too.
            Event::Restarted { reason } => {
                if self.is_ready() {
                    self.load_model(self.recipe.draft.model.clone());
                } else if self.model.load.is_none() {
                    self.model.state =
                        ModelState::Failed(Some(Reason::new(ReasonKind::Bug, &reason).with([&reason as _])));
                    self.give_up_recovering(&self.recipe.draft.model.clone());
                }
            }
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
        // A new model sets its own defaults; prompts and seed are kept.
        let mut deferred = std::mem::take(&mut self.queue.deferred);
        let is_suggested = is_new && profile.source == self.recipe.draft.model;
        if is_suggested {
            self.recipe.adapt_to(&profile);
        }
        for Deferred { draft, .. } in &mut deferred {
            if is_suggested {
                *draft = self.recipe.adapted(draft.clone(), &profile);
            }
            // It may have been requested for a model that could not be loaded.
            draft.model = profile.source.clone();
        }
        self.model.loaded(profile, ready);
        self.list_models();
        if is_new {
            self.begin_fitting();
        }
        self.open_awaited();
        self.recover_with_loaded_model();
        self.go_on_with_loaded_model();
        self.queue_cells();
        for Deferred { draft, count } in deferred {
            self.enqueue(&draft, count);
        }
        self.start_next();
    }

    fn end_job(&mut self, job: JobId, secs: Option<f64>) {
        if self.queue.runs(job) {
            if let Some(ended) = self.queue.running.take() {
                self.queue.picture_ended(&ended.request, secs);
            }
            self.start_next();
        }
        self.decode_ended(job);
        self.go_on_with_grid();
        self.fit_when_idle();
    }
}
