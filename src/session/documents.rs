//! All documents: which one is on the easel, and their order on the contact sheet.

use super::{
    Action, Document, DocumentId, Drawing, Effect, Forked, InspectorOptions, KeptLatent, Lineage, Message,
    Origin, Outcome, ResultItem, Session,
};
use crate::engine::JobId;
use crate::latent::Trajectory;
use crate::request::DecodeChoice;

/// All documents of the session.
#[derive(Default)]
pub(super) struct Documents {
    /// Oldest first.
    pub(super) list: Vec<Document>,
    pub(super) easel: Option<DocumentId>,
    /// Whether the easel shows each new picture that is generated.
    pub(super) follows: bool,
    /// Whether previews show x_t instead of x̂₀.
    pub(super) show_noisy: bool,
    /// How channels are displayed.
    pub(super) options: InspectorOptions,
    /// Counts the documents that were shown.
    pub(super) shown: u64,
    /// Removed documents that can be restored: the id of the notice that offers it, their index in `list`, the
    /// document.
    pub(super) removed: Vec<(u64, usize, Document)>,
}

impl Documents {
    pub(super) fn get(&self, id: DocumentId) -> Option<&Document> {
        self.list.iter().find(|document| document.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: DocumentId) -> Option<&mut Document> {
        self.list.iter_mut().find(|document| document.id() == id)
    }

    /// The document of an engine job.
    pub(super) fn with_work(&mut self, job: JobId) -> Option<&mut Document> {
        self.list.iter_mut().find(|document| document.work.as_ref().is_some_and(|work| work.job == job))
    }

    /// The order on the contact sheet: the picture being generated, then the newest first.
    pub(super) fn order(&self) -> Vec<DocumentId> {
        let drawing = self.list.iter().filter(|document| document.is_drawing());
        let others = self.list.iter().rev().filter(|document| !document.is_drawing());
        drawing.chain(others).map(Document::id).collect()
    }

    /// The neighbour on the contact sheet at offset `by`.
    pub(super) fn neighbour(&self, of: DocumentId, by: isize) -> Option<DocumentId> {
        let order = self.order();
        let at = order.iter().position(|id| *id == of)?;
        order.get(at.checked_add_signed(by)?).copied()
    }

    /// Removes a document from the list and returns it with its index. If it was on the easel, its neighbour takes its
    /// place.
    pub(super) fn take(&mut self, id: DocumentId) -> Option<(usize, Document)> {
        let at = self.list.iter().position(|document| document.id() == id)?;
        if self.easel == Some(id) {
            self.easel = self.neighbour(id, 1).or_else(|| self.neighbour(id, -1));
        }
        Some((at, self.list.remove(at)))
    }

    /// Passes the displayed latent of the document on the easel to its inspector.
    pub(super) fn refresh(&mut self) {
        let noisy = self.show_noisy;
        if let Some(document) = self.easel.and_then(|id| self.get_mut(id))
            && let Some(latent) = document.present_latent(noisy)
        {
            document.inspector.lay(latent);
        }
    }
}

impl Session {
    /// Shows a document on the easel and decodes it if necessary.
    pub(super) fn show(&mut self, id: DocumentId) {
        let Some(document) = self.documents.get(id) else { return };
        let follows = document.is_drawing();
        let wants_decode = matches!(document.origin(), Origin::Kept(_) | Origin::Opened(_))
            && document.plain_picture().is_none()
            && document.final_latent().is_some()
            && document.work.is_none();
        self.documents.follows = follows;
        self.put_on_easel(id);
        if wants_decode {
            self.decode_shown(DecodeChoice::default());
        }
    }

    /// Shows a document on the easel. A file that has not been read yet is read.
    pub(super) fn put_on_easel(&mut self, id: DocumentId) {
        self.documents.easel = Some(id);
        self.documents.shown += 1;
        let shown = self.documents.shown;
        if let Some(document) = self.documents.get_mut(id) {
            document.shown_at = shown;
        }
        self.load_again(id);
        if let Some(file) = self.documents.get_mut(id).and_then(Document::file_mut)
            && !file.is_read
            && let Some(path) = file.path.clone()
        {
            file.is_read = true;
            self.outbox.effects.push(Effect::Read(id, path));
        }
        self.documents.refresh();
    }

    /// Shows a neighbour on the contact sheet.
    pub(super) fn show_neighbour(&mut self, by: isize) {
        let next = match self.documents.easel {
            Some(id) => self.documents.neighbour(id, by),
            None => self.documents.order().first().copied(),
        };
        if let Some(next) = next {
            self.show(next);
        }
    }

