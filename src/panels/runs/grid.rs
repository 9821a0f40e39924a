//! The frames of the gallery. Only the rows in sight are drawn, and only their thumbnails are read.

use egui::{Align2, FontId, Key, Modifiers, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, Vec2};

use super::{can_go_on, has_family, open, show_family};
use crate::panels::controls::{named, quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::sheet::square_part;
use crate::panels::theme;
use crate::session::history::{HistoryAction, RunId, RunStatus, RunSummary};
use crate::session::{Action, Session};

/// The edge of a frame and the gap between two, points.
const FRAME: f32 = 148.0;
const GAP: f32 = 8.0;

pub(super) fn grid_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    if desk.runs.listed.is_empty() {
        let is_read = session.history().is_listed();
        ui.centered_and_justified(|ui| {
            let nothing = if session.history().runs().is_empty() { text.no_runs } else { text.no_run_found };
            let nothing =
                if desk.runs.by_meaning { super::meaning::nothing_words(session, desk) } else { nothing };
            quiet(ui, if is_read { nothing } else { text.reading_runs });
        });
        return;
    }
    ui.spacing_mut().item_spacing = Vec2::splat(GAP);
    let columns = (((ui.available_width() + GAP) / (FRAME + GAP)).floor() as usize).max(1);
    keys(ui, session, desk, columns, actions);
    let rows = desk.runs.listed.len().div_ceil(columns);
    let mut area = egui::ScrollArea::vertical().auto_shrink(false).id_salt("runs");
    if std::mem::take(&mut desk.runs.scrolls)
        && let Some(place) = desk.runs.place
    {
        let top = (place / columns) as f32 * (FRAME + GAP);
        let room = ui.available_height();
        let id = ui.make_persistent_id(egui::Id::unique("runs offset"));
        let offset: f32 = ui.data(|data| data.get_temp(id)).unwrap_or_default();
        if top < offset {
            area = area.vertical_scroll_offset(top);
        } else if top + FRAME > offset + room {
            area = area.vertical_scroll_offset(top + FRAME - room);
        }
    }
    let shown = area.show_rows(ui, FRAME, rows, |ui, range| {
        let mut wanted = Vec::new();
        for row in range {
            ui.horizontal(|ui| {
                for place in row * columns..((row + 1) * columns).min(desk.runs.listed.len()) {
                    let Some(run) = desk.runs.run(session.history(), place).cloned() else { continue };
                    // Written before the run says that it is finished.
                    if run.status == RunStatus::Finished && !session.history().has_asked(&run.id) {
                        wanted.push(run.id.clone());
                    }
                    frame_ui(ui, session, desk, place, &run, actions);
                }
            });
        }
        if !wanted.is_empty() {
            actions.push(Action::History(HistoryAction::WantThumbnails(wanted)));
        }
    });
    let id = ui.make_persistent_id(egui::Id::unique("runs offset"));
    ui.data_mut(|data| data.insert_temp(id, shown.state.clamped_offset().y));
}

fn frame_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    place: usize,
    run: &RunSummary,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(FRAME), Sense::click());
    let is_chosen = desk.runs.chosen.contains(&run.id);
    let title = if run.prompt.is_empty() { text.no_words.to_owned() } else { run.prompt.clone() };
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_chosen, &title));
    if ui.is_rect_visible(rect) {
        ui.painter().rect_filled(rect, 4.0, theme::sunken(dark));
        if let Some(picture) = session.history().thumbnail(&run.id) {
            let texture = desk.picture(ui, picture);
            let part = square_part([picture.width(), picture.height()]);
            egui::Image::new((texture, rect.size())).uv(part).corner_radius(4).paint_at(ui, rect);
        }
        marks(ui, run, rect);
        let outline = if is_chosen {
            Stroke::new(3.0, theme::accent(dark))
        } else if desk.runs.place == Some(place) {
            Stroke::new(2.0, theme::outline(dark))
        } else {
            Stroke::new(1.0, theme::seam(dark))
        };
        ui.painter().rect_stroke(rect, 4.0, outline, StrokeKind::Inside);
    }
    if response.clicked() {
        choose(ui, desk, session, place, &run.id);
    }
    if response.double_clicked() {
        open(desk, &run.id, actions);
    }
    response.context_menu(|ui| frame_menu(ui, session, desk, run, actions));
    let size = run.size.map(|size| format!(" · {}×{}", size.width, size.height)).unwrap_or_default();
    let seed = run.seed.map(|seed| format!(" · {seed}")).unwrap_or_default();
    let words = format!("{title}\n{}{size}{seed}\n{}", run.model_name, date_words(&run.id));
    tip(response, &words, "");
}

