//! What the window knows: recipe, queue, documents, messages; pure updates, no egui.
//!
//! Whatever can be looked at is a [`Document`] with its own lens, edits, undo, facts and exports. One is on the easel,
//! all are on the contact sheet, and none is lost by looking at another.
//!
//! The window applies [`Action`]s and the engine's events; both leave [`Effect`]s for the window to
//! carry out. Nothing here draws, waits or touches a file.

mod action;
mod autosave;
mod document;
mod documents;
mod events;
mod export;
mod fitting;
mod inspector;
mod lens;
mod measuring;
mod model;
mod notice;
mod opening;
mod queue;
mod recipe;
mod recovery;
mod result;
mod taking_back;
mod views;
mod work;

use std::path::PathBuf;

use crate::catalog::ModelSource;
use crate::engine::{Command, Job, JobId, JobKind};
use crate::projection::PreviewFit;
use crate::request::CancelToken;

use documents::Documents;
use measuring::Measuring;
use model::Model;
use notice::Notices;
use opening::Opening;
use queue::Queue;
use recipe::Recipe;
use recovery::Recovering;

pub use crate::store::builtin_vocabulary;
pub use action::{Action, Effect};
pub use autosave::{AUTOSAVE_PATTERN, Autosave, AutosaveKind, autosave_name};
pub use document::{Document, DocumentId, Drawing, KeptLatent, OpenedFile, Origin, Title, Work, WorkKind};
pub use export::{Export, ExportKind};
pub use inspector::{Edit, Inspector, InspectorOptions, Limits, Touch};
pub use lens::Lens;
pub use model::{MAX_RECENT_MODELS, ModelState, RecentModel};
pub use notice::{Message, Notice, PastMessage, Severity};
pub use opening::{FileContent, Framing, OpenOptions, Question};
pub use queue::{Queued, Running};
pub use recipe::{ModelSettings, Reuse, SavedRecipe};
pub use recovery::Recovered;
pub use result::{Outcome, ResultItem};

/// Everything the window knows. What it looks at are views; what it changes, it changes by [`Action`]s.
pub struct Session {
    /// What the next picture is to be.
    recipe: Recipe,
    /// The loaded model, or the one on its way.
    model: Model,
    /// The length of the prompt in tokens.
    measuring: Measuring,
    /// Jobs that wait and the one that runs.
    queue: Queue,
    /// Whatever can be looked at, and what is on the easel.
    documents: Documents,
    /// Messages.
    notices: Notices,
    /// Files that are opened, and what is asked about them.
    opening: Opening,
    /// Results of an earlier session that come back.
    recovering: Recovering,
    /// What goes out to the window and the engine.
    outbox: Outbox,
}

/// What goes out.
struct Outbox {
    effects: Vec<Effect>,
    next_job: u64,
}

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
        session.model.is_held_back = true;
        session.model.state = ModelState::Failed(String::new());
        session.notify(Message::ModelHeldBack(session.recipe.draft.model.clone()));
        session
    }

    fn without_model(model: ModelSource, recent_models: Vec<PathBuf>) -> Self {
        Self {
            recipe: Recipe::new(model),
            model: Model::remembering(recent_models),
            measuring: Measuring::default(),
            queue: Queue::default(),
            documents: Documents::default(),
            notices: Notices::default(),
            opening: Opening::default(),
            recovering: Recovering::default(),
            outbox: Outbox { effects: Vec::new(), next_job: 1 },
        }
    }

    /// What the window is to carry out, oldest first; the list is empty afterwards.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.outbox.effects)
    }

    fn new_job(&mut self) -> JobId {
        self.outbox.next_job += 1;
        JobId(self.outbox.next_job - 1)
    }

    /// Hands work to the engine; gives its stop switch. A fit of previews, which waits for quiet, makes way.
    fn send(&mut self, id: JobId, kind: JobKind) -> CancelToken {
        if !matches!(kind, JobKind::FitPreview { .. }) {
            self.interrupt_fit();
        }
        let cancel = CancelToken::new();
        self.outbox.effects.push(Effect::Send(Command::Run(Job { id, cancel: cancel.clone(), kind })));
        cancel
    }
}

/// The built-in model's preview projections, fitted by its recipe.
pub fn builtin_fit() -> Option<PreviewFit> {
    crate::store::builtin_previews().cloned()
}

#[cfg(test)]
mod tests;
