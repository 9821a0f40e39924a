//! What is known of the selected entry, and what can be done with it.

use egui::{Label, RichText, Ui, Vec2};

use super::amounts::{amount_words, filled};
use super::catalogue::percent;
use super::get::link_row;
use super::words::{State, count_words, kind_words, part_words, size_words};
use super::{Desk, open};
use crate::engine::MemoryNeed;
use crate::panels::controls::{named, quiet, scroll_to_focus, tip};
use crate::panels::page_rows::{note, row, tight_row};
use crate::panels::reasons::reason_words;
use crate::panels::{Text, theme};
use crate::session::downloads::DownloadAction;
use crate::session::library::{Deletion, Entry, Forecast, LibraryAction, MissingPart, ModelLibrary};
use crate::session::{Action, Session};

/// Height of the buttons below the card, points.
const BUTTONS: f32 = 38.0;

pub(super) fn card_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let Some(entry) = session.library().selected() else {
        ui.add_space(28.0);
        quiet(ui, text.nothing_selected);
        return;
    };
    let room = ui.available_rect_before_wrap();
    let (above, below) = room.split_top_bottom_at_y(room.bottom() - BUTTONS);
    ui.scope_builder(egui::UiBuilder::new().max_rect(above), |ui| {
        egui::ScrollArea::vertical().id_salt(&entry.path).auto_shrink(false).show(ui, |ui| {
            // The scroll bar does not cover the controls.
            ui.set_width(ui.available_width() - 12.0);
            ui.spacing_mut().item_spacing.y = 4.0;
            facts_ui(ui, session, desk, entry, actions);
            scroll_to_focus(ui);
        });
    });
    ui.scope_builder(egui::UiBuilder::new().max_rect(below), |ui| {
        buttons_ui(ui, session, desk, entry, actions);
    });
}

fn facts_ui(ui: &mut Ui, session: &Session, desk: &Desk, entry: &Entry, actions: &mut Vec<Action>) {
    let (text, dark, facts) = (desk.text, ui.visuals().dark_mode, &entry.facts);
    ui.add_space(6.0);
    ui.add(Label::new(RichText::new(&entry.name).family(theme::strong()).size(17.0)).wrap());
    match State::of(session, entry, text) {
        State::Problem(why) => {
            let why = reason_words(&why, desk.language);
            let words = RichText::new(text.cannot_open_why.replace("{}", &why)).color(theme::warning(dark));
            ui.add(Label::new(words).wrap());
        }
        state @ State::Lacks(_) => {
            ui.add(Label::new(RichText::new(state.short(text).0).color(theme::warning(dark))).wrap());
        }
        State::InUse => note(ui, text.in_use_now),
        State::Usable if !facts.kind.is_model() => note(ui, text.no_model_itself),
        State::Usable => {}
    }
    ui.add_space(4.0);
    ui.spacing_mut().interact_size.y = 24.0;
    let families: Vec<&str> = facts.families.iter().map(|family| family.name()).collect();
    let format = [facts.format.name(), &facts.precision];
    let format = format.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" · ");
    let parameters = if facts.parameters > 0 { count_words(facts.parameters) } else { String::new() };
    for (name, value) in [
        (text.kind_of_file, kind_words(facts.kind, text).to_owned()),
        (text.family, families.join(", ")),
        (text.format_of_file, format),
        (text.parameters, parameters),
        (text.file_size, size_words(entry.bytes)),
    ] {
        if !value.is_empty() {
            fact_ui(ui, name, RichText::new(value));
        }
    }
    source_ui(ui, text, entry, actions);
    if facts.kind.is_model() && facts.weight_bytes > 0 {
        if session.forecast(entry) == Forecast::Unknown && session.model_of(entry).is_some() {
            actions.push(Action::Library(LibraryAction::Forecast(entry.path.clone())));
        }
        fact_ui(ui, text.memory, memory_words(ui, session, desk, entry));
    }
    for part in &entry.missing {
        tight_row(ui, &part_words(part, text), |ui| part_ui(ui, session, desk, entry, part, actions));
    }
    if entry.files.len() == 1 {
        row(ui, "sha256", |ui| hash_ui(ui, session, text, entry, actions));
    }
    row(ui, text.path_of_file, |ui| {
        let path = entry.path.display().to_string();
        ui.add(Label::new(RichText::new(path).small()).wrap());
        let button = ui.button(text.show_in_folder);
        if tip(button, text.show_in_folder_hint, "").clicked() {
            actions.push(Action::ShowInFolder(entry.path.clone()));
        }
    });
    if session.library().deletion(entry) == Deletion::InSharedCache {
        note(ui, text.delete_shared);
    }
}