/// The day and the time in UTC at which a run began, from its id.
fn date_words(run: &RunId) -> String {
    let id = run.as_str();
    format!("{}-{}-{} {}:{} UTC", &id[..4], &id[4..6], &id[6..8], &id[9..11], &id[11..13])
}

/// A click chooses a run; with Ctrl it is added or taken away, with Shift all up to it are chosen.
fn choose(ui: &Ui, desk: &mut Desk, session: &Session, place: usize, run: &RunId) {
    let modifiers = ui.input(|input| input.modifiers);
    let page = &mut desk.runs;
    page.place = Some(place);
    if modifiers.shift {
        let (from, to) = (page.anchor.min(place), page.anchor.max(place));
        let range =
            (from..=to).filter_map(|place| page.run(session.history(), place)).map(|run| run.id.clone());
        page.chosen = range.collect();
        return;
    }
    page.anchor = place;
    if modifiers.command {
        if !page.chosen.remove(run) {
            page.chosen.insert(run.clone());
        }
    } else {
        page.chosen = [run.clone()].into();
    }
}

/// Marks over a thumbnail: stars, and how far an unfinished run came.
fn marks(ui: &Ui, run: &RunSummary, rect: Rect) {
    let painter = ui.painter();
    let tag = |words: &str, at: Pos2, pivot: Align2| {
        let galley = painter.layout_no_wrap(words.to_owned(), FontId::proportional(11.0), theme::on_chip());
        let place = pivot.anchor_size(at, galley.size() + Vec2::new(8.0, 2.0));
        painter.rect_filled(place, 3.0, theme::chip());
        painter.galley(place.min + Vec2::new(4.0, 1.0), galley, theme::on_chip());
    };
    if run.status != RunStatus::Finished {
        let words = format!("{}/{}", run.steps_done, run.steps_planned);
        tag(&words, rect.left_bottom() + Vec2::new(4.0, -4.0), Align2::LEFT_BOTTOM);
    }
    if run.stars > 0 {
        tag(&"★".repeat(run.stars.into()), rect.left_top() + Vec2::splat(4.0), Align2::LEFT_TOP);
    }
}

fn frame_menu(ui: &mut Ui, session: &Session, desk: &mut Desk, run: &RunSummary, actions: &mut Vec<Action>) {
    let text = desk.text;
    let id = &run.id;
    if ui.button(text.show_run).clicked() {
        open(desk, id, actions);
    }
    if ui.button(text.restore).clicked() {
        actions.push(Action::History(HistoryAction::UseSettings(id.clone())));
        desk.gallery = false;
    }
    if can_go_on(run) && ui.button(text.go_on).clicked() {
        actions.push(Action::History(HistoryAction::GoOn(id.clone())));
        desk.gallery = false;
    }
    if session.has_grid(run) && ui.button(text.open_grid).clicked() {
        super::open_grid(desk, id, actions);
    }
    if has_family(session, id) && ui.button(text.family_tree).clicked() {
        show_family(desk, id, actions);
    }
    if run.status == RunStatus::Finished && ui.button(text.more_like_this).clicked() {
        super::meaning::more_like(desk, id, actions);
    }
    if ui.button(text.show_in_folder).clicked() {
        actions.push(Action::History(HistoryAction::ShowInFolder(id.clone())));
    }
    ui.separator();
    ui.horizontal(|ui| {
        for stars in 1..=5_u8 {
            let button = ui.small_button(if stars <= run.stars { "★" } else { "☆" });
            named(&button, format!("{} {stars}", text.stars));
            if button.clicked() {
                let stars = if run.stars == stars { 0 } else { stars };
                actions.push(Action::History(HistoryAction::SetStars(id.clone(), stars)));
            }
        }
    });
    if ui.button(text.delete_runs).clicked() {
        actions.push(Action::History(HistoryAction::Delete(vec![id.clone()])));
    }
}

