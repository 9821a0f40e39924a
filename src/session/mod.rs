//! What the window knows: draft, queue, results, notices; pure updates, no egui.
//!
//! The window applies [`Action`]s and the engine's events; both leave [`Effect`]s for the window to
//! carry out. Nothing here draws, waits or touches a file.

mod action;
mod events;
mod fitting;
mod inspector;
mod notice;
mod opening;
mod queue;
mod recovery;
mod removal;
mod result;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::{ModelProfile, ModelSource};
use crate::engine::{Command, Job, JobId, JobKind};
use crate::projection::PreviewFit;
use crate::request::{CancelToken, GenerationDraft, Seed};

pub use crate::store::builtin_vocabulary;
pub use action::{Action, Effect, Export};
pub use inspector::{Inspector, InspectorOptions, Limits, Touch};
pub use notice::{Message, Notice, Severity};
pub use opening::{Framing, OpenOptions, Question};
pub use queue::{Queued, Running};
pub use recovery::Recovered;
pub use result::{Outcome, ResultItem};

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

/// What the canvas shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The running job, or nothing yet.
    #[default]
    Live,
    /// A result of the strip.
    Result(usize),
}

/// Everything the window knows.
pub struct Session {
    /// What is typed and set.
    pub draft: GenerationDraft,
    /// Pictures of the next batch.
    pub batch: u64,
    /// Whether the seed stays after a batch.
    pub seed_locked: bool,
    /// What is known of the loaded model.
    pub profile: Option<Arc<ModelProfile>>,
    /// How it is.
    pub model_state: ModelState,
    /// Whether the chosen model is not loaded because that once ended the program.
    pub is_held_back: bool,
    /// Folders of models used before, newest first.
    pub recent_models: Vec<PathBuf>,
    /// Jobs that wait.
    pub queue: Vec<Queued>,
    /// The job the engine has.
    pub running: Option<Running>,
    /// Pictures of this session, oldest first.
    pub results: Vec<ResultItem>,
    /// What the canvas shows.
    pub shown: Shown,
    /// The step of the shown result that is looked at, `None` for its picture.
    pub scrubbed: Option<usize>,
    /// Whether previews show x_t instead of x̂₀.
    pub show_noisy: bool,
    /// Messages, oldest first.
    pub notices: Vec<Notice>,
    /// The latent view.
    pub inspector: Inspector,
    /// How files are opened.
    pub open_options: OpenOptions,
    /// Files that were opened together.
    pub roll: Vec<PathBuf>,
    /// Which of them is open.
    pub roll_at: usize,
    /// What only the person knows.
    pub question: Option<Question>,
    /// Previews fitted to the loaded VAE; the built-in model's come with it.
    pub preview_fit: Option<Arc<PreviewFit>>,
    /// Pictures done and in all of a fit under way.
    pub fit_progress: Option<(usize, usize)>,
    /// Where fits are kept.
    pub fits_folder: Option<PathBuf>,
    fitting: fitting::Fitting,
    awaited: Option<opening::Awaited>,
    next_job: u64,
    next_notice: u64,
    load: Option<Load>,
    /// Oldest first. If the model could not be loaded, the next one draws them.
    asked: Vec<Asked>,
    /// Results of an earlier session whose model is not loaded yet.
    recovering: Vec<Recovered>,
    /// Results that are to be decoded again, and the one that is.
    to_decode: VecDeque<JobId>,
    decoding: Option<JobId>,
    /// Results that were taken away and can come back: the message that offers it, and their place.
    removed: Vec<(u64, usize, ResultItem)>,
    effects: Vec<Effect>,
}

/// A model on its way.
struct Load {
    job: JobId,
    cancel: CancelToken,
}

/// Pictures that were asked for while a model was loading.
struct Asked {
    draft: GenerationDraft,
    /// Pictures of consecutive seeds.
    count: u64,
}

/// Most folders of models that are remembered.
pub const MAX_RECENT_MODELS: usize = 8;

impl Session {
    /// A session that begins to load `model`.
    pub fn new(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        let mut session = Self::without_model(model.clone(), recent_models);
        session.load_model(model);
        session
    }

    /// A session that leaves `model` alone, because loading it once ended the program: the person may try again.
    pub fn held_back(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        let mut session = Self::without_model(model, recent_models);
        session.is_held_back = true;
        session.model_state = ModelState::Failed(String::new());
        session.notify(Message::ModelHeldBack(session.draft.model.clone()));
        session
    }

