//! Results that are taken away, and come back if that was a slip.

use super::{Effect, Message, Outcome, Session, Shown};

/// Most results that can come back after they were taken away: each holds its latents.
const MAX_REMOVED: usize = 10;

impl Session {
    /// Whether the result whose removal this message told of can come back.
    pub fn can_come_back(&self, notice: u64) -> bool {
        self.removed.iter().any(|(id, ..)| *id == notice)
    }

    /// Takes a result away; a message offers to bring it back.
    pub(super) fn remove_result(&mut self, index: usize) {
        if index >= self.results.len() {
            return;
        }
        let item = self.results.remove(index);
        self.effects.push(Effect::Forget(item.job));
        let notice = self.next_notice;
        self.notify(Message::Removed(item.request.prompt.clone()));
        self.removed.push((notice, index, item));
        if self.removed.len() > MAX_REMOVED {
            self.removed.remove(0);
        }
        self.shown = match self.shown {
            Shown::Result(at) if at == index => Shown::Live,
            Shown::Result(at) if at > index => Shown::Result(at - 1),
            other => other,
        };
        self.scrubbed = None;
    }

    /// Brings a result back, in its place.
    pub(super) fn undo_remove(&mut self, notice: u64) {
        let Some(at) = self.removed.iter().position(|(id, ..)| *id == notice) else { return };
        let (_, index, item) = self.removed.remove(at);
        let index = index.min(self.results.len());
        if !item.saved {
            self.effects.push(Effect::Keep(item.job));
        }
        let job = item.job;
        let is_running = self.running.as_ref().is_some_and(|running| running.id == job);
        if matches!(item.outcome, Outcome::Decoding) && !is_running {
            // Its decoding ended while it was away.
            self.to_decode.push_back(job);
        }
        self.results.insert(index, item);
        self.decode_next();
        (self.shown, self.scrubbed) = (Shown::Result(index), None);
        self.follow_canvas();
        self.dismiss(notice);
    }

    /// Takes a message away, and with it what it offered.
    pub(super) fn dismiss(&mut self, notice: u64) {
        self.notices.retain(|known| known.id != notice);
        self.removed.retain(|(id, ..)| *id != notice);
    }
}
