//! Keeps fast keyboard input in order when frames are slow.
//!
//! egui moves the focus before it passes a frame's text to a field: "500", Tab, "700" within one frame would all go to
//! the second field. Here each Tab gets its own frame.

use std::collections::VecDeque;

use egui::{Event, Key};

/// Queue of events that are deferred to later frames.
#[derive(Default)]
pub(super) struct Typing {
    held: VecDeque<Event>,
}

impl Typing {
    /// Defers the events that would reach the wrong field in this frame. Returns whether another frame is needed.
    pub(super) fn keep_in_order(&mut self, events: &mut Vec<Event>) -> bool {
        self.held.extend(events.drain(..));
        let mut has_tab = false;
        while let Some(event) = self.held.front() {
            let is_tab = matches!(event, Event::Key { key: Key::Tab, pressed: true, .. });
            if (is_tab && events.iter().any(is_input)) || (has_tab && is_input(event)) {
                break;
            }
            has_tab |= is_tab;
            events.extend(self.held.pop_front());
        }
        !self.held.is_empty()
    }
}

/// Whether an event goes to the focused widget or moves the focus.
fn is_input(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Paste(_) | Event::Ime(_) | Event::Key { pressed: true, .. })
}

#[cfg(test)]
mod tests {
    use egui::Modifiers;

    use super::*;

    fn key(key: Key) -> Event {
        let modifiers = Modifiers::NONE;
        Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    #[test]
    fn text_before_and_after_a_tab_reaches_two_fields() {
        let text = |text: &str| Event::Text(text.to_owned());
        let mut typing = Typing::default();
        let mut frame = vec![text("500"), key(Key::Tab), text("700"), key(Key::Tab)];
        assert!(typing.keep_in_order(&mut frame));
        assert_eq!(frame, [text("500")]);
        let mut next = || {
            let mut frame = Vec::new();
            let more = typing.keep_in_order(&mut frame);
            (frame, more)
        };
        assert_eq!(next(), (vec![key(Key::Tab)], true));
        assert_eq!(next(), (vec![text("700")], true));
        assert_eq!(next(), (vec![key(Key::Tab)], false));
        assert_eq!(next(), (Vec::new(), false));
    }
}