    fn without_model(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        let draft = GenerationDraft {
            model,
            prompt: String::new(),
            negative_prompt: String::new(),
            size: crate::catalog::ImageSize::new(128, 128),
            steps: 20,
            guidance_scale: 4.0,
            seed: Seed::random(),
            sampler: crate::catalog::SamplerKind::default(),
            schedule: crate::catalog::ScheduleKind::default(),
            options: crate::request::SamplingOptions::default(),
            init_image: None,
        };
        Self {
            draft,
            batch: 1,
            seed_locked: false,
            profile: None,
            model_state: ModelState::Loading(String::new(), 0, 1),
            is_held_back: false,
            recent_models,
            queue: Vec::new(),
            running: None,
            results: Vec::new(),
            shown: Shown::Live,
            scrubbed: None,
            show_noisy: false,
            notices: Vec::new(),
            inspector: Inspector::default(),
            open_options: OpenOptions::default(),
            roll: Vec::new(),
            roll_at: 0,
            question: None,
            preview_fit: None,
            fit_progress: None,
            fits_folder: None,
            fitting: fitting::Fitting::Done,
            awaited: None,
            next_job: 1,
            next_notice: 1,
            load: None,
            asked: Vec::new(),
            recovering: Vec::new(),
            to_decode: VecDeque::new(),
            decoding: None,
            removed: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// What the window is to carry out, oldest first; the list is empty afterwards.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The result on the canvas.
    pub fn shown_result(&self) -> Option<&ResultItem> {
        match self.shown {
            Shown::Result(index) => self.results.get(index),
            Shown::Live => None,
        }
    }

    /// Whether the built-in model is chosen, whose words are known.
    pub fn is_builtin(&self) -> bool {
        self.draft.model == ModelSource::Builtin
    }

    /// Whether a model is loaded and jobs can start.
    pub fn is_ready(&self) -> bool {
        matches!(self.model_state, ModelState::Ready { .. }) && self.profile.is_some()
    }

    /// Whether pictures can be asked for: at once, or while the model is loading.
    pub fn takes_jobs(&self) -> bool {
        self.is_ready() || self.load.is_some()
    }

    /// Pictures that were asked for while a model was loading: they are drawn as soon as one is there.
    pub fn asked_while_loading(&self) -> u64 {
        self.asked.iter().map(|asked| asked.count).sum()
    }

    /// Pictures that were asked for and are not drawn yet.
    pub fn unfinished(&self) -> u64 {
        u64::from(self.running.is_some()) + self.queue.len() as u64 + self.asked_while_loading()
    }

    /// The model that is being loaded.
    pub fn loading(&self) -> Option<&ModelSource> {
        self.load.as_ref().map(|_| &self.draft.model)
    }

    /// A result's picture was saved.
    pub fn mark_saved(&mut self, job: JobId) {
        let removed = self.removed.iter_mut().map(|(_, _, item)| item);
        if let Some(item) = self.results.iter_mut().chain(removed).find(|item| item.job == job) {
            item.saved = true;
            self.effects.push(Effect::Forget(job));
        }
    }

    /// The load of this job, taken out, if it is under way.
    fn take_load(&mut self, job: JobId) -> Option<Load> {
        self.load.take_if(|load| load.job == job)
    }

    fn new_job(&mut self) -> JobId {
        self.next_job += 1;
        JobId(self.next_job - 1)
    }

    /// Adds a message.
    pub fn notify(&mut self, message: Message) {
        self.notices.push(Notice { id: self.next_notice, message });
        self.next_notice += 1;
    }

    /// Adds a message unless it is there already.
    pub(super) fn notify_once(&mut self, message: Message) {
        if self.notices.iter().all(|notice| notice.message != message) {
            self.notify(message);
        }
    }

    fn load_model(&mut self, model: ModelSource) {
        if let Some(load) = self.load.take() {
            load.cancel.stop();
        }
        if let ModelSource::Folder(folder) = &model {
            self.recent_models.retain(|known| known != folder);
            self.recent_models.insert(0, folder.clone());
            self.recent_models.truncate(MAX_RECENT_MODELS);
        }
        self.draft.model = model.clone();
        self.is_held_back = false;
        self.model_state = ModelState::Loading(String::new(), 0, 1);
        let job = self.new_job();
        let cancel = self.send(job, JobKind::LoadModel { model });
        self.load = Some(Load { job, cancel });
    }

    /// Hands work to the engine; gives its stop switch. A fit of previews, which waits for quiet, makes way.
    fn send(&mut self, id: JobId, kind: JobKind) -> CancelToken {
        if !matches!(kind, JobKind::FitPreview { .. }) {
            self.interrupt_fit();
        }
        let cancel = CancelToken::new();
        self.effects.push(Effect::Send(Command::Run(Job { id, cancel: cancel.clone(), kind })));
        cancel
    }
}

/// The built-in model's preview projections, fitted by its recipe.
pub fn builtin_fit() -> Option<PreviewFit> {
    crate::store::builtin_previews().cloned()
}

#[cfg(test)]
mod tests;
