//! The model: loaded, on its way or failed, and those used before.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Session, fitting::Fitting};
use crate::catalog::{ModelProfile, ModelSource};
use crate::engine::{JobId, JobKind};
use crate::projection::PreviewFit;
use crate::request::CancelToken;

/// Most folders of models that are remembered.
pub const MAX_RECENT_MODELS: usize = 8;

/// How the model is.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelState {
    /// Being loaded: the part, parts done, parts in all.
    Loading(String, usize, usize),
    /// Ready on this device.
    Ready {
        /// For people.
        device: String,
        /// Whether its networks compute in f16 or bf16.
        in_halves: bool,
    },
    /// It could not be loaded.
    Failed(String),
}

/// A folder of a model that was used before or tried.
#[derive(Clone, Debug, PartialEq)]
pub struct RecentModel {
    /// The folder.
    pub folder: PathBuf,
    /// Why it could not be loaded when that was tried last.
    pub failed: Option<String>,
    /// Whether it was ever loaded: others are not remembered between starts.
    pub has_worked: bool,
}

/// The chosen model and what comes with it.
pub(super) struct Model {
    pub(super) profile: Option<Arc<ModelProfile>>,
    pub(super) state: ModelState,
    /// Whether it is not loaded because that once ended the program.
    pub(super) is_held_back: bool,
    /// Folders of models, newest first.
    pub(super) recent: Vec<RecentModel>,
    /// The state of the loaded model while another one is on its way.
    ready: Option<ModelState>,
    pub(super) load: Option<Load>,
    /// Previews fitted to its VAE; the built-in model's come with it.
    pub(super) fit: Option<Arc<PreviewFit>>,
    /// Pictures done and in all of a fit under way.
    pub(super) fit_progress: Option<(usize, usize)>,
    /// Where fits are kept.
    pub(super) fits_folder: Option<PathBuf>,
    pub(super) fitting: Fitting,
}

/// A model on its way.
pub(super) struct Load {
    pub(super) job: JobId,
    pub(super) cancel: CancelToken,
}

impl Model {
    pub(super) fn remembering(recent: Vec<PathBuf>) -> Self {
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
        }
    }

    /// The load of this job, taken out, if it is under way.
    pub(super) fn take_load(&mut self, job: JobId) -> Option<Load> {
        self.load.take_if(|load| load.job == job)
    }

    /// A model is ready.
    pub(super) fn loaded(&mut self, profile: Arc<ModelProfile>, ready: ModelState) {
        if let ModelSource::Folder(folder) = &profile.source {
            self.recent.retain(|known| known.folder != *folder);
            let recent = RecentModel { folder: folder.clone(), failed: None, has_worked: true };
            self.recent.insert(0, recent);
            self.recent.truncate(MAX_RECENT_MODELS);
        }
        self.profile = Some(profile);
        self.state = ready.clone();
        self.ready = Some(ready);
    }

    /// A model could not be loaded: its folder says why from now on.
    fn failed(&mut self, model: &ModelSource, why: &str) {
        let ModelSource::Folder(folder) = model else { return };
        if let Some(known) = self.recent.iter_mut().find(|known| known.folder == *folder) {
            known.failed = Some(why.to_owned());
        } else {
            let failed = Some(why.to_owned());
            self.recent.push(RecentModel { folder: folder.clone(), failed, has_worked: false });
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

    /// The chosen model could not be loaded. The one that was there before is the chosen one again; the engine opens
    /// it anew when it is needed.
    pub(super) fn load_failed(&mut self, why: &str) {
        let failed = self.recipe.draft.model.clone();
        self.model.failed(&failed, why);
        match (&self.model.profile, &self.model.ready) {
            (Some(profile), Some(ready)) if profile.source != failed => {
                self.recipe.draft.model = profile.source.clone();
                self.model.state = ready.clone();
                // What was asked of the other model is not drawn by this one unasked.
                self.drop_all_waiting();
            }
            _ => self.model.state = ModelState::Failed(why.to_owned()),
        }
        self.give_up_recovering(&failed);
    }
}
