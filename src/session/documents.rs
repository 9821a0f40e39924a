//! All documents: which is on the easel, and how they lie on the contact sheet.

use super::{
    Action, Document, DocumentId, Drawing, Effect, InspectorOptions, KeptLatent, Message, Origin, Outcome,
    ResultItem, Session,
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
    /// Whether the easel goes on to the next picture that is drawn.
    pub(super) follows: bool,
    /// The document that the one on the easel is compared with.
    pub(super) compared: Option<DocumentId>,
    /// Whether previews show x_t instead of x̂₀.
    pub(super) show_noisy: bool,
    /// How channels are seen.
    pub(super) options: InspectorOptions,
    /// Documents that were taken away and can come back: the message that offers it, and their place.
    pub(super) removed: Vec<(u64, usize, Document)>,
}

impl Documents {
    pub(super) fn get(&self, id: DocumentId) -> Option<&Document> {
        self.list.iter().find(|document| document.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: DocumentId) -> Option<&mut Document> {
        self.list.iter_mut().find(|document| document.id() == id)
    }

    /// The document the engine works for.
    pub(super) fn with_work(&mut self, job: JobId) -> Option<&mut Document> {
        self.list.iter_mut().find(|document| document.work.as_ref().is_some_and(|work| work.job == job))
    }

    /// As they lie on the contact sheet: what is being drawn, then the newest first.
    pub(super) fn order(&self) -> Vec<DocumentId> {
        let drawing = self.list.iter().filter(|document| document.is_drawing());
        let others = self.list.iter().rev().filter(|document| !document.is_drawing());
        drawing.chain(others).map(Document::id).collect()
    }

    /// The neighbour on the contact sheet, `by` places further.
    pub(super) fn neighbour(&self, of: DocumentId, by: isize) -> Option<DocumentId> {
        let order = self.order();
        let at = order.iter().position(|id| *id == of)?;
        order.get(at.checked_add_signed(by)?).copied()
    }

    /// Takes a document out; the easel shows its neighbour then. Gives its place, too.
    pub(super) fn take(&mut self, id: DocumentId) -> Option<(usize, Document)> {
        let at = self.list.iter().position(|document| document.id() == id)?;
        if self.easel == Some(id) {
            self.easel = self.neighbour(id, 1).or_else(|| self.neighbour(id, -1));
        }
        self.compared.take_if(|compared| *compared == id);
        Some((at, self.list.remove(at)))
    }

    /// Lays the present latent of the document on the easel under its inspector.
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
    /// Puts a document on the easel.
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

    /// Puts a document on the easel; a file that was not read yet is read.
    pub(super) fn put_on_easel(&mut self, id: DocumentId) {
        self.documents.easel = Some(id);
        self.documents.compared.take_if(|compared| *compared == id);
        if let Some(file) = self.documents.get_mut(id).and_then(Document::file_mut)
            && !file.is_read
            && let Some(path) = file.path.clone()
        {
            file.is_read = true;
            self.outbox.effects.push(Effect::Read(id, path));
        }
        self.documents.refresh();
    }

    /// Goes to a neighbour on the contact sheet.
    pub(super) fn show_neighbour(&mut self, by: isize) {
        let next = match self.documents.easel {
            Some(id) => self.documents.neighbour(id, by),
            None => self.documents.order().first().copied(),
        };
        if let Some(next) = next {
            self.show(next);
        }
    }

    /// A document for the job that now begins.
    pub(super) fn begin_document(&mut self, job: JobId, request: crate::request::GenerationRequest) {
        let Some(profile) = &self.model.profile else { return };
        let drawing = Drawing {
            request,
            model_name: profile.name.clone(),
            format: profile.format,
            steps: Vec::new(),
            since: std::time::Instant::now(),
        };
        let id = DocumentId::of_job(job);
        self.documents.list.push(Document::new(id, Origin::Drawing(Box::new(drawing))));
        // A finished picture stays in sight until there is something of the next one.
        let shown = self.documents.easel.and_then(|shown| self.documents.get(shown));
        if self.documents.follows && shown.is_none_or(|shown| shown.plain_picture().is_none()) {
            self.put_on_easel(id);
        }
    }

    /// A step of the job was seen.
    pub(super) fn add_step(&mut self, job: JobId, step: std::sync::Arc<crate::latent::TrajectoryStep>) {
        let id = DocumentId::of_job(job);
        let Some(Origin::Drawing(drawing)) = self.documents.get_mut(id).map(Document::origin_mut) else {
            return;
        };
        drawing.steps.push(step);
        if self.documents.easel == Some(id) {
            self.documents.refresh();
        } else if self.documents.follows {
            self.put_on_easel(id);
        }
    }

    /// What is being drawn has its final latent, or what it had when it was stopped.
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
        // The step that is looked at stays the same one, though more are known now.
        let seen = document.place.and_then(|place| drawing.steps.get(place)).map(|step| step.step);
        let item = ResultItem {
            job,
            request: drawing.request.clone(),
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
        document.is_saved = false;
        *document.origin_mut() = Origin::Drawn(Box::new(item));
        self.outbox.effects.push(Effect::Keep(job));
        let id = DocumentId::of_job(job);
        if self.documents.easel == Some(id) {
            self.documents.refresh();
        } else if self.documents.follows {
            // No step of it was seen: it was quick, or the window slow.
            self.put_on_easel(id);
        }
    }

    /// The job ended before its last step: what it had is a document, unless it had nothing.
    pub(super) fn end_drawing(&mut self, job: JobId) {
        let id = DocumentId::of_job(job);
        let Some(Origin::Drawing(drawing)) = self.documents.get(id).map(Document::origin) else { return };
        if let Some(latent) = drawing.steps.last().map(|step| step.denoised.clone()) {
            let trajectory = Trajectory { steps: drawing.steps.clone() };
            self.settle(job, latent, trajectory.into(), true, Outcome::Stopped);
        } else {
            self.documents.take(id);
            self.documents.refresh();
        }
    }

    /// Keeps the latent on the easel as it is edited, as a document of its own.
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

    /// Compares the document on the easel with another one, or with none.
    pub(super) fn compare_with(&mut self, other: Option<DocumentId>) {
        self.documents.compared =
            other.filter(|id| self.documents.easel != Some(*id) && self.documents.get(*id).is_some());
    }

    /// Takes a document's settings back into the draft.
    pub(super) fn use_settings(&mut self, id: DocumentId, what: super::Reuse) {
        let Some(document) = self.documents.get(id) else { return };
        match (document.request().cloned(), document.facts()) {
            (Some(request), _) => self.recipe.reuse(&request, what),
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
