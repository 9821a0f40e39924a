//! The right half of the page while models to download are listed: what is known of the chosen one, or what an address
//! has, with a button that gets it.

use egui::{Label, RichText, Ui, Vec2};

use super::amounts::{amount_words, filled, size_and_time};
use super::catalogue::{self, Item, memory_words};
use super::gate::gate_ui;
use super::{Desk, GetPart};
use crate::panels::controls::{named, quiet, scroll_to_focus, tip};
use crate::panels::page_rows::{note, row, tight_row};
use crate::panels::reasons::reason_words;
use crate::panels::theme;
use crate::session::downloads::{
    Choice, ChoiceKind, DownloadAction, Found, Licence, Listing, Look, Wish, default_choice,
};
use crate::session::{Action, Session};

/// Height of the buttons below, points.
const BUTTONS: f32 = 38.0;
/// Files of a choice that are named.
const NAMED_FILES: usize = 12;

/// What the button below does.
enum Offered {
    /// Gets this, of this size.
    Get(Wish, Option<u64>),
    /// Nothing yet.
    Nothing,
    /// It is here.
    Here,
}

pub(super) fn get_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    words: &str,
    actions: &mut Vec<Action>,
) {
    let room = ui.available_rect_before_wrap();
    let (above, below) = room.split_top_bottom_at_y(room.bottom() - BUTTONS);
    let mut offered = Offered::Nothing;
    let looks = desk.models.part == GetPart::Look;
    ui.scope_builder(egui::UiBuilder::new().max_rect(above), |ui| {
        egui::ScrollArea::vertical().id_salt(("get", looks)).auto_shrink(false).show(ui, |ui| {
            // The scroll bar does not cover the controls.
            ui.set_width(ui.available_width() - 12.0);
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.add_space(6.0);
            if looks {
                offered = look_ui(ui, session, desk, actions);
            } else if let Some(item) = catalogue::chosen(desk, words) {
                offered = item_ui(ui, session, desk, item, actions);
            } else {
                quiet(ui, desk.text.nothing_selected);
            }
            scroll_to_focus(ui);
        });
    });
    ui.scope_builder(egui::UiBuilder::new().max_rect(below), |ui| {
        buttons_ui(ui, session, desk, offered, actions);
    });
}

/// A model of the catalogue.
fn item_ui(ui: &mut Ui, session: &Session, desk: &Desk, item: Item, actions: &mut Vec<Action>) -> Offered {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    ui.add(Label::new(RichText::new(item.name()).family(theme::strong()).size(17.0)).wrap());
    ui.add(Label::new(item.about(desk.language)).wrap());
    ui.add_space(4.0);
    ui.spacing_mut().interact_size.y = 24.0;
    let family = item.family();
    if !family.is_empty() {
        fact_ui(ui, text.family, RichText::new(family));
    }
    let size = size_and_time(item.bytes(), session.downloads(), text, desk.language);
    fact_ui(ui, text.file_size, RichText::new(size));
    if let Some((words, is_warning)) = memory_words(item, desk.surroundings.total_memory, text) {
        let words = RichText::new(words);
        fact_ui(ui, text.memory, if is_warning { words.color(theme::warning(dark)) } else { words });
    }
    if let Some(licence) = item.licence() {
        link_row(ui, text.licence, &licence.name, &licence.link, text.licence_hint, actions);
    }
    tight_row(ui, text.files, |ui| {
        for file in item.files() {
            let here = if session.library().has_file(file) {
                format!(" · {}", text.is_here)
            } else {
                String::new()
            };
            let words = format!("{} · {}{here}", file.path.file_name(), amount_words(file.bytes()));
            ui.add(Label::new(RichText::new(words).small()).wrap());
            link_ui(ui, &file.repository.to_string(), &file.page(), text.source_page_hint, actions);
        }
    });
    if item.is_here(session) { Offered::Here } else { Offered::Get(item.wish(), Some(item.bytes())) }
}

/// What an address has.
fn look_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) -> Offered {
    let text = desk.text;
    let title = |ui: &mut Ui, words: &str| {
        ui.add(Label::new(RichText::new(words).family(theme::strong()).size(17.0)).wrap());
    };
    match session.downloads().look() {
        Look::Nothing => Offered::Nothing,
        Look::Asking(typed) => {
            title(ui, typed);
            ui.horizontal(|ui| {
                ui.add(egui::Spinner::new().size(14.0));
                quiet(ui, text.looking_up);
                if tip(ui.button(text.cancel), text.stop_looking_hint, "").clicked() {
                    desk.models.part = GetPart::Model;
                    actions.push(Action::Downloads(DownloadAction::StopLooking));
                }
            });
            Offered::Nothing
        }
        Look::Failed(typed, why) => {
            title(ui, typed);
            ui.label(text.look_failed);
            let words = RichText::new(reason_words(why, desk.language));
            ui.add(Label::new(words.color(theme::warning(ui.visuals().dark_mode))).wrap());
            gate_ui(ui, desk, why, actions);
            if tip(ui.button(text.try_again), text.look_up_hint, "").clicked() {
                actions.push(Action::Downloads(DownloadAction::Look(typed.clone())));
            }
            Offered::Nothing
        }
        Look::Found(typed, Found::File { file_name, host }) => {
            title(ui, file_name);
            ui.add(Label::new(filled(text.from_elsewhere, &[host])).wrap());
            let wish = Wish::Direct { typed: typed.clone(), file_name: file_name.clone() };
            Offered::Get(wish, None)
        }
        Look::Found(_, Found::Repository(listing, choices)) => {
            title(ui, &listing.repository.to_string());
            ui.spacing_mut().interact_size.y = 24.0;
            licence_ui(ui, desk, listing, actions);
            if listing.is_gated {
                note(ui, text.gated_note);
            }
            ui.add_space(4.0);
            let choice = choices_ui(ui, desk, choices);
            match choice {
                Some(choice) => {
                    let wish = Wish::Choice(std::sync::Arc::clone(listing), choice.clone());
                    Offered::Get(wish, Some(choice.size()))
                }
                None => Offered::Nothing,
            }
        }
    }
}

