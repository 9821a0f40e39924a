//! Undo of removals: documents, and pictures removed from the queue.

use super::history::HistoryAction;
use super::queue::{Deferred, Dropped, Queued};
use super::{Document, DocumentId, Effect, Message, Outcome, Session};

/// Number of removed documents, and of queue removals, that can be restored. Limited because documents hold their
/// latents in memory.
const MAX_REMOVED: usize = 10;

impl Session {
    /// Whether the removal reported by this notice can be undone.
    pub fn can_take_back(&self, notice: u64) -> bool {
        self.documents.removed.iter().any(|(id, ..)| *id == notice)
            || self.queue.dropped.iter().any(|dropped| dropped.notice == notice)
            || self.removed_entries().any(|id| id == notice)
            || self.meaning.replaced() == Some(notice)
    }

    /// The id of the notice of the last removal that can be undone.
    pub fn last_taken_away(&self) -> Option<u64> {
        let documents = self.documents.removed.iter().map(|(id, ..)| *id);
        let queued = self.queue.dropped.iter().map(|dropped| dropped.notice);
        documents.chain(queued).chain(self.removed_entries()).chain(self.meaning.replaced()).max()
    }

    /// Removes a document; a notice offers to restore it. A picture that is being generated is not removed.
    pub(super) fn remove(&mut self, id: DocumentId) {
        if self.documents.get(id).is_none_or(Document::is_drawing) {
            return;
        }
        let Some((at, document)) = self.documents.take(id) else { return };
        self.documents.refresh();
        if let Some(item) = document.result().filter(|_| document.run().is_none()) {
            self.outbox.effects.push(Effect::Forget(item.job));
        }
        let notice = self.notify(Message::Removed(document.title()));
        self.documents.removed.push((notice, at, document));
        if self.documents.removed.len() > MAX_REMOVED {
            let (.., document) = self.documents.removed.remove(0);
            self.delete_run_of(&document);
        }
    }

    /// Moves the run of a document that was removed for good to the trash.
    fn delete_run_of(&mut self, document: &Document) {
        if let Some(run) = document.run() {
            self.use_history(HistoryAction::Delete(vec![run.clone()]));
        }
    }

    /// Removes matching pictures from the queue; a notice offers to restore them.
    pub(super) fn drop_waiting(&mut self, wanted: impl Fn(&Queued) -> bool) {
        let waiting: Vec<Queued> = self.queue.waiting.extract_if(.., |queued| wanted(queued)).collect();
        self.dropped(waiting, Vec::new());
    }

    /// Clears the queue and the deferred requests.
    pub(super) fn drop_all_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.queue.waiting);
        let deferred = std::mem::take(&mut self.queue.deferred);
        self.dropped(waiting, deferred);
    }

    fn dropped(&mut self, waiting: Vec<Queued>, deferred: Vec<Deferred>) {
        let count = waiting.len() as u64 + deferred.iter().map(|deferred| deferred.count).sum::<u64>();
        if count > 0 {
            self.queue.series_shrinks(waiting.len() as u64);
            let notice = self.notify(Message::Dropped(count));
            self.queue.dropped.push(Dropped { notice, waiting, deferred });
            if self.queue.dropped.len() > MAX_REMOVED {
                self.queue.dropped.remove(0);
            }
        }
    }

    /// Undoes the removal that this notice reported.
    pub(super) fn take_back(&mut self, notice: u64) {
        if let Some(at) = self.queue.dropped.iter().position(|dropped| dropped.notice == notice) {
            let Dropped { waiting, deferred, .. } = self.queue.dropped.remove(at);
            self.queue.series_grows(waiting.len() as u64);
            self.queue.waiting.extend(waiting);
            if self.model.load.is_some() {
                self.queue.deferred.extend(deferred);
            } else {
                for Deferred { draft, count } in deferred {
                    self.enqueue(&draft, count);
                }
            }
            self.start_next();
        } else if let Some(at) = self.documents.removed.iter().position(|(id, ..)| *id == notice) {
            let (_, at, document) = self.documents.removed.remove(at);
            self.put_back(at, document);
        } else if self.meaning.replaced() == Some(notice) {
            self.restore_replaced(notice);
        } else {
            self.restore_entry(notice);
        }
        self.dismiss(notice);
    }

    fn put_back(&mut self, at: usize, document: Document) {
        if let Some(item) = document.result() {
            let job = item.job;
            if document.is_unsaved() {
                self.outbox.effects.push(Effect::Keep(job));
            }
            if matches!(item.outcome, Outcome::Decoding) && !self.queue.runs(job) {
                // Its decode ended while it was removed.
                self.recovering.to_decode.push_back(job);
            }
        }
        let id = document.id();
        let at = at.min(self.documents.list.len());
        self.documents.list.insert(at, document);
        self.decode_next();
        self.show(id);
    }

    /// Dismisses a notice, and drops what it offered to restore.
    pub(super) fn dismiss(&mut self, notice: u64) {
        self.notices.list.retain(|known| known.id != notice);
        let is_gone = |(id, ..): &mut (u64, usize, Document)| *id == notice;
        for (.., document) in self.documents.removed.extract_if(.., is_gone).collect::<Vec<_>>() {
            self.delete_run_of(&document);
        }
        self.queue.dropped.retain(|dropped| dropped.notice != notice);
        self.forget_removed_entry(notice);
        self.meaning.forget_replaced(notice);
    }
}
