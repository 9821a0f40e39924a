//! Keeps fast input in order when frames are slow.
//!
//! egui moves the focus before it passes a frame's text to a field: "500", Tab, "700" within one frame would all go to
//! the second field. And it finds what is clicked by the frame's last position of the pointer: a click after which the
//! pointer moves on within the frame would be lost. Its modifier keys are those at the frame's end: a click with a key
//! that is released within the frame would be a plain one. Here each Tab gets its own frame, and a move or a change
//! of the modifier keys that follows a button begins another one.

use std::collections::VecDeque;

use egui::{Event, Key};

/// Queue of events that are deferred to later frames.
#[derive(Default)]
pub(super) struct InputOrder {
    held: VecDeque<Event>,
}

impl InputOrder {
    /// Defers the events that would reach the wrong widget in this frame. Returns whether another frame is needed.
    pub(super) fn keep(&mut self, events: &mut Vec<Event>) -> bool {
        self.held.extend(events.drain(..));
        let (mut has_tab, mut has_button) = (false, false);
        while let Some(event) = self.held.front() {
            let is_tab = matches!(event, Event::Key { key: Key::Tab, pressed: true, .. });
            let is_late_text = (is_tab && events.iter().any(is_text)) || (has_tab && is_text(event));
            let leaves =
                matches!(event, Event::PointerMoved(_) | Event::PointerGone | Event::ModifiersChanged(_));
            if is_late_text || (has_button && leaves) {
                break;
            }
            has_tab |= is_tab;
            has_button |= matches!(event, Event::PointerButton { .. });
            events.extend(self.held.pop_front());
        }
        !self.held.is_empty()
    }
}

/// Whether an event goes to the focused widget or moves the focus.
fn is_text(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Paste(_) | Event::Ime(_) | Event::Key { pressed: true, .. })
}

#[cfg(test)]
mod tests {
    use egui::{Modifiers, PointerButton, Pos2, pos2};

    use super::*;

    fn key(key: Key) -> Event {
        let modifiers = Modifiers::NONE;
        Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    fn button(pos: Pos2, pressed: bool) -> Event {
        Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
    }

    /// The frames that these events of one frame become.
    fn frames(events: Vec<Event>) -> Vec<Vec<Event>> {
        let (mut order, mut frames) = (InputOrder::default(), Vec::new());
        let mut frame = events;
        loop {
            let more = order.keep(&mut frame);
            frames.push(std::mem::take(&mut frame));
            if !more {
                return frames;
            }
        }
    }

    #[test]
    fn text_before_and_after_a_tab_reaches_two_fields() {
        let text = |text: &str| Event::Text(text.to_owned());
        let (first, second) = (text("500"), text("700"));
        let all = vec![first.clone(), key(Key::Tab), second.clone(), key(Key::Tab)];
        assert_eq!(frames(all), [vec![first], vec![key(Key::Tab)], vec![second], vec![key(Key::Tab)]]);
        assert_eq!(frames(Vec::new()), [Vec::new()]);
    }

    #[test]
    fn a_click_is_not_changed_by_what_follows_it() {
        let (here, there) = (pos2(10.0, 10.0), pos2(90.0, 40.0));
        let to = |pos| Event::PointerMoved(pos);
        let click = vec![to(here), button(here, true), button(here, false)];
        let next = vec![to(there), button(there, true), button(there, false), Event::PointerGone];
        let [first, second] = [click.clone(), next[..3].to_vec()];
        assert_eq!(frames([click, next].concat()), [first, second, vec![Event::PointerGone]]);
        let ctrl = |modifiers| Event::ModifiersChanged(modifiers);
        let with_key =
            [ctrl(Modifiers::CTRL), button(here, true), button(here, false), ctrl(Modifiers::NONE)];
        assert_eq!(frames(with_key.to_vec()), [with_key[..3].to_vec(), with_key[3..].to_vec()]);
        let drag = vec![button(here, true), to(pos2(20.0, 10.0)), to(there), button(there, false)];
        assert_eq!(frames(drag.clone()), [drag[..1].to_vec(), drag[1..].to_vec()]);
    }
}
