//! Two results, files or steps that are compared: in place of the easel, and in the page of a family.

mod controls;
mod draw;
mod facts;
mod keys;

use egui::{Align, Color32, Layout, Rect, RichText, Sense, Stroke, Ui, UiBuilder, Vec2};

use super::controls::{Icon, icon_button, quiet};
use super::desk::Desk;
use super::pair_view::{PairMode, PairQuantity};
use super::waiting::waiting_ui;
use super::words::title_words;
use super::{Text, theme};
use crate::session::{Action, CompareAction, Session, Side};

pub(super) use controls::{choose_ui, figures_words, modes_ui, start_ui, step_button_ui};
pub(super) use keys::keys;

/// Height of the line with the titles, points.
const TITLES: f32 = 32.0;
/// Width of the column of figures and settings, and the room from which they stand beside the pictures, points.
const FACTS_WIDTH: f32 = 248.0;
const WIDE: f32 = 760.0;
/// Height of the figures and settings below the pictures in a narrow room, points.
const FACTS_HEIGHT: f32 = 108.0;
const WHOLE: Rect = Rect { min: egui::Pos2::ZERO, max: egui::Pos2 { x: 1.0, y: 1.0 } };

/// What is compared in this frame: both, the end of a run of a family that left no other, or nothing.
pub(super) fn shown_sides(session: &Session, desk: &Desk) -> Vec<Side> {
    let view = session.history().family_view();
    let is_covered = desk.gallery && (view.is_none() || !session.history().is_kept());
    if is_covered || desk.grid.is_open {
        return Vec::new();
    }
    match session.pair() {
        Some(pair) => pair.into(),
        None => view.and_then(|view| view.end()).cloned().into_iter().collect(),
    }
}

/// The size of a side as it is shown, pixels of its picture.
pub(super) fn size_of(side: &Side, desk: &Desk) -> Option<Vec2> {
    let of_latent = side.latent_size_px().filter(|_| desk.compare.quantity == PairQuantity::Latent);
    let (width, height) = of_latent.or_else(|| side.size_px())?;
    Some(Vec2::new(width as f32, height as f32))
}

/// The colours of the first and the second, which are also those of their frames on the contact sheet.
fn colours(dark: bool) -> [Color32; 2] {
    [theme::warning(dark), theme::accent(dark)]
}

/// The title of a side, with its step.
fn side_words(side: &Side, text: &Text) -> String {
    let title = title_words(&side.title, text);
    match side.step {
        Some(step) => format!("{} {}/{} · {title}", text.step, step.step, step.steps),
        None => title,
    }
}

/// Draws what is compared, with figures and the settings that differ.
pub(super) fn pair_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    sides: &[Side],
    room: Rect,
    actions: &mut Vec<Action>,
) {
    ui.painter().rect_filled(room, 0.0, theme::easel(ui.visuals().dark_mode));
    let (above, facts) = if sides.len() < 2 {
        (room, None)
    } else if room.width() >= WIDE {
        let (above, facts) = room.split_left_right_at_x((room.right() - FACTS_WIDTH).round());
        (above, Some(facts))
    } else {
        let (above, facts) = room.split_top_bottom_at_y((room.bottom() - FACTS_HEIGHT).round());
        (above, Some(facts))
    };
    let (titles, pictures) = above.split_top_bottom_at_y(above.top() + TITLES);
    // Before anything is drawn, so that the titles say which of both the picture is.
    if draw::mode_of(desk, sides) == PairMode::Blink
        && let Some(left) = desk.compare.tick(ui.input(|input| input.time))
    {
        ui.ctx().request_repaint_after_secs(left as f32);
    }
    titles_ui(ui, session, desk, sides, titles, actions);
    if sides.iter().all(|side| size_of(side, desk).is_some()) {
        draw::pictures_ui(ui, session, desk, sides, pictures, actions);
    } else {
        let middle = Rect::from_center_size(pictures.center(), Vec2::new(200.0, 60.0));
        let layout = Layout::top_down(Align::Center);
        waiting_ui(&mut ui.new_child(UiBuilder::new().max_rect(middle).layout(layout)), desk);
    }
    if let (Some(facts), [first, second]) = (facts, sides) {
        let fill = ui.visuals().panel_fill;
        ui.painter().rect_filled(facts, 0.0, fill);
        let seam = Stroke::new(1.0, theme::seam(ui.visuals().dark_mode));
        if facts.left() > room.left() {
            ui.painter().vline(facts.left(), facts.y_range(), seam);
        } else {
            ui.painter().hline(facts.x_range(), facts.top(), seam);
        }
        let inner = facts.shrink2(Vec2::new(12.0, 6.0));
        let mut ui = ui.new_child(UiBuilder::new().id_salt("compared facts").max_rect(inner));
        facts::facts_ui(&mut ui, session, desk, [first, second], actions);
    }
}

/// The titles over both, and buttons to swap them and to end.
fn titles_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    sides: &[Side],
    line: Rect,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let is_pair = sides.len() > 1;
    let half = line.center().x.round();
    // A family is left by the buttons of its page.
    let has_buttons = session.first_compared().is_some() && session.history().family_view().is_none();
    let blinks = is_pair && draw::mode_of(desk, sides) == PairMode::Blink;
    let shown = blinks.then_some(desk.compare.shows_second);
    for (index, (side, colour)) in sides.iter().zip(colours(dark)).enumerate() {
        let part = match (is_pair, index) {
            (false, _) => line,
            (true, 0) => line.with_max_x(half),
            (true, _) => line.with_min_x(half),
        };
        let part = part.shrink2(Vec2::new(12.0, 2.0));
        let layout = Layout::left_to_right(Align::Center);
        let mut ui = ui.new_child(UiBuilder::new().id_salt(("side", index)).max_rect(part).layout(layout));
        let (mark, _) = ui.allocate_exact_size(Vec2::splat(8.0), Sense::hover());
        ui.painter().rect_filled(mark, 2.0, colour);
        let is_lit = shown.is_none_or(|second| second == (index == 1));
        let ink = if is_lit { ui.visuals().text_color() } else { theme::quiet(dark) };
        let buttons = if is_pair && index == 1 && has_buttons { 68.0 } else { 0.0 };
        let width = (ui.available_width() - buttons).max(20.0);
        let title = egui::Label::new(RichText::new(side_words(side, text)).small().color(ink)).truncate();
        let size = Vec2::new(width, ui.available_height());
        ui.allocate_ui_with_layout(size, layout, |ui| {
            ui.set_min_width(width);
            ui.add(title)
        });
        if buttons == 0.0 {
            continue;
        }
        ui.spacing_mut().item_spacing.x = 4.0;
        let swaps = ui
            .add_enabled_ui(session.can_swap_pair(), |ui| {
                icon_button(ui, Icon::Swap, None, 24.0, text.compare_swap, "X")
            })
            .inner;
        if swaps.clicked() {
            actions.push(Action::Compare(CompareAction::Swap));
        }
        if icon_button(&mut ui, Icon::Cross, None, 24.0, text.end_comparison, "Esc").clicked() {
            actions.push(Action::Compare(CompareAction::End));
        }
    }
    if sides.is_empty() {
        let mut ui = ui.new_child(UiBuilder::new().max_rect(line.shrink2(Vec2::new(12.0, 4.0))));
        quiet(&mut ui, text.loading);
    }
}
