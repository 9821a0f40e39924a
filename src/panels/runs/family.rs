//! The family of a run as a tree, and the selected run beside the one it went on from.

use egui::{
    Align2, Color32, FontId, Key, Modifiers, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2,
};

use super::open;
use crate::panels::compare::{pair_ui, shown_sides};
use crate::panels::controls::{quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::sheet::square_part;
use crate::panels::theme;
use crate::session::history::{Family, HistoryAction, MemberPlace, RunId, RunStatus};
use crate::session::{Action, Session};

/// The edge of a run's frame, and the distances from one to the next, points.
const FRAME: f32 = 64.0;
const COLUMN: f32 = FRAME + 68.0;
const ROW: f32 = FRAME + 10.0;
/// Empty space around the tree, points.
const MARGIN: f32 = 12.0;
/// The largest part of the page that the tree takes.
const TREE_SHARE: f32 = 0.45;
/// Height of the line at the top, points.
const TOP: f32 = 44.0;

pub(super) fn family_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let Some(view) = session.history().family_view() else { return };
    let (family, selected) = (&view.family, view.selected);
    let room = ui.available_rect_before_wrap();
    ui.painter().rect_filled(room, 0.0, theme::easel(ui.visuals().dark_mode));
    let (top, rest) = room.split_top_bottom_at_y(room.top() + TOP);
    top_ui(ui, session, desk, top, actions);
    let (places, rows) = family.places();
    let wanted = rows as f32 * ROW + 2.0 * MARGIN;
    let height = wanted.min((rest.height() * TREE_SHARE).max(FRAME + 2.0 * MARGIN)).round();
    let (tree, below) = rest.split_top_bottom_at_y(rest.top() + height);
    if let Some(to) = keys(ui, session, desk, family, &places, selected, actions) {
        desk.runs.scrolls = true;
        actions.push(Action::History(HistoryAction::ShowFamily(family.members[to].id.clone())));
    }
    tree_ui(ui, session, desk, (family, &places, rows), tree, actions);
    let seam = Stroke::new(1.0, theme::seam(ui.visuals().dark_mode));
    ui.painter().hline(below.x_range(), below.top(), seam);
    let below = below.with_min_y(below.top() + 1.0);
    let sides = shown_sides(session, desk);
    if !sides.is_empty() {
        pair_ui(ui, session, desk, &sides, below, actions);
    }
    let text = desk.text;
    let words = match &family.members[selected].run {
        None => text.family_deleted_hint,
        Some(_) if view.lacks_step => text.family_lacks_step,
        Some(_) => return,
    };
    let at = Rect::from_center_size(
        Pos2::new(below.center().x, below.bottom() - 20.0),
        Vec2::new(below.width() - 24.0, 24.0),
    );
    ui.scope_builder(UiBuilder::new().max_rect(at), |ui| ui.centered_and_justified(|ui| quiet(ui, words)));
}

fn top_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, line: Rect, actions: &mut Vec<Action>) {
    let text = desk.text;
    let Some(view) = session.history().family_view() else { return };
    let member = &view.family.members[view.selected];
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let inner = line.shrink2(Vec2::new(12.0, 6.0));
    let mut ui = ui.new_child(UiBuilder::new().id_salt("family top").max_rect(inner).layout(layout));
    if tip(ui.button(text.family_back), text.family_back_hint, "Esc").clicked() {
        actions.push(Action::History(HistoryAction::CloseFamily));
    }
    let is_known = member.run.is_some();
    let shows = ui.add_enabled(is_known, egui::Button::new(text.show_run));
    if tip(shows, text.show_run_hint, "Enter").clicked() {
        open(desk, &member.id, actions);
    }
    let parent = member.from.map(|(from, _)| &view.family.members[from]);
    let parent = parent.filter(|parent| is_known && parent.run.is_some()).map(|parent| parent.id.clone());
    let compares = ui.add_enabled(parent.is_some(), egui::Button::new(text.compare_runs));
    if tip(compares, text.family_compare_hint, "").clicked()
        && let Some(parent) = parent
    {
        actions.push(Action::History(HistoryAction::Compare(parent, member.id.clone())));
        desk.gallery = false;
    }
    let count = format!("{} {}", view.family.members.len(), text.pictures_kept);
    quiet(&mut ui, format!("{count} · {}", text.family_walk));
}

