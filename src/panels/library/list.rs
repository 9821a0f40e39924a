//! The left half of the page of models: filters, the list, and what the search is doing.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, FontId, Galley, Label, Rect, RichText, Sense, Ui, Vec2};

use super::amounts::filled;
use super::words::{State, group_words, size_words, summary_words};
use super::{Desk, LibraryFilter, open};
use crate::panels::controls::{named, narrow_segment, quiet, tip};
use crate::panels::{Text, theme};
use crate::session::library::{Entry, EntryGroup, LibraryAction, ModelLibrary, SearchProgress};
use crate::session::{Action, Session};

/// Height of an entry, and of the line below the list, points.
const ROW: f32 = 46.0;
const STATUS: f32 = 30.0;
/// Room for the star before a name, points.
const STAR: f32 = 20.0;
/// Margin of an entry, points.
const MARGIN: f32 = 8.0;

/// Kinds, and families below them, as chips; another click on the chosen family lists all.
pub(super) fn filters_ui(ui: &mut Ui, library: &ModelLibrary, desk: &Desk, filter: &mut LibraryFilter) {
    let text = desk.text;
    ui.spacing_mut().item_spacing = Vec2::new(4.0, 4.0);
    ui.horizontal_wrapped(|ui| {
        for group in EntryGroup::ALL.map(Some).into_iter().chain([None]) {
            let count = library.count(group);
            let words = group_words(group, text);
            let chip = narrow_segment(ui, filter.group == group, true, &format!("{words} {count}"), 6.0);
            if tip(chip, text.group_hint, "").clicked() {
                (filter.group, filter.family) = (group, None);
            }
        }
    });
    let families = library.families();
    if families.len() > 1 || filter.family.is_some() {
        ui.horizontal_wrapped(|ui| {
            for family in families {
                let is_chosen = filter.family == Some(family);
                let chip = narrow_segment(ui, is_chosen, true, family.name(), 6.0);
                named(&chip, format!("{}: {}", text.family, family.name()));
                if tip(chip, text.family_filter_hint, "").clicked() {
                    filter.family = (!is_chosen).then_some(family);
                }
            }
        });
    }
}

/// The list over the line that says what the search is doing.
pub(super) fn list_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    filter: &mut LibraryFilter,
    actions: &mut Vec<Action>,
) {
    let room = ui.available_rect_before_wrap();
    let (above, below) = room.split_top_bottom_at_y(room.bottom() - STATUS);
    ui.scope_builder(egui::UiBuilder::new().max_rect(above), |ui| {
        if session.library().is_empty() {
            empty_ui(ui, session.library(), desk, filter);
        } else {
            rows_ui(ui, session, desk, actions);
        }
    });
    ui.scope_builder(egui::UiBuilder::new().max_rect(below), |ui| {
        status_ui(ui, session.library(), desk.text, actions);
    });
}

fn rows_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let library = session.library();
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut area = egui::ScrollArea::vertical().auto_shrink(false);
    if let Some(place) = desk.models.scroll_to.take() {
        // Only as far as is needed, as a list does.
        let id = ui.make_persistent_id("list offset");
        let [offset, height]: [f32; 2] = ui.data(|data| data.get_temp(id)).unwrap_or_default();
        let top = place as f32 * ROW;
        let height = if height > 0.0 { height } else { ui.available_height() };
        let offset = if top < offset { top } else { offset.max(top + ROW - height) };
        area = area.vertical_scroll_offset(offset.max(0.0));
    }
    let id = ui.make_persistent_id("list offset");
    let shown = area.show_rows(ui, ROW, library.len(), |ui, places| {
        ui.set_width(ui.available_width());
        for place in places {
            if let Some(entry) = library.at(place) {
                entry_ui(ui, session, desk, entry, library.place() == Some(place), actions);
            }
        }
    });
    let seen = [shown.state.clamped_offset().y, shown.inner_rect.height()];
    ui.data_mut(|data| data.insert_temp(id, seen));
}

/// One entry of the library.
fn entry_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    entry: &Entry,
    is_selected: bool,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let (state, is_warning) = State::of(session, entry, text).short(text);
    let response = row_ui(
        ui,
        &entry.path,
        &Row {
            name: &entry.name,
            amount: &size_words(entry.bytes),
            about: &summary_words(entry, text),
            state: &state,
            is_warning,
            is_starred: Some(session.library().has_star(entry)),
            is_selected,
        },
    );
    if response.clicked() {
        desk.models.shows_folders = false;
        actions.push(Action::Library(LibraryAction::Select(entry.path.clone())));
    }
    if response.double_clicked() && session.model_of(entry).is_some() {
        open(&entry.path, desk, actions);
    }
}

/// A row of a list.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) amount: &'a str,
    pub(super) about: &'a str,
    pub(super) state: &'a str,
    pub(super) is_warning: bool,
    /// Whether a star stands before it; `None` in a list without stars.
    pub(super) is_starred: Option<bool>,
    pub(super) is_selected: bool,
}

