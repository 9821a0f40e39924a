//! Opening kept runs: as documents, to go on with, and for their settings.

use std::sync::Arc;

use super::OpenedRun;
use crate::engine::{JobId, KeepRun};
use crate::request::InitImage;
use crate::session::queue::Queued;
use crate::session::{Document, DocumentId, Forked, Lineage, Message, Origin, Outcome, ResultItem, Session};
use crate::store::history::RunOrigin;

fn outcome_of(run: &OpenedRun) -> Outcome {
    match &run.picture {
        Some(picture) => Outcome::Decoded(picture.clone()),
        None => Outcome::Stopped,
    }
}

fn result_of(run: OpenedRun, job: JobId) -> Option<ResultItem> {
    let (latent, outcome) = (run.last_latent()?.clone(), outcome_of(&run));
    let parts = run.parts();
    let request = parts.last()?.request.clone();
    Some(ResultItem {
        job,
        lineage: Lineage { parts, from: None },
        request,
        model_name: run.record.model_name,
        format: run.record.format,
        latent,
        outcome,
        finished_early: run.record.finished_early,
        elapsed_secs: run.record.elapsed_secs,
        trajectory: Arc::new(run.trajectory),
    })
}

impl Session {
    /// Shows a run on the easel: as a new document, or in its document, whose latents and picture it brings back.
    pub(super) fn show_run(&mut self, run: OpenedRun) {
        let (id, stars) = (run.record.id.clone(), run.record.stars);
        if let Some(document) = self.document_of_run(&id).map(Document::id) {
            self.reload(document, run);
            self.show(document);
            return;
        }
        let job = self.new_job();
        let Some(item) = result_of(run, job) else {
            self.notify(Message::RunIsEmpty);
            return;
        };
        let mut document = Document::new(DocumentId::of_job(job), Origin::Drawn(Box::new(item)));
        (document.run, document.is_saved, document.stars) = (Some(id), true, stars);
        document.measure_changes();
        self.documents.list.push(document);
        self.show(DocumentId::of_job(job));
        self.unload_old_documents();
    }

    fn reload(&mut self, id: DocumentId, run: OpenedRun) {
        let outcome = outcome_of(&run);
        if let Some(document) = self.documents.get_mut(id) {
            document.thumbnail = None;
            if let Some(item) = document.result_mut() {
                item.trajectory = Arc::new(run.trajectory);
                item.outcome = outcome;
            }
            document.measure_changes();
        }
    }

    /// Goes on with a run from its last step, once its model is loaded.
    pub(super) fn go_on_with(&mut self, run: OpenedRun) {
        if run.is_thinned() {
            self.notify(Message::RunIsThinned);
            return;
        }
        let model = run.record.model.clone();
        self.history.going_on.push(run);
        if self.recipe.draft.model != model && self.model.load.is_none() {
            self.load_model(model);
        }
        self.go_on_with_loaded_model();
    }

    /// Queues the runs that wait for the loaded model, and loads the model of the next one.
    pub(in crate::session) fn go_on_with_loaded_model(&mut self) {
        if self.model.load.is_some() || !self.is_ready() {
            return;
        }
        let model = self.recipe.draft.model.clone();
        let fitting = self.history.going_on.extract_if(.., |run| run.record.model == model);
        for run in fitting.collect::<Vec<_>>() {
            self.queue_run(run);
        }
        self.start_next();
        if let Some(next) = self.history.going_on.first() {
            let model = next.record.model.clone();
            self.load_model(model);
        }
    }

    /// Drops the runs that wait for a model which cannot be loaded. They stay in the history.
    pub(in crate::session) fn give_up_going_on(&mut self, model: &crate::catalog::ModelSource) {
        self.history.going_on.retain(|run| run.record.model != *model);
    }

    fn queue_run(&mut self, run: OpenedRun) {
        let shared = run.trajectory.steps.len();
        let keep = if run.record.is_interrupted() {
            KeepRun::Again(run.record.id.clone())
        } else {
            KeepRun::Fork(RunOrigin { run: run.record.id.clone(), step: shared })
        };
        let continues = run.into_continuation();
        let Some(request) = continues.parts.last().map(|part| part.request.clone()) else { return };
        let id = self.new_job();
        self.queue.series_grows(1);
        let fork = Some(Forked { from: (DocumentId::of_job(id), shared), continues, keep });
        self.queue.waiting.push(Queued { id, request, fork, grid: None });
    }

    /// Copies the settings of a run into the draft, and its source.
    pub(super) fn use_settings_of(&mut self, run: &OpenedRun) {
        if let Some(picture) = run.source.clone() {
            let strength = run.record.facts().denoising_strength.unwrap_or(1.0);
            self.recipe.draft.init_image = Some(InitImage { picture, strength });
        }
        self.restore(run.record.facts());
    }
}
