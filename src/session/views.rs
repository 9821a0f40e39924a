//! Read access to the session.

use std::path::PathBuf;
use std::sync::Arc;

use super::{
    Document, DocumentId, InspectorOptions, ModelState, Notice, OpenOptions, Question, Queued, RecentModel,
    ResultItem, Running, SavedRecipe, Session,
};
use crate::catalog::{ModelProfile, ModelSource};
use crate::engine::JobId;
use crate::projection::PreviewFit;
use crate::request::GenerationDraft;

impl Session {
    /// The settings of the next picture.
    pub fn draft(&self) -> &GenerationDraft {
        &self.recipe.draft
    }

    /// The settings of the next picture, for editing in place.
    pub fn draft_mut(&mut self) -> &mut GenerationDraft {
        &mut self.recipe.draft
    }

    /// The batch size.
    pub fn batch(&self) -> u64 {
        self.recipe.batch
    }

    /// Whether the seed stays the same after a batch.
    pub fn seed_is_locked(&self) -> bool {
        self.recipe.seed_locked
    }

    /// The loaded model's profile.
    pub fn profile(&self) -> Option<&Arc<ModelProfile>> {
        self.model.profile.as_ref()
    }

    /// The state of the chosen model.
    pub fn model_state(&self) -> &ModelState {
        &self.model.state
    }

    /// Whether the chosen model is not loaded because loading it crashed the program before.
    pub fn is_held_back(&self) -> bool {
        self.model.is_held_back
    }

    /// Model folders that were used or tried before, newest first.
    pub fn recent_models(&self) -> &[RecentModel] {
        &self.model.recent
    }

    /// Preview projections fitted to the loaded VAE; `None` for the built-in model, which has its own.
    pub fn preview_fit(&self) -> Option<&PreviewFit> {
        self.model.fit.as_deref()
    }

    /// Progress of a running preview fit: pictures finished, pictures in total.
    pub fn fit_progress(&self) -> Option<(usize, usize)> {
        self.model.fit_progress
    }

    /// Sets the cache folder for preview fits.
    pub fn keep_fits_in(&mut self, folder: Option<PathBuf>) {
        self.model.fits_folder = folder;
    }

    /// Whether the built-in model is chosen, whose vocabulary is known.
    pub fn is_builtin(&self) -> bool {
        self.recipe.draft.model == ModelSource::Builtin
    }

    /// Whether a model is loaded.
    pub fn is_ready(&self) -> bool {
        matches!(self.model.state, ModelState::Ready { .. }) && self.model.profile.is_some()
    }

    /// Whether pictures can be requested: a model is loaded or being loaded.
    pub fn takes_jobs(&self) -> bool {
        self.is_ready() || self.model.load.is_some()
    }

    /// The model that is being loaded.
    pub fn loading(&self) -> Option<&ModelSource> {
        self.model.load.as_ref().map(|_| &self.recipe.draft.model)
    }

    /// The queued jobs, the next one first.
    pub fn waiting(&self) -> &[Queued] {
        &self.queue.waiting
    }

    /// The running generation job.
    pub fn running(&self) -> Option<&Running> {
        self.queue.running.as_ref()
    }

    /// The number of pictures requested while a model was being loaded, which start as soon as one is.
    pub fn asked_while_loading(&self) -> u64 {
        self.queue.asked_while_loading()
    }

    /// The number of requested pictures that are not finished.
    pub fn unfinished(&self) -> u64 {
        self.queue.unfinished()
    }

    /// The number of the running picture, from 1, and the total.
    pub fn series(&self) -> [u64; 2] {
        self.queue.series()
    }

    /// The finished share of all requested pictures, 0..=1; `None` while none is drawn.
    pub fn progress_of_all(&self) -> Option<f64> {
        let [at, of] = self.queue.series();
        let running = self.queue.running.as_ref()?;
        Some(((at - 1) as f64 + f64::from(running.progress())) / of as f64)
    }

    /// Estimated seconds until the queue is empty; `None` if there is no basis for an estimate.
    pub fn seconds_left_all(&self) -> Option<f64> {
        self.queue.seconds_left_all()
    }

    /// All documents in the order of the contact sheet: the picture being generated, then the newest first.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        let drawing = self.documents.list.iter().filter(|document| document.is_drawing());
        drawing.chain(self.documents.list.iter().rev().filter(|document| !document.is_drawing()))
    }

    /// A document.
    pub fn document(&self, id: DocumentId) -> Option<&Document> {
        self.documents.get(id)
    }

    /// The document on the easel.
    pub fn on_easel(&self) -> Option<&Document> {
        self.documents.get(self.documents.easel?)
    }

    /// The result of a generation job.
    pub fn result(&self, job: JobId) -> Option<&ResultItem> {
        self.documents.get(DocumentId::of_job(job))?.result()
    }

    /// Whether the easel shows each new picture that is generated.
    pub fn follows(&self) -> bool {
        self.documents.follows
    }

    /// Whether previews show x_t instead of x̂₀.
    pub fn shows_noisy(&self) -> bool {
        self.documents.show_noisy
    }

    /// How channels are displayed.
    pub fn options(&self) -> InspectorOptions {
        self.documents.options
    }

    /// The settings to save between starts.
    pub fn saved_recipe(&self) -> SavedRecipe {
        self.recipe.saved()
    }

    /// Restores saved settings.
    pub fn restore_recipe(&mut self, saved: SavedRecipe) {
        self.recipe.restore(saved);
    }

    /// The notices, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices.list
    }

    /// How files are opened.
    pub fn open_options(&self) -> OpenOptions {
        self.opening.options
    }

    /// The open question to the user.
    pub fn question(&self) -> Option<&Question> {
        self.opening.question.as_ref()
    }
}