/// A row with a value in one line, or in more where it is long.
fn fact_ui(ui: &mut Ui, name: &str, value: RichText) {
    tight_row(ui, name, |ui| {
        // As high as the label beside it, so that both stand on one line.
        ui.horizontal(|ui| {
            ui.add(Label::new(value).wrap());
        });
    });
}

/// Licence and page, as far as the catalogue or the place of the files tells.
fn source_ui(ui: &mut Ui, text: &Text, entry: &Entry, actions: &mut Vec<Action>) {
    let known = ModelLibrary::catalogue_file(entry);
    if let Some(file) = known {
        let licence = &file.licence;
        link_row(ui, text.licence, &licence.name, &licence.link, text.licence_hint, actions);
    }
    let repository = entry.repository.clone().or_else(|| Some(known?.repository.to_string()));
    if let Some(repository) = repository {
        let page = format!("https://huggingface.co/{repository}");
        link_row(ui, text.source_page, &repository, &page, text.source_page_hint, actions);
    }
}

/// The memory that the model needs, beside what was free when the program started; until that is known, and for one that
/// lacks a part, what its weights need.
fn memory_words(ui: &Ui, session: &Session, desk: &Desk, entry: &Entry) -> RichText {
    let (text, free) = (desk.text, desk.surroundings.free_memory);
    let in_turn = |need: &MemoryNeed| need.in_turn.filter(|_| free.is_some_and(|free| need.together > free));
    let (sentence, needed) = match session.forecast(entry) {
        Forecast::Known(Some(need)) => match in_turn(&need) {
            Some(least) => (text.memory_in_turn, least),
            None => (text.memory_needed_now, need.together),
        },
        Forecast::Asked => return RichText::new(text.memory_computing),
        Forecast::Unknown | Forecast::Known(None) => (text.memory_weights, entry.bytes_with_parts),
    };
    let Some(free) = free else {
        return RichText::new(match session.forecast(entry) {
            Forecast::Known(Some(_)) => filled(text.memory_about, &[&size_words(needed)]),
            _ => filled(text.memory_weights_alone, &[&size_words(needed)]),
        });
    };
    let words = RichText::new(filled(sentence, &[&size_words(needed), &size_words(free)]));
    if needed > free { words.color(theme::warning(ui.visuals().dark_mode)) } else { words }
}

/// A part that the file does not have: the file that completes it, or a button that asks for one.
fn part_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    entry: &Entry,
    part: &MissingPart,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let file = part.role.and_then(|role| session.file_of_part(entry, role));
    if let Some(file) = file.or_else(|| part.completed_by.first().cloned()) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let others = part.completed_by.len().saturating_sub(1);
        let more = text.part_from_others.replace("{}", &others.to_string());
        let words = if others > 0 { format!("{name} ({more})") } else { name };
        ui.horizontal(|ui| {
            ui.add(Label::new(words).truncate()).on_hover_text(file.display().to_string());
        });
        if part.lacks_tokenizer {
            note(ui, text.part_no_tokenizer);
            ui.horizontal(|ui| get_part_ui(ui, session, desk, entry, part, actions));
        }
        return;
    }
    ui.add(Label::new(RichText::new(&part.what).small().color(theme::quiet(dark))).wrap());
    ui.horizontal(|ui| {
        if part.is_optional {
            quiet(ui, text.part_optional);
        } else {
            ui.label(RichText::new(text.part_missing).color(theme::warning(dark)));
        }
        if let Some(role) = part.role {
            let button = ui.button(text.find_part);
            named(&button, format!("{}: {}", part.what, text.find_part));
            if tip(button, text.find_part_hint, "").clicked() {
                actions.push(Action::Library(LibraryAction::FindPart(entry.path.clone(), role)));
            }
        }
        get_part_ui(ui, session, desk, entry, part, actions);
    });
}

