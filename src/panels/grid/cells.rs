//! The pictures of a grid, with the values of the axes along their edges.

use egui::{Align2, FontId, Key, Modifiers, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, Vec2};

use super::setting_name;
use super::words::failure_words;
use crate::panels::controls::{segment, tip};
use crate::panels::desk::Desk;
use crate::panels::{Text, theme};
use crate::request::grid::{Grid, GridAxis, GridValue, Place};
use crate::session::history::HistoryAction;
use crate::session::{Action, CellState, DocumentId, GridAction, Session};

const GAP: f32 = 4.0;
/// The least and the largest longer edge of a cell, points.
const LEAST: f32 = 88.0;
const MOST: f32 = 320.0;
/// Height of the labels of the columns and greatest width of those of the rows, points.
const LABEL_HEIGHT: f32 = 22.0;
const LABEL_WIDTH: f32 = 132.0;

pub(super) fn cells_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    grid: &Grid,
    states: &[CellState<'_>],
    actions: &mut Vec<Action>,
) {
    let shape = grid.shape();
    for (at, most) in desk.grid.place.iter_mut().zip(shape) {
        *at = (*at).min(most - 1);
    }
    if let Some(axis) = grid.axes().get(2) {
        pages_ui(ui, desk, axis);
        ui.add_space(4.0);
    }
    keys(ui, session, desk, grid, actions);
    let font = FontId::proportional(12.0);
    let widths = grid.axes().get(1).map_or(0.0, |axis| {
        let width = |at: usize| {
            let words = label(axis, at, desk.text);
            ui.painter().layout_no_wrap(words, font.clone(), egui::Color32::WHITE).size().x
        };
        (0..axis.values().len()).map(width).fold(0.0, f32::max).min(LABEL_WIDTH) + 12.0
    });
    let corner = Vec2::new(widths, LABEL_HEIGHT);
    let cell = cell_size(ui.available_size() - corner, shape, aspect(session, states));
    let pitch = cell + Vec2::splat(GAP);
    let all = corner + Vec2::new(shape[0] as f32, shape[1] as f32) * pitch;
    let area = egui::ScrollArea::both().auto_shrink(false).id_salt("grid cells");
    area.show(ui, |ui| {
        let (whole, _) = ui.allocate_exact_size(all, Sense::hover());
        let seen = ui.clip_rect();
        let page = desk.grid.place[2];
        let scrolls = std::mem::take(&mut desk.grid.scrolls);
        for row in 0..shape[1] {
            for column in 0..shape[0] {
                let at = whole.min + corner + Vec2::new(column as f32, row as f32) * pitch;
                let rect = Rect::from_min_size(at, cell);
                let place = [column, row, page];
                if scrolls && place == desk.grid.place {
                    // The labels cover what is at the edge.
                    ui.scroll_to_rect(Rect::from_min_max(rect.min - corner, rect.max), None);
                }
                if rect.intersects(seen) {
                    let state = &states[grid.index(place)];
                    cell_ui(ui, session, desk, (grid, place), (rect, state), actions);
                }
            }
        }
        labels(ui, desk.text, grid, (whole.min, corner, cell), seen);
    });
}

/// The tabs of the third axis.
fn pages_ui(ui: &mut Ui, desk: &mut Desk, axis: &GridAxis) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(4.0);
        for page in 0..axis.values().len() {
            let words = label(axis, page, desk.text);
            let tab = segment(ui, desk.grid.place[2] == page, true, &words);
            if tip(tab, desk.text.grid_pages, "Page Up · Page Down").clicked() {
                desk.grid.place[2] = page;
            }
        }
    });
}

