//! What can be seen of a session.

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

    /// Folders of models that were used before or tried, newest first.
    pub fn recent_models(&self) -> &[RecentModel] {
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

    /// Which picture of how many is being drawn, counted from 1.
    pub fn series(&self) -> [u64; 2] {
        self.queue.series()
    }

    /// Seconds until all is drawn that was asked for, as far as can be told.
    pub fn seconds_left_all(&self) -> Option<f64> {
        self.queue.seconds_left_all()
    }

    /// All documents, as they lie on the contact sheet: what is being drawn, then the newest first.
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

    /// The document that the one on the easel is compared with.
    pub fn compared(&self) -> Option<&Document> {
        self.documents.get(self.documents.compared?)
    }

    /// The drawn picture of a job.
    pub fn result(&self, job: JobId) -> Option<&ResultItem> {
        self.documents.get(DocumentId::of_job(job))?.result()
    }

    /// Whether the easel goes on to the next picture that is drawn.
    pub fn follows(&self) -> bool {
        self.documents.follows
    }

    /// Whether previews show x_t instead of x̂₀.
    pub fn shows_noisy(&self) -> bool {
        self.documents.show_noisy
    }

    /// How channels are seen.
    pub fn options(&self) -> InspectorOptions {
        self.documents.options
    }

    /// What another start finds again of what is typed and set.
    pub fn saved_recipe(&self) -> SavedRecipe {
        self.recipe.saved()
    }

    /// Takes up what an earlier start left of that.
    pub fn restore_recipe(&mut self, saved: SavedRecipe) {
        self.recipe.restore(saved);
    }

    /// Messages, oldest first.
    pub fn notices(&self) -> &[Notice] {
        &self.notices.list
    }

    /// How files are opened.
    pub fn open_options(&self) -> OpenOptions {
        self.opening.options
    }

    /// What only the person knows.
    pub fn question(&self) -> Option<&Question> {
        self.opening.question.as_ref()
    }
}