    /// Creates the document of a job that starts now.
    pub(super) fn begin_document(
        &mut self,
        job: JobId,
        request: crate::request::GenerationRequest,
        fork: Option<Forked>,
    ) {
        let Some(profile) = &self.model.profile else { return };
        let lineage = Lineage::of_job(&request, fork);
        let drawing = Drawing {
            request,
            lineage,
            model_name: profile.name.clone(),
            format: profile.format,
            steps: Vec::new(),
            since: std::time::Instant::now(),
        };
        let id = DocumentId::of_job(job);
        self.documents.list.push(Document::new(id, Origin::Drawing(Box::new(drawing))));
        // A finished picture stays visible until the first step of the next one.
        let shown = self.documents.easel.and_then(|shown| self.documents.get(shown));
        if self.documents.follows && shown.is_none_or(|shown| shown.plain_picture().is_none()) {
            self.put_on_easel(id);
        }
    }

    /// Adds a finished step to the job's document.
    pub(super) fn add_step(&mut self, job: JobId, step: std::sync::Arc<crate::latent::TrajectoryStep>) {
        let id = DocumentId::of_job(job);
        let Some(Origin::Drawing(drawing)) = self.documents.get_mut(id).map(Document::origin_mut) else {
            return;
        };
        drawing.steps.push(step);
        if let Some(document) = self.documents.get_mut(id) {
            document.measure_changes();
        }
        if self.documents.easel == Some(id) {
            self.documents.refresh();
        } else if self.documents.follows {
            self.put_on_easel(id);
        }
    }

    /// Turns the document of a running job into a result. `latent`: the final one, or the last estimate of a stopped
    /// run.
    pub(super) fn settle(
        &mut self,
        job: JobId,
        latent: crate::latent::Latent,
        trajectory: std::sync::Arc<Trajectory>,
        finished_early: bool,
        outcome: Outcome,
    ) {
        let Some(document) = self.documents.get_mut(DocumentId::of_job(job)) else { return };
        let Origin::Drawing(drawing) = document.origin() else { return };
        // The trajectory may contain steps that were not received, so the selected step's index can change.
        let seen = document.place.and_then(|place| drawing.steps.get(place)).map(|step| step.step);
        let item = ResultItem {
            job,
            request: drawing.request.clone(),
            lineage: drawing.lineage.clone(),
            model_name: drawing.model_name.clone(),
            format: drawing.format,
            latent,
            outcome,
            finished_early,
            elapsed_secs: drawing.since.elapsed().as_secs_f64(),
            trajectory,
        };
        document.place =
            seen.and_then(|seen| item.trajectory.steps.iter().position(|step| step.step == seen));
        document.is_saved = document.run.is_some();
        if item.trajectory.steps.len() != document.steps().len() {
            document.changes.clear();
        }
        *document.origin_mut() = Origin::Drawn(Box::new(item));
        document.measure_changes();
        if !document.is_saved {
            self.outbox.effects.push(Effect::Keep(job));
        }
        let id = DocumentId::of_job(job);
        if self.documents.easel == Some(id) {
            self.documents.refresh();
        } else if self.documents.follows {
            // No step of it was received.
            self.put_on_easel(id);
        }
    }

    /// Handles a job that ended before its last step: its last estimate becomes a result. Without one the document is
    /// removed.
    pub(super) fn end_drawing(&mut self, job: JobId) {
        let id = DocumentId::of_job(job);
        let Some(Origin::Drawing(drawing)) = self.documents.get(id).map(Document::origin) else { return };
        if let Some(latent) = drawing.steps.last().map(|step| step.denoised.clone()) {
            let trajectory = Trajectory { source: None, steps: drawing.steps.clone() };
            self.settle(job, latent, trajectory.into(), true, Outcome::Stopped);
        } else {
            self.documents.take(id);
            self.documents.refresh();
        }
    }

    /// Copies the edited latent on the easel into a new document.
    pub(super) fn keep_latent(&mut self) {
        let Some(document) = self.on_easel() else { return };
        let (Some(latent), Some(format)) = (document.inspector.adjusted(), document.format()) else { return };
        let kept = KeptLatent {
            from: document.title(),
            latent: latent.clone(),
            format,
            decoded: document.picture().cloned(),
        };
        let title = kept.from.clone();
        let id = DocumentId(self.new_job().0);
        self.documents.list.push(Document::new(id, Origin::Kept(Box::new(kept))));
        self.notify(Message::Kept(title));
    }

    /// Copies settings of a document into the draft.
    pub(super) fn use_settings(&mut self, id: DocumentId, what: super::Reuse) {
        let Some(document) = self.documents.get(id) else { return };
        match (document.request().cloned(), document.facts()) {
            (Some(request), _) => {
                self.recipe.reuse(&request, what);
                // It may have been drawn with another model.
                let missing = self.take_unfit_options();
                if !missing.is_empty() {
                    self.notify(super::Message::Restored(missing));
                }
            }
            (None, Some(facts)) if what == super::Reuse::All => {
                self.apply(Action::RestoreFacts(Box::new(facts)))
            }
            (None, Some(facts)) => {
                let mut draft = self.recipe.draft.clone();
                facts.apply_to(&mut draft);
                self.recipe.reuse(&draft, what);
            }
            (None, None) => {}
        }
    }
}