fn licence_ui(ui: &mut Ui, desk: &Desk, listing: &Listing, actions: &mut Vec<Action>) {
    let text = desk.text;
    let page = format!("https://huggingface.co/{}", listing.repository);
    let Licence { name, link } = &listing.licence;
    match name {
        Some(name) => {
            // A link of a card may be a file of its repository.
            let link = link.as_ref().filter(|link| link.starts_with("https://")).unwrap_or(&page);
            link_row(ui, text.licence, name, link, text.licence_hint, actions);
        }
        None => fact_ui(ui, text.licence, RichText::new(text.licence_unknown)),
    }
    link_row(ui, text.source_page, &page, &page, text.source_page_hint, actions);
}

/// The choices of a repository, and the files of the chosen one.
fn choices_ui<'a>(ui: &mut Ui, desk: &mut Desk, choices: &'a [Choice]) -> Option<&'a Choice> {
    let text = desk.text;
    let proposed =
        default_choice(choices).and_then(|proposed| choices.iter().position(|choice| choice == proposed));
    let chosen = desk.models.choice.or(proposed);
    if chosen.is_none() {
        quiet(ui, text.choose_one);
    }
    for (place, choice) in choices.iter().enumerate() {
        let name = match &choice.kind {
            ChoiceKind::Folder(None) => text.choice_folder.to_owned(),
            ChoiceKind::Folder(Some(variant)) => format!("{} ({variant})", text.choice_folder),
            _ => choice.name.clone(),
        };
        let files = if choice.files.len() > 1 {
            format!(" · {}", filled(text.files_count, &[&choice.files.len().to_string()]))
        } else {
            String::new()
        };
        ui.horizontal(|ui| {
            let words = format!("{name} · {}{files}", amount_words(choice.size()));
            let radio = ui.add(egui::RadioButton::new(chosen == Some(place), words));
            if tip(radio, text.choice_hint, "").clicked() {
                desk.models.choice = Some(place);
            }
        });
    }
    let choice = chosen.and_then(|place| choices.get(place))?;
    if choice.files.len() > 1 {
        ui.add_space(4.0);
        row(ui, text.files, |ui| {
            for file in choice.files.iter().take(NAMED_FILES) {
                let words = format!("{} · {}", file.path, amount_words(file.size));
                ui.add(Label::new(RichText::new(words).small()).wrap());
            }
            if choice.files.len() > NAMED_FILES {
                note(ui, "…");
            }
        });
    }
    Some(choice)
}

fn buttons_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, offered: Offered, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.spacing_mut().item_spacing = Vec2::splat(6.0);
    ui.horizontal_centered(|ui| {
        let (wish, bytes) = match offered {
            Offered::Get(wish, bytes) => (Some(wish), bytes),
            Offered::Here => {
                quiet(ui, text.get_again_hint);
                return;
            }
            Offered::Nothing => (None, None),
        };
        if wish.as_ref().is_some_and(|wish| session.downloads().knows(&wish.name())) {
            if tip(ui.button(text.downloads), text.downloads_hint, "").clicked() {
                desk.models.part = GetPart::Downloads;
            }
            return;
        }
        let words = match bytes {
            Some(bytes) => format!("{} ({})", text.get, amount_words(bytes)),
            None => text.get.to_owned(),
        };
        let button = egui::Button::new(RichText::new(words).family(theme::strong()));
        let button = ui.add_enabled(wish.is_some(), button);
        named(&button, text.get);
        if let (true, Some(wish)) = (tip(button, text.get_hint, "").clicked(), wish) {
            desk.models.part = GetPart::Downloads;
            actions.push(Action::Downloads(DownloadAction::Get(wish)));
        }
    });
}

/// A row with a value.
fn fact_ui(ui: &mut Ui, name: &str, value: RichText) {
    tight_row(ui, name, |ui| {
        ui.horizontal(|ui| {
            ui.add(Label::new(value).wrap());
        });
    });
}

/// A row with a link.
pub(super) fn link_row(
    ui: &mut Ui,
    row_name: &str,
    words: &str,
    address: &str,
    hint: &str,
    actions: &mut Vec<Action>,
) {
    tight_row(ui, row_name, |ui| {
        ui.horizontal(|ui| link_ui(ui, words, address, hint, actions));
    });
}

/// Words that open a page in the browser. `hint`: of them, with a place for the address.
pub(super) fn link_ui(ui: &mut Ui, words: &str, address: &str, hint: &str, actions: &mut Vec<Action>) {
    let link = ui.add(egui::Link::new(RichText::new(words).small()));
    named(&link, words);
    if tip(link, &filled(hint, &[address]), "").clicked() {
        actions.push(Action::OpenPage(address.to_owned()));
    }
}
