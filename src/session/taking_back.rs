//! What was taken away and comes back if that was a slip: documents, and pictures that were waiting.

use super::queue::{Asked, Dropped, Queued};
use super::{Document, DocumentId, Effect, Message, Outcome, Session};

/// Most documents, and most lots of waiting pictures, that can come back: documents hold their latents.
const MAX_REMOVED: usize = 10;

impl Session {
    /// Whether what this message told of can be taken back.
    pub fn can_take_back(&self, notice: u64) -> bool {
        self.documents.removed.iter().any(|(id, ..)| *id == notice)
            || self.queue.dropped.iter().any(|dropped| dropped.notice == notice)
    }

    /// The message that told of what was taken away last.
    pub fn last_taken_away(&self) -> Option<u64> {
        let documents = self.documents.removed.iter().map(|(id, ..)| *id);
        documents.chain(self.queue.dropped.iter().map(|dropped| dropped.notice)).max()
    }

    /// Takes a document away; a message offers to bring it back. What is being drawn is stopped instead.
    pub(super) fn remove(&mut self, id: DocumentId) {
        if self.documents.get(id).is_none_or(Document::is_drawing) {
            return;
        }
        let Some((at, document)) = self.documents.take(id) else { return };
        self.documents.refresh();
        if let Some(item) = document.result() {
            self.outbox.effects.push(Effect::Forget(item.job));
        }
        let notice = self.notify(Message::Removed(document.title()));
        self.documents.removed.push((notice, at, document));
        if self.documents.removed.len() > MAX_REMOVED {
            self.documents.removed.remove(0);
        }
    }

    /// Lets pictures that wait go; a message offers to bring them back.
    pub(super) fn drop_waiting(&mut self, wanted: impl Fn(&Queued) -> bool) {
        let waiting: Vec<Queued> = self.queue.waiting.extract_if(.., |queued| wanted(queued)).collect();
        self.dropped(waiting, Vec::new());
    }

    /// Lets go all that was asked for and not begun.
    pub(super) fn drop_all_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.queue.waiting);
        let asked = std::mem::take(&mut self.queue.asked);
        self.dropped(waiting, asked);
    }

    fn dropped(&mut self, waiting: Vec<Queued>, asked: Vec<Asked>) {
        let count = waiting.len() as u64 + asked.iter().map(|asked| asked.count).sum::<u64>();
        if count > 0 {
            self.queue.series_shrinks(waiting.len() as u64);
            let notice = self.notify(Message::Dropped(count));
            self.queue.dropped.push(Dropped { notice, waiting, asked });
            if self.queue.dropped.len() > MAX_REMOVED {
                self.queue.dropped.remove(0);
            }
        }
    }

    /// Brings back what this message told of, in its place.
    pub(super) fn take_back(&mut self, notice: u64) {
        if let Some(at) = self.queue.dropped.iter().position(|dropped| dropped.notice == notice) {
            let Dropped { waiting, asked, .. } = self.queue.dropped.remove(at);
            self.queue.series_grows(waiting.len() as u64);
            self.queue.waiting.extend(waiting);
            if self.model.load.is_some() {
                self.queue.asked.extend(asked);
            } else {
                for Asked { draft, count } in asked {
                    self.enqueue(&draft, count);
                }
            }
            self.start_next();
        } else if let Some(at) = self.documents.removed.iter().position(|(id, ..)| *id == notice) {
            let (_, at, document) = self.documents.removed.remove(at);
            self.put_back(at, document);
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
                // Its decoding ended while it was away.
                self.recovering.to_decode.push_back(job);
            }
        }
        let id = document.id();
        let at = at.min(self.documents.list.len());
        self.documents.list.insert(at, document);
        self.decode_next();
        self.show(id);
    }

    /// Takes a message away, and with it what it offered.
    pub(super) fn dismiss(&mut self, notice: u64) {
        self.notices.list.retain(|known| known.id != notice);
        self.documents.removed.retain(|(id, ..)| *id != notice);
        self.queue.dropped.retain(|dropped| dropped.notice != notice);
    }
}
