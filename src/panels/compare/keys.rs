//! Keys of a comparison.

use egui::{InputState, Key, Modifiers};

use super::controls::can_choose;
use super::shown_sides;
use crate::panels::desk::Desk;
use crate::panels::pair_view::{PairMode, PairQuantity};
use crate::session::history::HistoryAction;
use crate::session::{Action, CompareAction, Session};

/// How far Shift and an arrow key move the line of the wipe, a share of the picture's width.
const WIPE_STEP: f32 = 0.05;

/// C begins a comparison: of what the easel shows, or of two runs that are chosen in the gallery. The others choose how
/// both are shown.
pub(in crate::panels) fn keys(
    input: &mut InputState,
    session: &Session,
    desk: &mut Desk,
    actions: &mut Vec<Action>,
) {
    let pressed = |input: &mut InputState, key| input.consume_key(Modifiers::NONE, key);
    if desk.gallery && session.history().family_view().is_none() {
        if let Some([first, second]) = desk.runs.two_chosen(session.history())
            && pressed(input, Key::C)
        {
            actions.push(Action::History(HistoryAction::Compare(first, second)));
            desk.gallery = false;
        }
        return;
    }
    if !desk.gallery && can_choose(session) && pressed(input, Key::C) {
        actions.push(Action::Compare(CompareAction::ChooseShown));
    }
    let sides = shown_sides(session, desk);
    if sides.is_empty() {
        return;
    }
    if pressed(input, Key::T) {
        desk.compare.quantity = match desk.compare.quantity {
            PairQuantity::Picture if sides.iter().all(|side| side.latent.is_some()) => PairQuantity::Latent,
            _ => PairQuantity::Picture,
        };
    }
    if sides.len() < 2 {
        return;
    }
    for (key, mode) in [(Key::S, PairMode::Beside), (Key::W, PairMode::Wipe), (Key::D, PairMode::Difference)]
    {
        if pressed(input, key) {
            desk.compare.choose(mode, desk.reduced_motion);
        }
    }
    if pressed(input, Key::K) {
        if desk.compare.mode == PairMode::Blink {
            desk.compare.flip();
        } else {
            desk.compare.choose(PairMode::Blink, desk.reduced_motion);
        }
    }
    if session.can_swap_pair() && pressed(input, Key::X) {
        actions.push(Action::Compare(CompareAction::Swap));
    }
    for (key, by) in [(Key::ArrowLeft, -WIPE_STEP), (Key::ArrowRight, WIPE_STEP)] {
        if desk.compare.mode == PairMode::Wipe && input.consume_key(Modifiers::SHIFT, key) {
            desk.wipe = (desk.wipe + by).clamp(0.0, 1.0);
        }
    }
}
