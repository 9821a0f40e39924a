//! What the window knows: draft, queue, results, notices; pure updates, no egui.
//!
//! The window applies [`Action`]s and the engine's events; both leave [`Effect`]s for the window to
//! carry out. Nothing here draws, waits or touches a file.

mod action;
mod events;
mod fitting;
mod inspector;
mod model;
mod notice;
mod opening;
mod queue;
mod recipe;
mod recovery;
mod removal;
mod result;
mod views;

use std::path::PathBuf;

use crate::catalog::ModelSource;
use crate::engine::{Command, Job, JobId, JobKind};
use crate::projection::PreviewFit;
use crate::request::CancelToken;

use model::Model;
use notice::Notices;
use opening::Opening;
use queue::Queue;
use recipe::Recipe;
use recovery::Recovering;
use result::Results;

pub use crate::store::builtin_vocabulary;
pub use action::{Action, Effect, Export};
pub use inspector::{Inspector, InspectorOptions, Limits, Touch};
pub use model::{MAX_RECENT_MODELS, ModelState};
pub use notice::{Message, Notice, Severity};
pub use opening::{Framing, OpenOptions, Question};
pub use queue::{Queued, Running};
pub use recovery::Recovered;
pub use result::{Outcome, ResultItem, Shown};

/// Everything the window knows. What it looks at are views; what it changes, it changes by [`Action`]s.
pub struct Session {
    /// What the next picture is to be.
    recipe: Recipe,
    /// The loaded model, or the one on its way.
    model: Model,
    /// Jobs that wait and the one that runs.
    queue: Queue,
    /// Pictures of this session, and which is looked at.
    results: Results,
    /// Messages.
    notices: Notices,
    /// The latent view.
    inspector: Inspector,
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
            queue: Queue::default(),
            results: Results::default(),
            notices: Notices::default(),
            inspector: Inspector::default(),
            opening: Opening::default(),
            recovering: Recovering::default(),
            outbox: Outbox { effects: Vec::new(), next_job: 1 },
        }
    }

    /// What the window is to carry out, oldest first; the list is empty afterwards.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.outbox.effects)
    }

    /// A result's picture was saved.
    pub fn mark_saved(&mut self, job: JobId) {
        if self.results.mark_saved(job) {
            self.outbox.effects.push(Effect::Forget(job));
        }
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