/// Width over height of the pictures.
fn aspect(session: &Session, states: &[CellState<'_>]) -> f32 {
    let drawn = states.iter().find_map(|state| match state {
        CellState::Drawn(picture) => Some(Vec2::new(picture.width() as f32, picture.height() as f32)),
        _ => None,
    });
    let size = session.draft().size;
    let size = drawn.unwrap_or(Vec2::new(size.width as f32, size.height as f32));
    (size.x / size.y.max(1.0)).clamp(0.25, 4.0)
}

/// The size of a cell: as large as all fit, within bounds.
fn cell_size(room: Vec2, [columns, rows, _]: Place, aspect: f32) -> Vec2 {
    let width = room.x / columns as f32 - GAP;
    let height = room.y / rows as f32 - GAP;
    let width = width.min(height * aspect);
    let longer = width.max(width / aspect).clamp(LEAST, MOST);
    let size =
        if aspect >= 1.0 { Vec2::new(longer, longer / aspect) } else { Vec2::new(longer * aspect, longer) };
    size.floor()
}

/// The label of a value in the window's language.
pub(super) fn label(axis: &GridAxis, at: usize, text: &Text) -> String {
    let setting = axis.setting();
    match axis.values().get(at) {
        Some(GridValue::Words(words)) if words.trim().is_empty() => {
            text.grid_without.replace("{}", axis.replaced())
        }
        Some(value) if setting.prefix().is_some() => {
            format!("{} {}", setting_name(setting, text), value.name())
        }
        Some(value) => value.name(),
        None => String::new(),
    }
}

/// The values of a cell in one line.
fn cell_words(grid: &Grid, place: Place, text: &Text) -> String {
    let labels: Vec<_> = grid.axes().iter().zip(place).map(|(axis, at)| label(axis, at, text)).collect();
    labels.join(" · ")
}

/// The labels of columns and rows, which stay in sight while the pictures scroll below them.
fn labels(ui: &Ui, text: &Text, grid: &Grid, (origin, corner, cell): (Pos2, Vec2, Vec2), seen: Rect) {
    let dark = ui.visuals().dark_mode;
    let (painter, ground) = (ui.painter(), theme::easel(dark));
    let (font, ink) = (FontId::proportional(12.0), ui.visuals().text_color());
    let pitch = cell + Vec2::splat(GAP);
    let (left, top) = (origin.x.max(seen.left()), origin.y.max(seen.top()));
    let written = |words: String, width: f32| {
        let mut job = egui::text::LayoutJob::simple_singleline(words, font.clone(), ink);
        job.wrap = egui::text::TextWrapping::truncate_at_width(width);
        painter.layout_job(job)
    };
    if let Some(axis) = grid.axes().first() {
        let line = Rect::from_min_max(Pos2::new(left, top), Pos2::new(seen.right(), top + corner.y));
        painter.rect_filled(line, 0.0, ground);
        for column in 0..axis.values().len() {
            let from = origin.x + corner.x + column as f32 * pitch.x;
            let words = written(label(axis, column, text), cell.x);
            let at = Pos2::new(from + (cell.x - words.size().x) / 2.0, top + 2.0);
            painter.galley(at, words, ink);
        }
    }
    if let Some(axis) = grid.axes().get(1) {
        let below = Pos2::new(left, top + corner.y);
        let strip = Rect::from_min_max(below, Pos2::new(left + corner.x, seen.bottom()));
        let clipped = painter.with_clip_rect(strip.intersect(seen));
        clipped.rect_filled(strip, 0.0, ground);
        for row in 0..axis.values().len() {
            let from = origin.y + corner.y + row as f32 * pitch.y;
            let words = written(label(axis, row, text), corner.x - 12.0);
            let size = words.size();
            let at = Pos2::new(left + corner.x - 8.0 - size.x, from + (cell.y - size.y) / 2.0);
            clipped.galley(at, words, ink);
        }
    }
    // Where both meet.
    painter.rect_filled(Rect::from_min_size(Pos2::new(left, top), corner), 0.0, ground);
}

fn cell_ui(
    ui: &Ui,
    session: &Session,
    desk: &mut Desk,
    (grid, place): (&Grid, Place),
    (rect, state): (Rect, &CellState<'_>),
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let index = grid.index(place);
    let response = ui.interact(rect, ui.scope_id().with(("cell", index)), Sense::click());
    let words = cell_words(grid, place, text);
    let is_chosen = desk.grid.place == place;
    let said = format!("{words}: {}", state_words(state, text));
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_chosen, &said));
    ui.painter().rect_filled(rect, 3.0, theme::sunken(dark));
    let note = |words: &str| {
        let (font, colour) = (FontId::proportional(12.0), theme::quiet(dark));
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, font, colour);
    };
    match state {
        CellState::Drawn(picture) => {
            let texture = desk.grid.texture(ui, picture);
            let inner = fitted(rect, [picture.width(), picture.height()]);
            egui::Image::new((texture, inner.size())).corner_radius(3).paint_at(ui, inner);
        }
        CellState::Drawing(running) => {
            let document = session.document(DocumentId::of_job(running.id));
            match document.and_then(|document| desk.newest_preview(session, document)) {
                Some((texture, size)) => {
                    let inner = fitted(rect, size);
                    egui::Image::new((texture, inner.size())).corner_radius(3).paint_at(ui, inner);
                }
                None => note(state_words(state, text)),
            }
            let bar = Rect::from_min_max(rect.left_bottom() - Vec2::new(0.0, 4.0), rect.max);
            ui.painter().rect_filled(bar, 0.0, theme::chip());
            let done = bar.with_max_x(bar.left() + bar.width() * running.progress());
            ui.painter().rect_filled(done, 0.0, theme::accent(dark));
        }
        CellState::Waiting | CellState::Missing | CellState::Kept => note(state_words(state, text)),
        CellState::Failed(_) => {
            let sign = Rect::from_center_size(rect.center() - Vec2::new(0.0, 10.0), Vec2::splat(18.0));
            crate::panels::controls::Icon::Warning.paint(ui.painter(), sign, theme::warning(dark));
            let (font, colour) = (FontId::proportional(12.0), theme::warning(dark));
            let below = rect.center() + Vec2::new(0.0, 12.0);
            ui.painter().text(below, Align2::CENTER_CENTER, text.grid_failed, font, colour);
        }
    }
    let outline =
        if is_chosen { Stroke::new(2.0, theme::accent(dark)) } else { Stroke::new(1.0, theme::seam(dark)) };
    ui.painter().rect_stroke(rect, 3.0, outline, StrokeKind::Inside);
    if response.clicked() {
        desk.grid.place = place;
        show(session, desk, state, place, actions);
    }
    let hint = match state {
        CellState::Failed(failure) => format!("{words}\n{}", failure_words(failure, desk.language)),
        CellState::Drawn(_) | CellState::Drawing(_) => format!("{words}\n{}", text.grid_cell_hint),
        _ => said,
    };
    tip(response, &hint, "");
}

