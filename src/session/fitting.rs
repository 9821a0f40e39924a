//! When previews are fitted: after the first picture, while nothing else is to do.

use super::Session;
use crate::catalog::ModelSource;
use crate::engine::{JobId, JobKind};
use crate::request::CancelToken;

/// How far the fit of the loaded model's previews is.
#[derive(Debug, Default)]
pub(super) enum Fitting {
    /// Nothing is wanted: the built-in model brings its own, or it is done.
    #[default]
    Done,
    /// It waits for a first picture and a quiet moment.
    Wanted,
    /// The engine looks for a kept one, or computes one.
    Asked(JobId, CancelToken),
}

impl Session {
    /// A model was loaded: forgets the other one's fit and looks for a kept one.
    pub(super) fn begin_fitting(&mut self) {
        (self.model.fit, self.model.fit_progress, self.model.fitting) = (None, None, Fitting::Done);
        if self.recipe.draft.model != ModelSource::Builtin {
            self.ask_fit(false);
        }
    }

    /// Computes the fit if it is wanted, a picture was made, and the engine is free.
    pub(super) fn fit_in_quiet(&mut self) {
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
            && !matches!(self.model.fitting, Fitting::Asked(..))
    }

    /// Stops a fit: something the person asked for comes first. It begins again later.
    pub(super) fn interrupt_fit(&mut self) {
        if let Fitting::Asked(_, cancel) = &self.model.fitting {
            cancel.stop();
        }
    }

    /// Whether this job is the fit's; if so, it was stopped or nothing was kept.
    pub(super) fn fit_ended(&mut self, job: JobId, failed: bool) -> bool {
        let own = matches!(&self.model.fitting, Fitting::Asked(id, _) if *id == job);
        if own {
            self.model.fitting = if failed { Fitting::Done } else { Fitting::Wanted };
            self.model.fit_progress = None;
        }
        own
    }

    fn ask_fit(&mut self, may_compute: bool) {
        let job = self.new_job();
        let (model, folder) = (self.recipe.draft.model.clone(), self.model.fits_folder.clone());
        let cancel = self.send(job, JobKind::FitPreview { model, folder, may_compute });
        self.model.fitting = Fitting::Asked(job, cancel);
    }
}