/// The tree: a frame for each run, and a line from the run it went on from, with the number of the step.
fn tree_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    (family, places, rows): (&Family, &[MemberPlace], usize),
    room: Rect,
    actions: &mut Vec<Action>,
) {
    let selected = session.history().family_view().map_or(0, |view| view.selected);
    let columns = places.iter().map(|place| place.column).max().unwrap_or_default();
    let size = Vec2::new(columns as f32 * COLUMN + FRAME, rows as f32 * ROW - (ROW - FRAME))
        + Vec2::splat(2.0 * MARGIN);
    let mut ui = ui.new_child(UiBuilder::new().id_salt("family").max_rect(room));
    let scrolls = std::mem::take(&mut desk.runs.scrolls);
    egui::ScrollArea::both().auto_shrink(false).id_salt("family").show(&mut ui, |ui| {
        let (all, _) = ui.allocate_exact_size(size, Sense::hover());
        let frame = |index: usize| {
            let place = places[index];
            let corner = Vec2::new(place.column as f32 * COLUMN, place.row * ROW) + Vec2::splat(MARGIN);
            Rect::from_min_size(all.min + corner, Vec2::splat(FRAME))
        };
        let on_path = path_to(family, selected);
        for (index, member) in family.members.iter().enumerate() {
            if let Some((from, step)) = member.from {
                branch(ui, frame(from), frame(index), step, on_path.contains(&index));
            }
        }
        let mut wanted = Vec::new();
        for index in 0..family.members.len() {
            member_ui(
                ui,
                session,
                desk,
                family,
                index,
                (frame(index), index == selected),
                &mut wanted,
                actions,
            );
        }
        if !wanted.is_empty() {
            actions.push(Action::History(HistoryAction::WantThumbnails(wanted)));
        }
        if scrolls {
            ui.scroll_to_rect(frame(selected).expand(MARGIN), None);
        }
    });
}

/// The selected member and those it comes from.
fn path_to(family: &Family, selected: usize) -> Vec<usize> {
    let parent = |index: &usize| family.members[*index].from.map(|(from, _)| from);
    std::iter::successors(Some(selected), parent).collect()
}

/// The line from a run to one that went on from it, with the number of the step.
fn branch(ui: &Ui, from: Rect, to: Rect, step: usize, is_lit: bool) {
    let dark = ui.visuals().dark_mode;
    let colour = if is_lit { theme::accent(dark) } else { theme::outline(dark) };
    let stroke = Stroke::new(if is_lit { 2.0 } else { 1.0 }, colour);
    let (start, end) = (from.right_center(), to.left_center());
    let bend = from.right() + 16.0;
    let corners = [start, Pos2::new(bend, start.y), Pos2::new(bend, end.y), end];
    ui.painter().line(corners.to_vec(), stroke);
    let font = FontId::proportional(11.0);
    let galley = ui.painter().layout_no_wrap(step.to_string(), font, ui.visuals().text_color());
    let middle = Pos2::new(f32::midpoint(bend, end.x), end.y);
    let ground = Rect::from_center_size(middle, galley.size() + Vec2::new(8.0, 2.0));
    ui.painter().rect_filled(ground, 3.0, theme::raised(dark));
    ui.painter().galley(ground.center() - galley.size() / 2.0, galley, Color32::PLACEHOLDER);
}

