//! Delivery of events from the engine's thread to the client.

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

    /// Sends an event; blocks while the channel is full. No effect once the client has disconnected.
    pub(super) fn send(&self, event: Event) {
        let _ = self.events.send(event);
        (self.waker)();
    }

    /// Sends an event; drops it if the channel is full.
    pub(super) fn offer(&self, event: Event) {
        if self.events.try_send(event).is_ok() {
            (self.waker)();
        }
    }
}
