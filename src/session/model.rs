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

/// The chosen model and what comes with it.
pub(super) struct Model {
    pub(super) profile: Option<Arc<ModelProfile>>,
    pub(super) state: ModelState,
    /// Whether it is not loaded because that once ended the program.
    pub(super) is_held_back: bool,
    /// Folders of models used before, newest first.
    pub(super) recent: Vec<PathBuf>,
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
            recent,
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

    /// Puts a folder in front of those used before.
    fn remember(&mut self, folder: PathBuf) {
        self.recent.retain(|known| *known != folder);
        self.recent.insert(0, folder);
        self.recent.truncate(MAX_RECENT_MODELS);
    }
}

impl Session {
    pub(super) fn load_model(&mut self, model: ModelSource) {
        if let Some(load) = self.model.load.take() {
            load.cancel.stop();
        }
        if let ModelSource::Folder(folder) = &model {
            self.model.remember(folder.clone());
        }
        self.recipe.draft.model = model.clone();
        self.model.is_held_back = false;
        self.model.state = ModelState::Loading(String::new(), 0, 1);
        let job = self.new_job();
        let cancel = self.send(job, JobKind::LoadModel { model });
        self.model.load = Some(Load { job, cancel });
    }
}
