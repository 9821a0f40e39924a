//! Scheduling of preview fits: after the first picture, while the engine is idle.

use super::Session;
use crate::catalog::ModelSource;
use crate::engine::{JobId, JobKind};
use crate::request::CancelToken;

/// State of the preview fit for the loaded model.
#[derive(Debug, Default)]
pub(super) enum Fitting {
    /// Nothing to do: it is fitted, failed, or the model is the built-in one, which has its own.
    #[default]
    Done,
    /// Waits for the first picture and an idle engine.
    Wanted,
    /// The engine reads it from the cache or computes it.
    Requested(JobId, CancelToken),
}

impl Session {
    /// Drops the previous model's fit and looks for a cached one of the loaded model.
    pub(super) fn begin_fitting(&mut self) {
        (self.model.fit, self.model.fit_progress, self.model.fitting) = (None, None, Fitting::Done);
        self.close_tiny_decoder();
        if self.recipe.draft.model != ModelSource::Builtin {
            self.ask_fit(false);
        }
    }

    /// Computes the fit if it is wanted, a picture exists and the engine is idle.
    pub(super) fn fit_when_idle(&mut self) {
        let seen = self.documents.list.iter().any(|document| document.plain_picture().is_some());
        if seen && self.is_ready() && matches!(self.model.fitting, Fitting::Wanted) && self.engine_is_free() {
            self.ask_fit(true);
        }
    }

    /// Whether the engine has nothing to do.
    pub(super) fn engine_is_free(&self) -> bool {
        self.queue.running.is_none()
            && self.queue.waiting.is_empty()
            && self.documents.list.iter().all(|document| document.work().is_none())
            && self.recovering.decoding.is_none()
            && !self.reels.is_decoding()
            && !self.examples.is_drawing()
            && !matches!(self.model.fitting, Fitting::Requested(..))
            && !self.model.tiny.is_at_work()
            && !self.inside.is_at_work()
    }

    /// Stops a running fit in favour of a job of the user. It is started again later.
    pub(super) fn interrupt_fit(&mut self) {
        if let Fitting::Requested(_, cancel) = &self.model.fitting {
            cancel.stop();
        }
    }

    /// Handles the end of the fit's job and returns whether `job` was it. `done`: whether it was fitted or failed;
    /// otherwise it was stopped or not cached, and is still wanted.
    pub(super) fn fit_ended(&mut self, job: JobId, done: bool) -> bool {
        let own = matches!(&self.model.fitting, Fitting::Requested(id, _) if *id == job);
        if own {
            self.model.fitting = if done { Fitting::Done } else { Fitting::Wanted };
            self.model.fit_progress = None;
        }
        own
    }

    fn ask_fit(&mut self, may_compute: bool) {
        let job = self.new_job();
        let (model, folder) = (self.recipe.draft.model.clone(), self.model.fits_folder.clone());
        let cancel = self.send(job, JobKind::FitPreview { model, folder, may_compute });
        self.model.fitting = Fitting::Requested(job, cancel);
    }
}
