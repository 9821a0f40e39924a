//! The application state: draft, queue, documents, notices. Pure state updates without egui.
//!
//! Every picture and latent is a [`Document`] with its own view, edits, undo stack, metadata and exports. One document
//! is on the easel (the main view), all are on the contact sheet (the list of thumbnails), and switching documents
//! loses nothing.
//!
//! The window applies [`Action`]s and engine events; both produce [`Effect`]s, which the window executes. Nothing here
//! draws, blocks or accesses files.

mod action;
mod answers;
mod autosave;
mod compare;
mod document;
mod documents;
pub mod downloads;
mod events;
mod examples;
mod export;
mod fitting;
mod fork;
mod grid;
pub mod history;
mod inside;
mod inspector;
mod lens;
pub mod library;
mod long_work;
mod meaning;
mod measuring;
mod model;
mod notice;
mod opening;
mod preferences;
mod queue;
mod recipe;
mod recovery;
mod reel;
mod result;
mod taking_back;
mod tiny;
mod views;
mod work;

use std::path::PathBuf;

use crate::catalog::ModelSource;
use crate::engine::{Command, EngineSettings, Job, JobId, JobKind};
use crate::projection::PreviewFit;
use crate::request::CancelToken;

use compare::Comparing;
use documents::Documents;
use downloads::Downloads;
use examples::Examples;
use grid::Grids;
use history::RunHistory;
use inside::Inside;
use library::ModelLibrary;
use long_work::WorkSpan;
use measuring::Measuring;
use model::Model;
use notice::Notices;
use opening::Opening;
use queue::Queue;
use recipe::Recipe;
use recovery::Recovering;
use reel::Reels;

pub use crate::engine::{FoundRuns, Like};
pub use crate::store::builtin_vocabulary;
pub use action::{Action, Effect};
pub use answers::Answers;
pub use autosave::{AUTOSAVE_PATTERN, Autosave, AutosaveKind, autosave_name};
pub use compare::{CompareAction, PairContent, PairDecode, PairFigures, Side, StepMark};
pub use document::{Document, DocumentId, Drawing, KeptLatent, OpenedFile, Origin, Title, Work, WorkKind};
pub use export::{Export, ExportKind};
pub use fork::{ForkObstacle, Forked, Lineage};
pub use grid::{CellFailure, CellState, GridAction, GridExport, GridPicture, GridWork};
pub use inside::{InsideAction, InsideMap, InsideObstacle, InsideView, ShownWord};
pub use inspector::{Edit, Inspector, InspectorOptions, Limits, Touch};
pub use lens::Lens;
pub use long_work::EndedWork;
pub use meaning::{Found, Meaning, MeaningAction};
pub use model::{MAX_RECENT_MODELS, ModelState, RecentModel};
pub use notice::{Message, Notice, PastMessage, Severity};
pub use opening::{FileContent, Framing, OpenOptions, Question};
pub use preferences::FolderFor;
pub use queue::{Queued, Running};
pub use recipe::{ModelSettings, Reuse, SavedRecipe};
pub use recovery::Recovered;
pub use reel::{ReelAction, ReelOf, ReelOrder, ReelWork};
pub use result::{Outcome, ResultItem};
pub use tiny::{OpenedTiny, TinyState};

/// The application state. It is read through the getters in `views` and changed through [`Action`]s.
pub struct Session {
    /// The settings of the next picture.
    recipe: Recipe,
    /// The loaded model, or the one being loaded.
    model: Model,
    /// The length of the prompt in tokens.
    measuring: Measuring,
    /// The models that find and describe pictures.
    meaning: Meaning,
    /// The queued jobs and the running one.
    queue: Queue,
    /// Pictures of the example prompts.
    examples: Examples,
    /// All documents.
    documents: Documents,
    /// What is seen inside the steps of the document on the easel.
    inside: Inside,
    /// What is compared.
    comparing: Comparing,
    /// The grid that is drawn or was.
    grids: Grids,
    /// Notices to the user.
    notices: Notices,
    /// Options and open questions about files being opened.
    opening: Opening,
    /// The library of models.
    library: ModelLibrary,
    /// The kept runs of all sessions.
    history: RunHistory,
    /// Downloads of models.
    downloads: Downloads,
    /// Whether models are offered on the empty easel no more.
    offers_are_hidden: bool,
    /// Results of an earlier session that are being restored.
    recovering: Recovering,
    /// Animations of the development of runs.
    reels: Reels,
    /// How the engine runs.
    engine: EngineSettings,
    /// The work since the engine was last idle.
    work_span: WorkSpan,
    /// Pending effects and the job counter.
    outbox: Outbox,
}

/// Pending effects and the next job id.
struct Outbox {
    effects: Vec<Effect>,
    next_job: u64,
}

impl Session {
    /// A session that starts loading `model`.
    pub fn new(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        let mut session = Self::without_model(model.clone(), recent_models);
        session.load_model(model);
        session
    }

    /// A session that does not load `model`, because loading it crashed the program before. The user can load it
    /// explicitly.
    pub fn held_back(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        let mut session = Self::without_model(model, recent_models);
        session.model.is_held_back = true;
        session.model.state = ModelState::Failed(None);
        session.notify(Message::ModelHeldBack(session.recipe.draft.model.clone()));
        session
    }

    fn without_model(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        Self {
            recipe: Recipe::new(model),
            model: Model::with_recent(recent_models),
            measuring: Measuring::default(),
            meaning: Meaning::default(),
            queue: Queue::default(),
            examples: Examples::default(),
            documents: Documents::default(),
            inside: Inside::default(),
            comparing: Comparing::default(),
            grids: Grids::default(),
            notices: Notices::default(),
            opening: Opening::default(),
            library: ModelLibrary::default(),
            history: RunHistory::default(),
            downloads: Downloads::default(),
            offers_are_hidden: false,
            recovering: Recovering::default(),
            reels: Reels::default(),
            engine: EngineSettings::default(),
            work_span: WorkSpan::default(),
            outbox: Outbox { effects: Vec::new(), next_job: 1 },
        }
    }

    /// Takes the pending effects, oldest first.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.outbox.effects)
    }

    fn new_job(&mut self) -> JobId {
        self.outbox.next_job += 1;
        JobId(self.outbox.next_job - 1)
    }

    /// Queues an engine job and returns its cancel token. Interrupts the drawing of an example and a running preview
    /// fit, unless the job is one.
    fn send(&mut self, id: JobId, kind: JobKind) -> CancelToken {
        self.examples.interrupt();
        self.work_begins(&kind);
        if !matches!(kind, JobKind::FitPreview { .. }) {
            self.interrupt_fit();
            self.model.tiny.interrupt();
        }
        let cancel = CancelToken::new();
        self.outbox.effects.push(Effect::Send(Command::Run(Job { id, cancel: cancel.clone(), kind })));
        cancel
    }
}

/// The built-in model's preview projections, which were fitted when it was trained.
pub fn builtin_fit() -> Option<PreviewFit> {
    crate::store::builtin_previews().cloned()
}

#[cfg(test)]
mod tests;
