//! What the engine tells.

use super::{ModelState, Outcome, ResultItem, RunningStep, Session, Severity, Shown};
use crate::engine::{Event, JobId, Stage};
use crate::request::{GenerationDraft, ModelProfile};

impl Session {
    /// Applies an event. Events of jobs that are not known (any more) change nothing.
    pub fn apply_event(&mut self, event: Event) {
        match event {
            Event::ModelLoaded { job, profile, device, .. } => self.model_loaded(job, profile, device),
            Event::StageChanged { job, stage } => self.stage_changed(job, stage),
            Event::StepFinished { job, step, steps, sigma, noisy, denoised, elapsed_secs } => {
                if let Some(running) = self.running.as_mut().filter(|running| running.id == job) {
                    // A running mean that follows changes of pace.
                    let mean = running.step_secs.map_or(elapsed_secs, |mean| 0.7 * mean + 0.3 * elapsed_secs);
                    running.step_secs = Some(mean);
                    running.newest = Some(RunningStep { step, steps, sigma, noisy, denoised });
                    if self.shown == Shown::Live {
                        self.follow_canvas();
                    }
                }
            }
            Event::Sampled { job, latent, trajectory, finished_early } => {
                let Some(running) = self.running.as_ref().filter(|running| running.id == job) else { return };
                let Some(profile) = &self.profile else { return };
                self.results.push(ResultItem {
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
            }
            Event::Decoded { job, picture, notice, elapsed_secs } => {
                if let Some(notice) = notice {
                    self.notify(Severity::Info, notice, "");
                }
                if self.inspector.pending == Some(job) {
                    self.inspector.pending = None;
                    self.inspector.set_decoded(picture);
                } else if let Some(index) = self.results.iter().rposition(|item| item.job == job) {
                    self.results[index].outcome = Outcome::Decoded(picture);
                    self.results[index].elapsed_secs = elapsed_secs;
                    if self.shown == Shown::Live {
                        self.shown = Shown::Result(index);
                        self.follow_canvas();
                    }
                }
                self.end_job(job);
            }
            Event::Encoded { job, mean, log_variance, .. } => {
                if self.inspector.pending == Some(job)
                    && let Some(profile) = self.profile.clone()
                {
                    let original = self.inspector.original.take();
                    self.inspector.open(mean, profile.format);
                    self.inspector.original = original;
                    self.inspector.set_posterior(log_variance, profile.format);
                    self.apply(super::Action::DecodeInspected);
                }
            }
            Event::Failed { job, failure } => {
                let why = [failure.why.as_str(), failure.advice.as_str()].join(" ");
                if self.load_job.as_ref().is_some_and(|(id, _)| *id == job) {
                    self.load_job = None;
                    self.model_state = ModelState::Failed(failure.why.clone());
                }
                if let Some(item) = self.results.iter_mut().find(|item| item.job == job) {
                    item.outcome = Outcome::Failed(failure.why.clone());
                }
                if self.inspector.pending == Some(job) {
                    self.inspector.pending = None;
                }
                self.notify(Severity::Error, failure.what, why.trim());
                self.end_job(job);
            }
            Event::Cancelled { job } => {
                if self.load_job.as_ref().is_some_and(|(id, _)| *id == job) {
                    self.load_job = None;
                }
                if let Some(item) = self.results.iter_mut().find(|item| item.job == job) {
                    item.outcome =
                        Outcome::Failed("The decoding was stopped; the latent is kept.".to_owned());
                }
                self.end_job(job);
            }
            Event::Restarted { .. } => self.load_model(self.draft.model.clone()),
        }
    }

    fn stage_changed(&mut self, job: JobId, stage: Stage) {
        let loads = self.load_job.as_ref().is_some_and(|(id, _)| *id == job);
        let runs = self.running.as_ref().is_some_and(|running| running.id == job);
        if let (true, Stage::Loading { part, done, total }) = (loads || runs, &stage) {
            self.model_state = ModelState::Loading(part.clone(), *done, *total);
        }
        if let Some(running) = self.running.as_mut().filter(|running| running.id == job) {
            running.stage = Some(stage);
        }
    }

    fn model_loaded(&mut self, job: JobId, profile: std::sync::Arc<ModelProfile>, device: String) {
        if self.load_job.as_ref().is_some_and(|(id, _)| *id == job) {
            self.load_job = None;
        } else if self.running.as_ref().is_none_or(|running| running.id != job) && self.load_job.is_some() {
            // Another model was chosen meanwhile.
            return;
        }
        let is_new = self.profile.as_ref().is_none_or(|known| known.choice != profile.choice);
        if is_new && profile.choice == self.draft.model {
            let suggested = GenerationDraft::new(&profile);
            self.draft = GenerationDraft {
                prompt: std::mem::take(&mut self.draft.prompt),
                negative_prompt: std::mem::take(&mut self.draft.negative_prompt),
                seed: self.draft.seed,
                init_image: self.draft.init_image.take(),
                ..suggested
            };
        }
        self.profile = Some(profile);
        self.model_state = ModelState::Ready(device);
    }

    fn end_job(&mut self, job: JobId) {
        if self.running.as_ref().is_some_and(|running| running.id == job) {
            self.running = None;
            self.start_next();
        }
    }
}
