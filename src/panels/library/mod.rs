//! The page of models: the library of what is on this computer, searched and filtered on the left, and on the right what
//! is known of the selected entry, or the folders.
//!
//! The field of the search keeps the keyboard: the arrow keys move through the list, Enter opens, and what is typed
//! anywhere on the page is searched.

mod amounts;
mod card;
mod catalogue;
mod downloads;
mod folders;
mod gate;
mod get;
mod list;
mod words;

use egui::{Event, Key, Modifiers, Rect, Ui, UiBuilder, Vec2};

use super::controls::{field_tip, named, segment, tip};
use super::desk::{Desk, GetPart, Overlay};
use super::theme;
use crate::session::downloads::Look;
use crate::session::library::{LibraryAction, LibraryFilter};
use crate::session::{Action, Session};

pub(super) use amounts::{amount_words, filled, speed_words, time_words};
pub(super) use catalogue::percent;
pub(super) use words::size_words;

/// Greatest width and height of the page, points.
const SIZE: Vec2 = Vec2::new(1020.0, 620.0);
/// What the window around it takes, and the least distance to the edges of the program's window, points.
const AROUND: Vec2 = Vec2::new(80.0, 120.0);
/// The share of the list, and its distance to the card, points.
const LIST: f32 = 0.54;
const GAP: f32 = 24.0;
/// Entries that Page Up and Page Down pass.
const PAGE: isize = 8;

pub(super) fn library_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let room = (ui.ctx().content_rect().size() - AROUND).min(SIZE);
    let (page, _) = ui.allocate_exact_size(room, egui::Sense::hover());
    if ui.is_sizing_pass() {
        return;
    }
    if !desk.models.is_open {
        desk.models.is_open = true;
        desk.models.scroll_to = session.library().place();
        actions.push(Action::Library(LibraryAction::Search { anew: false }));
        if let Some(field) = desk.models.search_field {
            ui.memory_mut(|memory| memory.request_focus(field));
        }
    }
    let mut filter = session.library().filter().clone();
    keys_ui(ui, session, desk, &mut filter, actions);
    let left = Rect::from_min_size(page.min, Vec2::new((page.width() * LIST).round(), page.height()));
    let seam = egui::Stroke::new(1.0, theme::seam(ui.visuals().dark_mode));
    ui.painter().vline(left.right() + GAP / 2.0, page.y_range(), seam);
    let right = Rect::from_min_max(left.right_top() + Vec2::new(GAP, 0.0), page.max);
    let mut ui_left = ui.new_child(UiBuilder::new().id_salt("models").max_rect(left));
    modes_ui(&mut ui_left, desk);
    search_ui(&mut ui_left, session, desk, &mut filter);
    if desk.models.gets {
        catalogue::catalogue_ui(&mut ui_left, session, desk, &filter.words, actions);
    } else {
        list::filters_ui(&mut ui_left, session.library(), desk, &mut filter);
        list::list_ui(&mut ui_left, session, desk, &mut filter, actions);
    }
    let mut ui_right = ui.new_child(UiBuilder::new().id_salt("model").max_rect(right));
    // Without any model there is nothing to say but where models are searched.
    let is_empty = session.library().snapshot().entries.is_empty();
    if desk.models.gets {
        parts_ui(&mut ui_right, session, desk);
        if desk.models.part == GetPart::Downloads {
            downloads::downloads_ui(&mut ui_right, session, desk, actions);
        } else {
            get::get_ui(&mut ui_right, session, desk, &filter.words, actions);
        }
    } else {
        sections_ui(&mut ui_right, desk, is_empty);
        if desk.models.shows_folders || is_empty {
            folders::folders_ui(&mut ui_right, session.library(), desk, actions);
        } else {
            card::card_ui(&mut ui_right, session, desk, actions);
        }
    }
    if filter != *session.library().filter() {
        desk.models.scroll_to = Some(0);
        actions.push(Action::Library(LibraryAction::Filter(filter)));
    }
}

/// The page is not shown.
pub(super) fn close(desk: &mut Desk) {
    desk.models.is_open = false;
}

/// Loads a model, and closes the page.
fn open(path: &std::path::Path, desk: &mut Desk, actions: &mut Vec<Action>) {
    actions.push(Action::Library(LibraryAction::Open(path.to_owned())));
    desk.overlay = desk.overlay.filter(|overlay| *overlay != Overlay::Models);
}

