//! The way of events from the engine's thread to the client.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::protocol::Event;

/// Sends events and wakes the client.
pub(super) struct Outbox {
    events: Sender<Event>,
    waker: Arc<dyn Fn() + Send + Sync>,
}

impl Outbox {
    pub(super) fn new(events: Sender<Event>, waker: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { events, waker }
    }

    /// Delivers an event; waits while the channel is full. Without effect once the client is gone.
    pub(super) fn send(&self, event: Event) {
        let _ = self.events.send(event);
        (self.waker)();
    }

    /// Delivers an event unless the channel is full.
    pub(super) fn offer(&self, event: Event) {
        if self.events.try_send(event).is_ok() {
            (self.waker)();
        }
    }
}
