//! The state of the chosen model, and the list of recently used ones.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Answers, Session, fitting::Fitting, tiny::Tiny};
use crate::catalog::{ModelParts, ModelProfile, ModelSource, PartRole};
use crate::engine::{Advice, Failure, JobId, JobKind};
use crate::projection::PreviewFit;
use crate::reason::Reason;
use crate::request::CancelToken;

/// Capacity of the list of recent models.
pub const MAX_RECENT_MODELS: usize = 8;

/// The state of the chosen model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// Being loaded: the current part, parts finished, parts in total.
    Loading(String, usize, usize),
    /// Ready on this device.
    Ready {
        /// The device's display name.
        device: String,
        /// Whether its networks compute in f16 or bf16.
        in_halves: bool,
    },
    /// It could not be loaded: the reason; `None` if it was not tried.
    Failed(Option<Reason>),
}

/// A model folder that was used or tried before.
#[derive(Clone, Debug, PartialEq)]
pub struct RecentModel {
    /// The folder.
    pub folder: PathBuf,
    /// Why the last attempt to load it failed.
    pub failed: Option<Reason>,
    /// Whether it was ever loaded. Only these are saved in the settings.
    pub has_worked: bool,
}

/// The chosen model and its state.
pub(super) struct Model {
    pub(super) profile: Option<Arc<ModelProfile>>,
    pub(super) state: ModelState,
    /// Whether it is not loaded because loading it crashed the program before.
    pub(super) is_held_back: bool,
    /// Recently used folders, newest first.
    pub(super) recent: Vec<RecentModel>,
    /// The state of the loaded model while another one is being loaded.
    ready: Option<ModelState>,
    pub(super) load: Option<Load>,
    /// Preview projections fitted to its VAE. `None` for the built-in model, which has its own.
    pub(super) fit: Option<Arc<PreviewFit>>,
    /// Progress of a running fit: pictures finished, pictures in total.
    pub(super) fit_progress: Option<(usize, usize)>,
    /// The cache folder for fits.
    pub(super) fits_folder: Option<PathBuf>,
    pub(super) fitting: Fitting,
    pub(super) tiny: Tiny,
    /// What was answered about model files.
    pub(super) answers: Answers,
    /// The last model that lacked a part, and the part.
    pub(super) lacking: Option<(ModelParts, PartRole)>,
}

/// A model being loaded.
pub(super) struct Load {
    pub(super) job: JobId,
    pub(super) cancel: CancelToken,
}

impl Model {
    pub(super) fn with_recent(recent: Vec<PathBuf>) -> Self {
        Self {
            profile: None,
            state: ModelState::Loading(String::new(), 0, 1),
            is_held_back: false,
            recent: recent
                .into_iter()
                .map(|folder| RecentModel { folder, failed: None, has_worked: true })
                .collect(),
            ready: None,
            load: None,
            fit: None,
            fit_progress: None,
            fits_folder: None,
            fitting: Fitting::Done,
            tiny: Tiny::default(),
            answers: Answers::default(),
            lacking: None,
        }
    }

    /// Takes the pending load, if it is this job.
    pub(super) fn take_load(&mut self, job: JobId) -> Option<Load> {
        self.load.take_if(|load| load.job == job)
    }

    /// Records that a model was loaded.
    pub(super) fn loaded(&mut self, profile: Arc<ModelProfile>, ready: ModelState) {
        if let Some(folder) = profile.source.path() {
            self.recent.retain(|known| known.folder != folder);
            let recent = RecentModel { folder: folder.to_owned(), failed: None, has_worked: true };
            self.recent.insert(0, recent);
            self.recent.truncate(MAX_RECENT_MODELS);
        }
        if let ModelSource::Parts(parts) = &profile.source {
            self.answers.keep(parts);
        }
        self.lacking = None;
        self.profile = Some(profile);
        self.state = ready.clone();
        self.ready = Some(ready);
    }

    /// Records in the list of recent models why a model could not be loaded.
    fn failed(&mut self, model: &ModelSource, why: &Reason) {
        let Some(folder) = model.path() else { return };
        if let Some(known) = self.recent.iter_mut().find(|known| known.folder == folder) {
            known.failed = Some(why.clone());
        } else {
            let failed = Some(why.clone());
            self.recent.push(RecentModel { folder: folder.to_owned(), failed, has_worked: false });
        }
    }
}

impl Session {
    pub(super) fn load_model(&mut self, model: ModelSource) {
        if let Some(load) = self.model.load.take() {
            load.cancel.stop();
        }
        self.recipe.draft.model = model.clone();
        self.model.is_held_back = false;
        self.model.state = ModelState::Loading(String::new(), 0, 1);
        let job = self.new_job();
        let cancel = self.send(job, JobKind::LoadModel { model });
        self.model.load = Some(Load { job, cancel });
    }

    /// Handles a failed load: opens the model with a file that was named for a part before, or switches back to the
    /// previous model, which the engine loads again when it is needed. Returns whether the failure is final.
    pub(super) fn load_failed(&mut self, failure: &Failure) -> bool {
        if let Some(Advice::NamePart(role)) = failure.advice
            && self.complete(role)
        {
            return false;
        }
        let why = &failure.why;
        let failed = self.recipe.draft.model.clone();
        self.model.failed(&failed, why);
        match (&self.model.profile, &self.model.ready) {
            (Some(profile), Some(ready)) if profile.source != failed => {
                self.recipe.draft.model = profile.source.clone();
                self.model.state = ready.clone();
                // Jobs requested for the failed model must not run with this one.
                self.drop_all_waiting();
            }
            _ => self.model.state = ModelState::Failed(Some(why.clone())),
        }
        self.give_up_recovering(&failed);
        self.give_up_going_on(&failed);
        self.give_up_cells(&failed, why);
        true
    }
}