/// The part of a cell that a picture of this size fills.
fn fitted(rect: Rect, [width, height]: [usize; 2]) -> Rect {
    let size = Vec2::new(width.max(1) as f32, height.max(1) as f32);
    let scale = (rect.width() / size.x).min(rect.height() / size.y);
    Rect::from_center_size(rect.center(), size * scale)
}

fn state_words(state: &CellState<'_>, text: &Text) -> &'static str {
    match state {
        CellState::Waiting => text.grid_waiting,
        CellState::Drawing(_) => text.grid_drawing,
        CellState::Drawn(_) => text.grid_drawn,
        CellState::Kept => text.loading,
        CellState::Failed(_) => text.grid_failed,
        CellState::Missing => text.grid_not_drawn,
    }
}

/// Shows a cell on the easel, if there is something to show.
fn show(session: &Session, desk: &mut Desk, state: &CellState<'_>, place: Place, actions: &mut Vec<Action>) {
    if matches!(state, CellState::Drawn(_) | CellState::Drawing(_) | CellState::Kept) {
        actions.push(Action::Grid(GridAction::Show(place)));
        desk.grid.is_open = false;
        if session.history().family_view().is_some() {
            actions.push(Action::History(HistoryAction::CloseFamily));
        }
    }
}

/// The arrows walk from cell to cell, Page Up and Down from page to page, Enter shows a cell.
fn keys(ui: &Ui, session: &Session, desk: &mut Desk, grid: &Grid, actions: &mut Vec<Action>) {
    let ctx = ui.ctx();
    let is_taken = desk.keys_are_taken || session.question().is_some() || desk.overlay.is_some();
    let is_focused = ctx.memory(egui::Memory::focused).is_some();
    if is_taken || is_focused || ctx.text_edit_focused() || egui::Popup::is_any_open(ctx) {
        return;
    }
    let (shape, before) = (grid.shape(), desk.grid.place);
    let mut shows = false;
    ui.input_mut(|input| {
        for (key, axis, by) in [
            (Key::ArrowLeft, 0, -1),
            (Key::ArrowRight, 0, 1),
            (Key::ArrowUp, 1, -1),
            (Key::ArrowDown, 1, 1),
            (Key::PageUp, 2, -1),
            (Key::PageDown, 2, 1),
        ] {
            for _ in 0..input.count_and_consume_key(Modifiers::NONE, key) {
                let at = &mut desk.grid.place[axis];
                *at = at.saturating_add_signed(by).min(shape[axis] - 1);
            }
        }
        shows = input.consume_key(Modifiers::NONE, Key::Enter);
    });
    desk.grid.scrolls |= desk.grid.place != before;
    if shows {
        let (place, states) = (desk.grid.place, session.cell_states());
        show(session, desk, &states[grid.index(place)], place, actions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_fill_the_room_and_keep_their_proportion() {
        let room = Vec2::new(800.0, 400.0);
        assert_eq!(cell_size(room, [2, 2, 1], 1.0), Vec2::splat(196.0));
        assert_eq!(cell_size(room, [1, 1, 1], 1.0), Vec2::splat(MOST));
        assert_eq!(cell_size(room, [20, 20, 1], 1.0), Vec2::splat(LEAST), "they scroll");
        assert_eq!(cell_size(room, [3, 1, 1], 2.0), Vec2::new(262.0, 131.0));
        assert_eq!(cell_size(room, [20, 20, 1], 0.5), Vec2::new(LEAST / 2.0, LEAST));
        let inner = fitted(Rect::from_min_size(Pos2::ZERO, Vec2::splat(100.0)), [200, 100]);
        assert_eq!(inner, Rect::from_min_max(Pos2::new(0.0, 25.0), Pos2::new(100.0, 75.0)));
    }
}