/// Keys of the gallery: the arrows move, Enter shows, Delete deletes, digits give stars, Ctrl+A chooses all.
fn keys(ui: &Ui, session: &Session, desk: &mut Desk, columns: usize, actions: &mut Vec<Action>) {
    let ctx = ui.ctx();
    let is_taken = desk.keys_are_taken || session.question().is_some() || desk.overlay.is_some();
    if is_taken || ctx.text_edit_focused() || egui::Popup::is_any_open(ctx) {
        return;
    }
    let (last, before) = (desk.runs.listed.len() - 1, desk.runs.place);
    let mut place = before;
    let mut extends = false;
    ui.input_mut(|input| {
        for (key, by) in [
            (Key::ArrowLeft, -1),
            (Key::ArrowRight, 1),
            (Key::ArrowUp, -(columns as isize)),
            (Key::ArrowDown, columns as isize),
        ] {
            // Keys without modifiers match those with Shift, too.
            for modifiers in [Modifiers::SHIFT, Modifiers::NONE] {
                for _ in 0..input.count_and_consume_key(modifiers, key) {
                    extends |= modifiers.shift;
                    place = Some(place.map_or(0, |at| at.saturating_add_signed(by).min(last)));
                }
            }
        }
        for (key, to) in [(Key::Home, 0), (Key::End, last)] {
            if input.consume_key(Modifiers::NONE, key) {
                place = Some(to);
            }
        }
        if input.consume_key(Modifiers::COMMAND, Key::A) {
            let all = (0..=last).filter_map(|place| desk.runs.run(session.history(), place));
            desk.runs.chosen = all.map(|run| run.id.clone()).collect();
        }
    });
    if let Some(at) = place.filter(|_| place != before) {
        (desk.runs.place, desk.runs.scrolls) = (place, true);
        if let Some(run) = desk.runs.run(session.history(), at).map(|run| run.id.clone()) {
            if extends {
                desk.runs.chosen.insert(run);
            } else {
                (desk.runs.chosen, desk.runs.anchor) = ([run].into(), at);
            }
        }
    }
    let stars = [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5];
    let (mut given, mut shows, mut deletes) = (None, false, false);
    ui.input_mut(|input| {
        let digit = |(_, key): &(u8, Key)| input.consume_key(Modifiers::NONE, *key);
        given = (0_u8..).zip(stars).find(digit).map(|(count, _)| count);
        shows = input.consume_key(Modifiers::NONE, Key::Enter);
        deletes = input.consume_key(Modifiers::NONE, Key::Delete);
    });
    if let Some(stars) = given {
        let give = |run: &RunId| Action::History(HistoryAction::SetStars(run.clone(), stars));
        actions.extend(desk.runs.chosen.iter().map(give));
    }
    if deletes && !desk.runs.chosen.is_empty() {
        actions.push(Action::History(HistoryAction::Delete(desk.runs.chosen.iter().cloned().collect())));
    }
    if shows && let Some(run) = desk.runs.only_chosen().cloned() {
        open(desk, &run, actions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_from_the_id() {
        let id: RunId = "20261130-154501-0a1b2c3d".parse().unwrap();
        assert_eq!(date_words(&id), "2026-11-30 15:45 UTC");
    }
}
