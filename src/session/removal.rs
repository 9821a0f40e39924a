//! Results that are taken away, and come back if that was a slip.

use super::{Effect, Message, Outcome, Session, Shown};

/// Most results that can come back after they were taken away: each holds its latents.
const MAX_REMOVED: usize = 10;

impl Session {
    /// Whether the result whose removal this message told of can come back.
    pub fn can_come_back(&self, notice: u64) -> bool {
        self.results.removed.iter().any(|(id, ..)| *id == notice)
    }

    /// Takes a result away; a message offers to bring it back.
    pub(super) fn remove_result(&mut self, index: usize) {
        if index >= self.results.items.len() {
            return;
        }
        let item = self.results.items.remove(index);
        self.outbox.effects.push(Effect::Forget(item.job));
        let notice = self.notices.next;
        self.notify(Message::Removed(item.request.prompt.clone()));
        self.results.removed.push((notice, index, item));
        if self.results.removed.len() > MAX_REMOVED {
            self.results.removed.remove(0);
        }
        self.results.shown = match self.results.shown {
            Shown::Result(at) if at == index => Shown::Live,
            Shown::Result(at) if at > index => Shown::Result(at - 1),
            other => other,
        };
        self.results.scrubbed = None;
    }

    /// Brings a result back, in its place.
    pub(super) fn undo_remove(&mut self, notice: u64) {
        let Some(at) = self.results.removed.iter().position(|(id, ..)| *id == notice) else { return };
        let (_, index, item) = self.results.removed.remove(at);
        let index = index.min(self.results.items.len());
        if !item.saved {
            self.outbox.effects.push(Effect::Keep(item.job));
        }
        let job = item.job;
        let is_running = self.queue.running.as_ref().is_some_and(|running| running.id == job);
        if matches!(item.outcome, Outcome::Decoding) && !is_running {
            // Its decoding ended while it was away.
            self.recovering.to_decode.push_back(job);
        }
        self.results.items.insert(index, item);
        self.decode_next();
        (self.results.shown, self.results.scrubbed) = (Shown::Result(index), None);
        self.follow_canvas();
        self.dismiss(notice);
    }

    /// Takes a message away, and with it what it offered.
    pub(super) fn dismiss(&mut self, notice: u64) {
        self.notices.list.retain(|known| known.id != notice);
        self.results.removed.retain(|(id, ..)| *id != notice);
    }
}