/// A row: name and amount over what it is about and its state.
pub(super) fn row_ui(
    ui: &mut Ui,
    salt: impl std::hash::Hash + std::fmt::Debug,
    row: &Row<'_>,
) -> egui::Response {
    let dark = ui.visuals().dark_mode;
    let size = Vec2::new(ui.available_width() - 12.0, ROW);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    // The field of the search keeps the focus.
    let response = ui.interact(rect, ui.scope_id().with(salt), Sense::CLICK);
    let said = [row.name, row.about, row.amount, row.state];
    let said = said.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(", ");
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::ListBoxOption, ui.is_enabled(), row.is_selected, &said)
    });
    let ground = rect.shrink2(Vec2::new(0.0, 1.0));
    if row.is_selected {
        ui.painter().rect_filled(ground, 6.0, theme::raised(dark));
        let line = Rect::from_min_max(ground.min, ground.left_bottom() + Vec2::new(2.0, 0.0));
        ui.painter().rect_filled(line.shrink2(Vec2::new(0.0, 8.0)), 1.0, theme::accent(dark));
    } else if response.hovered() {
        ui.painter().rect_filled(ground, 6.0, ui.visuals().faint_bg_color);
    }
    let (ink, low) = (ui.visuals().text_color(), theme::quiet(dark));
    let inner = rect.shrink2(Vec2::new(MARGIN, 4.0));
    if row.is_starred == Some(true) {
        let star = line(ui, "★", FontId::proportional(13.0), theme::accent(dark), STAR);
        let at = inner.left_top() + Vec2::new(0.0, 2.0);
        ui.painter().galley(at, star, ink);
    }
    let left = inner.left() + if row.is_starred.is_some() { STAR } else { 0.0 };
    let pair = |first: (&str, FontId, Color32), second: (&str, Color32), y: f32| {
        let small = FontId::proportional(12.0);
        let end = line(ui, second.0, small, second.1, inner.width() * 0.5);
        let room = inner.right() - left - end.size().x - 12.0;
        let end_at = egui::pos2(inner.right() - end.size().x, y + (19.0 - end.size().y) / 2.0);
        let start = line(ui, first.0, first.1, first.2, room);
        let start_at = egui::pos2(left, y + (19.0 - start.size().y) / 2.0);
        ui.painter().galley(start_at, start, ink);
        ui.painter().galley(end_at, end, ink);
    };
    let colour = if row.is_warning { theme::warning(dark) } else { low };
    pair((row.name, FontId::new(14.0, theme::strong()), ink), (row.amount, low), inner.top());
    pair((row.about, FontId::proportional(12.0), low), (row.state, colour), inner.top() + 19.0);
    response
}

/// Words in one line of at most this width.
fn line(ui: &Ui, words: &str, font: FontId, colour: Color32, width: f32) -> Arc<Galley> {
    let format = TextFormat { font_id: font, color: colour, ..TextFormat::default() };
    let mut job = LayoutJob::single_section(words.to_owned(), format);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().layout_job(job)
}

/// What to do where nothing is listed.
fn empty_ui(ui: &mut Ui, library: &ModelLibrary, desk: &mut Desk, filter: &mut LibraryFilter) {
    let text = desk.text;
    ui.spacing_mut().item_spacing.y = 8.0;
    ui.add_space(28.0);
    if !library.snapshot().entries.is_empty() {
        ui.label(text.no_files_found);
        if tip(ui.button(text.clear_filter), text.clear_filter_hint, "").clicked() {
            *filter = LibraryFilter { group: None, ..LibraryFilter::default() };
        }
    } else if library.search().is_none() {
        ui.label(RichText::new(text.library_empty).family(theme::strong()));
        let hint = RichText::new(text.library_empty_hint).color(theme::quiet(ui.visuals().dark_mode));
        ui.add(Label::new(hint).wrap());
        if tip(ui.button(text.library_empty_get), text.models_get_hint, "").clicked() {
            desk.models.gets = true;
        }
    }
}

/// How many are listed, and how far the search is, with a button that stops it or begins anew.
fn status_ui(ui: &mut Ui, library: &ModelLibrary, text: &Text, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = 8.0;
    ui.horizontal_centered(|ui| {
        let all = library.snapshot().entries.len();
        quiet(ui, filled(text.library_count, &[&library.len().to_string(), &all.to_string()]));
        if let Some(progress) = library.search() {
            let words = match progress {
                SearchProgress { total: 0, .. } => text.searching.to_owned(),
                SearchProgress { read, total } => {
                    filled(text.searching_files, &[&read.to_string(), &total.to_string()])
                }
            };
            ui.add(egui::Spinner::new().size(14.0));
            quiet(ui, words);
            let stop = ui.button(text.stop);
            if tip(stop, text.stop_search_hint, "").clicked() {
                actions.push(Action::Library(LibraryAction::Stop));
            }
        } else {
            let button = ui.button(text.search_again);
            if tip(button, text.search_again_hint, "").clicked() {
                actions.push(Action::Library(LibraryAction::Search { anew: true }));
            }
            if !library.snapshot().is_complete && all > 0 {
                quiet(ui, text.search_ended_early);
            }
        }
    });
}