fn member_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    family: &Family,
    index: usize,
    (rect, is_selected): (Rect, bool),
    wanted: &mut Vec<RunId>,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let member = &family.members[index];
    let response = ui.interact(rect, ui.scope_id().with(("member", index)), Sense::click());
    let title = match &member.run {
        None => text.family_deleted.to_owned(),
        Some(run) if run.prompt.is_empty() => text.no_words.to_owned(),
        Some(run) => run.prompt.clone(),
    };
    let from =
        member.from.map(|(_, step)| format!("{} {step} · ", text.family_from_step)).unwrap_or_default();
    let name = format!("{from}{title}");
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_selected, &name));
    if ui.is_rect_visible(rect) {
        ui.painter().rect_filled(rect, 4.0, theme::sunken(dark));
        if let Some(run) = &member.run {
            if run.status == RunStatus::Finished && !session.history().has_asked(&run.id) {
                wanted.push(run.id.clone());
            }
            if let Some(picture) = session.history().thumbnail(&run.id) {
                let texture = desk.picture(ui, picture);
                let part = square_part([picture.width(), picture.height()]);
                egui::Image::new((texture, rect.size())).uv(part).corner_radius(4).paint_at(ui, rect);
            } else {
                let words = format!("{}/{}", run.steps_done, run.steps_planned);
                let font = FontId::proportional(12.0);
                ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, font, theme::quiet(dark));
            }
        } else {
            let font = FontId::proportional(11.0);
            let words = text.family_deleted;
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, words, font, theme::quiet(dark));
        }
        let outline = if is_selected {
            Stroke::new(3.0, theme::accent(dark))
        } else {
            Stroke::new(1.0, theme::seam(dark))
        };
        ui.painter().rect_stroke(rect, 4.0, outline, StrokeKind::Inside);
    }
    if response.clicked() {
        actions.push(Action::History(HistoryAction::ShowFamily(member.id.clone())));
    }
    if response.double_clicked() && member.run.is_some() {
        open(desk, &member.id, actions);
    }
    tip(response, &name, "");
}

/// The keys of the tree: the arrows walk, Enter shows. Returns the member that is walked to.
fn keys(
    ui: &Ui,
    session: &Session,
    desk: &mut Desk,
    family: &Family,
    places: &[MemberPlace],
    selected: usize,
    actions: &mut Vec<Action>,
) -> Option<usize> {
    let ctx = ui.ctx();
    let is_taken = desk.keys_are_taken || session.question().is_some() || desk.overlay.is_some();
    if is_taken || ctx.text_edit_focused() || egui::Popup::is_any_open(ctx) {
        return None;
    }
    let mut to = selected;
    let mut shows = false;
    ui.input_mut(|input| {
        for key in [Key::ArrowLeft, Key::ArrowRight, Key::ArrowUp, Key::ArrowDown, Key::Home] {
            for _ in 0..input.count_and_consume_key(Modifiers::NONE, key) {
                to = walked(family, places, to, key);
            }
        }
        shows = input.consume_key(Modifiers::NONE, Key::Enter);
    });
    if shows && family.members[selected].run.is_some() {
        open(desk, &family.members[selected].id, actions);
    }
    (to != selected).then_some(to)
}

/// The member that a key leads to: left to the one it went on from, right to the first that went on from it, up and down
/// to the next in the same column.
fn walked(family: &Family, places: &[MemberPlace], at: usize, key: Key) -> usize {
    let next = match key {
        Key::ArrowLeft => family.members[at].from.map(|(from, _)| from),
        Key::ArrowRight => family.children(at).next(),
        Key::Home => Some(0),
        _ => {
            let is_down = key == Key::ArrowDown;
            let distance = |index: &usize| {
                let by = places[*index].row - places[at].row;
                if is_down { by } else { -by }
            };
            let in_column = (0..places.len()).filter(|index| places[*index].column == places[at].column);
            in_column.filter(|index| distance(index) > 0.0).min_by(|a, b| distance(a).total_cmp(&distance(b)))
        }
    };
    next.unwrap_or(at)
}