/// Keys of the page.
fn keys_ui(
    ui: &Ui,
    session: &Session,
    desk: &mut Desk,
    filter: &mut LibraryFilter,
    actions: &mut Vec<Action>,
) {
    let ctx = ui.ctx();
    if session.question().is_some() || desk.keys_are_taken || egui::Popup::is_any_open(ctx) {
        return;
    }
    let focused = ctx.memory(egui::Memory::focused);
    if focused.is_none() || focused == desk.models.search_field {
        let mut by = 0;
        ui.input_mut(|input| {
            for (key, step) in
                [(Key::ArrowDown, 1), (Key::ArrowUp, -1), (Key::PageDown, PAGE), (Key::PageUp, -PAGE)]
            {
                by += step * input.count_and_consume_key(Modifiers::NONE, key) as isize;
            }
        });
        if by != 0 && desk.models.gets {
            catalogue::choose_next(desk, &filter.words, by);
        } else if by != 0 {
            let last = session.library().len().saturating_sub(1);
            let place = session.library().place().unwrap_or(0);
            desk.models.scroll_to = Some(place.saturating_add_signed(by).min(last));
            actions.push(Action::Library(LibraryAction::Move(by)));
        }
        // Nothing is downloaded by a key that was meant for the search.
        if !desk.models.gets
            && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter))
            && let Some(entry) = session.library().selected()
            && session.model_of(entry).is_some()
        {
            open(&entry.path, desk, actions);
        }
    }
    // What is typed while no field has the focus is searched. Space presses the button that has it.
    if !ctx.text_edit_focused()
        && let Some(field) = desk.models.search_field
    {
        let mut typed = String::new();
        ui.input_mut(|input| {
            input.events.retain(|event| match event {
                Event::Text(text) if text != " " => {
                    typed.push_str(text);
                    false
                }
                _ => true,
            });
        });
        if !typed.is_empty() {
            filter.words.push_str(&typed);
            ui.memory_mut(|memory| memory.request_focus(field));
            let mut state = egui::TextEdit::load_state(ctx, field).unwrap_or_default();
            let end = egui::text::CCursor::new(filter.words.chars().count());
            state.cursor.set_char_range(Some(egui::text::CCursorRange::one(end)));
            state.store(ctx, field);
        }
    }
}

fn search_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, filter: &mut LibraryFilter) {
    let text = desk.text;
    let is_first = desk.models.search_field.is_none();
    let field = egui::TextEdit::singleline(&mut filter.words)
        .hint_text(text.models_search)
        .desired_width(f32::INFINITY);
    let field = ui.add(field);
    named(&field, text.models_search);
    field_tip(&field, if desk.models.gets { text.catalogue_search_hint } else { text.models_search_hint });
    desk.models.search_field = Some(field.id);
    if is_first && session.question().is_none() {
        field.request_focus();
    }
}

/// Whether the page lists the models of this computer, or those that can be downloaded.
fn modes_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = desk.text;
    ui.horizontal(|ui| {
        for (gets, name, hint) in
            [(false, text.models_here, text.models_here_hint), (true, text.models_get, text.models_get_hint)]
        {
            if tip(segment(ui, desk.models.gets == gets, true, name), hint, "").clicked() {
                desk.models.gets = gets;
                desk.models.scroll_to = None;
            }
        }
    });
}

/// What the right half shows of what can be downloaded.
fn parts_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let text = desk.text;
    let count = session.downloads().len();
    let downloads =
        if count == 0 { text.downloads.to_owned() } else { format!("{} {count}", text.downloads) };
    let looks = *session.downloads().look() != Look::Nothing;
    ui.horizontal(|ui| {
        for (part, name, hint, is_there) in [
            (GetPart::Model, text.models_card, text.models_card_hint, true),
            (GetPart::Look, text.looked_up, text.address_hint, looks),
            (GetPart::Downloads, downloads.as_str(), text.downloads_hint, true),
        ] {
            if is_there && tip(segment(ui, desk.models.part == part, true, name), hint, "").clicked() {
                desk.models.part = part;
            }
        }
    });
}

/// Opens the page with the downloads.
pub(super) fn show_downloads(desk: &mut Desk) {
    desk.overlay = Some(Overlay::Models);
    (desk.models.gets, desk.models.part) = (true, GetPart::Downloads);
}

/// Opens the page with the models that can be downloaded.
pub(super) fn show_catalogue(desk: &mut Desk) {
    desk.overlay = Some(Overlay::Models);
    (desk.models.gets, desk.models.part) = (true, GetPart::Model);
}

/// What the right half shows.
fn sections_ui(ui: &mut Ui, desk: &mut Desk, is_empty: bool) {
    let text = desk.text;
    ui.horizontal(|ui| {
        for (shows_folders, name, hint) in [
            (false, text.models_card, text.models_card_hint),
            (true, text.models_folders, text.models_folders_hint),
        ] {
            let is_chosen = (desk.models.shows_folders || is_empty) == shows_folders;
            let response = segment(ui, is_chosen, shows_folders || !is_empty, name);
            if tip(response, hint, "").clicked() {
                desk.models.shows_folders = shows_folders;
            }
        }
    });
}