/// A button that downloads a part, where a known file completes the model.
fn get_part_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    entry: &Entry,
    part: &MissingPart,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let Some(file) = session.known_part(entry, part, desk.surroundings.total_memory) else { return };
    if let Some(group) = session.downloads().group(file.path.file_name()) {
        quiet(ui, group.share().map(percent).unwrap_or_default());
        return;
    }
    let is_asked = session.downloads().knows(file.path.file_name());
    let button = ui.add_enabled(!is_asked, egui::Button::new(text.get_part));
    named(&button, format!("{}: {}", part.what, text.get_part));
    let hint = filled(text.get_part_hint, &[file.path.file_name(), &amount_words(file.bytes())]);
    if tip(button, &hint, "").clicked() {
        let (model, file) = (entry.path.clone(), file.id.clone());
        actions.push(Action::Downloads(DownloadAction::GetPart { model, file }));
    }
}

fn hash_ui(ui: &mut Ui, session: &Session, text: &Text, entry: &Entry, actions: &mut Vec<Action>) {
    match (&entry.sha256, session.hashing(entry)) {
        (Some(hash), _) => {
            if let Some(short) = entry.auto_v2() {
                ui.label(format!("AutoV2 {short}"));
            }
            ui.add(Label::new(RichText::new(hash).small()).truncate()).on_hover_text(hash);
        }
        (None, Some(share)) => {
            ui.horizontal(|ui| {
                let bar = egui::ProgressBar::new(share.clamp(0.0, 1.0));
                ui.add(bar.show_percentage().desired_height(16.0).desired_width(140.0));
                let stop = ui.button(text.stop);
                named(&stop, format!("sha256: {}", text.stop));
                if tip(stop, text.stop_hash_hint, "").clicked() {
                    actions.push(Action::Library(LibraryAction::StopHash));
                }
            });
        }
        (None, None) => {
            let button = ui.button(text.compute);
            named(&button, format!("sha256: {}", text.compute));
            if tip(button, text.compute_hint, "").clicked() {
                actions.push(Action::Library(LibraryAction::Hash(entry.path.clone())));
            }
        }
    }
}

fn buttons_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, entry: &Entry, actions: &mut Vec<Action>) {
    let text = desk.text;
    let mut act = |action: fn(std::path::PathBuf) -> LibraryAction| {
        actions.push(Action::Library(action(entry.path.clone())));
    };
    let mut opens = false;
    ui.spacing_mut().item_spacing = Vec2::splat(6.0);
    ui.horizontal_centered(|ui| {
        let can_open = session.model_of(entry).is_some();
        let button = egui::Button::new(RichText::new(text.open_entry).family(theme::strong()));
        let button = ui.add_enabled(can_open, button);
        opens = tip(button, text.open_entry_hint, "Enter").clicked();
        let has_star = session.library().has_star(entry);
        let sign = if has_star { "★" } else { "☆" };
        let star = ui.add(egui::Button::new(format!("{sign} {}", text.star)).selected(has_star));
        named(&star, text.star);
        if tip(star, text.star_hint, "").clicked() {
            act(LibraryAction::Star);
        }
        if tip(ui.button(text.remove_entry), text.remove_entry_hint, "").clicked() {
            act(LibraryAction::Remove);
        }
        let deletion = session.library().deletion(entry);
        let why = match deletion {
            Deletion::Possible => text.delete_entry_hint,
            Deletion::InSharedCache => text.delete_shared,
            Deletion::Outside => text.delete_outside,
        };
        let button = ui.add_enabled(deletion == Deletion::Possible, egui::Button::new(text.delete_entry));
        if tip(button, why, "").clicked() {
            act(LibraryAction::AskDelete);
        }
    });
    if opens {
        open(&entry.path, desk, actions);
    }
}
