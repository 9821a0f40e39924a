//! What can be seen of a session.

use std::path::PathBuf;
use std::sync::Arc;

use super::{
    Inspector, ModelState, Notice, OpenOptions, Question, Queued, ResultItem, Running, Session, Shown,
};
use crate::catalog::{ModelProfile, ModelSource};
use crate::latent::Latent;
use crate::projection::PreviewFit;
use crate::request::GenerationDraft;

impl Session {
    /// What is typed and set.
    pub fn draft(&self) -> &GenerationDraft {
        &self.recipe.draft
    }

    /// The same, to be edited in place.
    pub fn draft_mut(&mut self) -> &mut GenerationDraft {
        &mut self.recipe.draft
    }

    /// Pictures of the next batch.
    pub fn batch(&self) -> u64 {
        self.recipe.batch
    }

    /// Whether the seed stays after a batch.
    pub fn seed_is_locked(&self) -> bool {
        self.recipe.seed_locked
    }

    /// What is known of the loaded model.
    pub fn profile(&self) -> Option<&Arc<ModelProfile>> {
        self.model.profile.as_ref()
    }

    /// How the model is.
    pub fn model_state(&self) -> &ModelState {
        &self.model.state
    }

    /// Whether the chosen model is not loaded because that once ended the program.
    pub fn is_held_back(&self) -> bool {
        self.model.is_held_back
    }

    /// Folders of models used before, newest first.
    pub fn recent_models(&self) -> &[PathBuf] {
        &self.model.recent
    }

    /// Previews fitted to the loaded VAE; the built-in model's come with it.
    pub fn preview_fit(&self) -> Option<&PreviewFit> {
        self.model.fit.as_deref()
    }

    /// Pictures done and in all of a fit under way.
    pub fn fit_progress(&self) -> Option<(usize, usize)> {
        self.model.fit_progress
    }

    /// Keeps fits in this folder from now on.
    pub fn keep_fits_in(&mut self, folder: Option<PathBuf>) {
        self.model.fits_folder = folder;
    }

    /// Whether the built-in model is chosen, whose words are known.
    pub fn is_builtin(&self) -> bool {
        self.recipe.draft.model == ModelSource::Builtin
    }

    /// Whether a model is loaded and jobs can start.
    pub fn is_ready(&self) -> bool {
        matches!(self.model.state, ModelState::Ready { .. }) && self.model.profile.is_some()
    }

    /// Whether pictures can be asked for: at once, or while the model is loading.
    pub fn takes_jobs(&self) -> bool {
        self.is_ready() || self.model.load.is_some()
    }

    /// The model that is being loaded.
    pub fn loading(&self) -> Option<&ModelSource> {
        self.model.load.as_ref().map(|_| &self.recipe.draft.model)
    }

    /// Jobs that wait, the next one first.
    pub fn waiting(&self) -> &[Queued] {
        &self.queue.waiting
    }

    /// The job the engine has.
    pub fn running(&self) -> Option<&Running> {
        self.queue.running.as_ref()
    }

    /// Pictures that were asked for while a model was loading: they are drawn as soon as one is there.
    pub fn asked_while_loading(&self) -> u64 {
        self.queue.asked_while_loading()
    }

    /// Pictures that were asked for and are not drawn yet.
    pub fn unfinished(&self) -> u64 {
        self.queue.unfinished()
    }

    /// Pictures of this session, oldest first.
    pub fn results(&self) -> &[ResultItem] {
        &self.results.items
    }

    /// What the canvas shows.
    pub fn shown(&self) -> Shown {
        self.results.shown
    }

    /// The result on the canvas.
    pub fn shown_result(&self) -> Option<&ResultItem> {
        match self.results.shown {
            Shown::Result(index) => self.results.items.get(index),
            Shown::Live => None,
        }
    }

    /// The step of the shown result that is looked at, `None` for its picture.
    pub fn scrubbed(&self) -> Option<usize> {
        self.results.scrubbed
    }

    /// Whether previews show x_t instead of x̂₀.
    pub fn shows_noisy(&self) -> bool {
        self.results.show_noisy
    }

    /// The latent the canvas shows: the scrubbed step's, or the result's.
    pub fn shown_latent(&self) -> Option<Latent> {
        let noisy = self.results.show_noisy;
        if let Some(item) = self.shown_result() {
            let step = self.results.scrubbed.and_then(|step| item.trajectory.steps.get(step));
            return Some(match step {
                Some(step) if noisy => step.noisy.clone(),
                Some(step) => step.denoised.clone(),
                None => item.latent.clone(),
            });
        }
        let step = self.queue.running.as_ref()?.newest.as_ref()?;
        Some(if noisy { step.noisy.clone() } else { step.denoised.clone() })
    }

    /// Messages, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices.list
    }

    /// The latent view.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The same, to lay a latent open in it.
    pub fn inspector_mut(&mut self) -> &mut Inspector {
        &mut self.inspector
    }

    /// How files are opened.
    pub fn open_options(&self) -> OpenOptions {
        self.opening.options
    }

    /// Files that were opened together.
    pub fn roll(&self) -> &[PathBuf] {
        &self.opening.roll
    }

    /// Which of them is open.
    pub fn roll_at(&self) -> usize {
        self.opening.roll_at
    }

    /// What only the person knows.
    pub fn question(&self) -> Option<&Question> {
        self.opening.question.as_ref()
    }
}
