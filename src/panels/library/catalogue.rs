//! The list of models that can be downloaded, and the field for the address of another.

use egui::{Key, Ui};

use super::amounts::{amount_words, filled};
use super::list::{Row, row_ui};
use super::words::size_words;
use super::{Desk, GetPart};
use crate::panels::controls::{field_tip, named, quiet, tip};
use crate::panels::{Language, Text};
use crate::session::downloads::{
    Catalogue, CatalogueFile, CatalogueLicence, CatalogueModel, DownloadAction, GroupState, Look,
    PictureModel, TinyDecoder, Wish,
};
use crate::session::{Action, Session};

/// Height of the field for an address below the list, points.
const ADDRESS: f32 = 38.0;

/// What can be downloaded.
#[derive(Clone, Copy)]
pub(super) enum Item {
    Model(&'static CatalogueModel),
    Pictures(&'static PictureModel),
    Decoder(&'static TinyDecoder),
}

impl Item {
    /// All of the catalogue.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let catalogue = Catalogue::of_program();
        let models = catalogue.models.iter().map(Self::Model);
        let of_pictures = catalogue.picture_models.iter().map(Self::Pictures);
        models.chain(of_pictures).chain(catalogue.tiny_decoders.iter().map(Self::Decoder))
    }

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Model(model) => &model.id,
            Self::Pictures(model) => &model.id,
            Self::Decoder(decoder) => &decoder.id,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Model(model) => &model.name,
            Self::Pictures(model) => &model.name,
            Self::Decoder(decoder) => &decoder.name,
        }
    }

    pub(super) fn about(self, language: Language) -> &'static str {
        let about = match self {
            Self::Model(model) => &model.about,
            Self::Pictures(model) => &model.about,
            Self::Decoder(decoder) => &decoder.about,
        };
        match language {
            Language::English => &about.en,
            Language::Korean => &about.ko,
        }
    }

    pub(super) fn family(self) -> String {
        match self {
            Self::Model(model) => model.family.clone(),
            Self::Pictures(_) => String::new(),
            Self::Decoder(decoder) => decoder.families.join(", "),
        }
    }

    pub(super) fn files(self) -> Vec<&'static CatalogueFile> {
        let catalogue = Catalogue::of_program();
        match self {
            Self::Model(model) => catalogue.files_of(model).collect(),
            Self::Pictures(model) => catalogue.file(&model.file).into_iter().collect(),
            Self::Decoder(decoder) => catalogue.file(&decoder.file).into_iter().collect(),
        }
    }

    pub(super) fn bytes(self) -> u64 {
        self.files().iter().map(|file| file.bytes()).sum()
    }

    /// The licence of the model.
    pub(super) fn licence(self) -> Option<&'static CatalogueLicence> {
        match self {
            Self::Model(model) => Some(&model.licence),
            Self::Pictures(_) | Self::Decoder(_) => self.files().first().map(|file| &file.licence),
        }
    }

    /// Memory that it needs, bytes; nothing worth mentioning for a small decoder.
    pub(super) fn memory(self) -> Option<u64> {
        if let Self::Model(model) = self { Some(model.memory_gigabytes * 1_000_000_000) } else { None }
    }

    /// Whether it runs in this much main memory.
    pub(super) fn fits(self, memory: u64) -> bool {
        if let Self::Model(model) = self { model.fits(memory) } else { true }
    }

    pub(super) fn wish(self) -> Wish {
        match self {
            Self::Model(model) => Wish::of_model(model),
            Self::Pictures(model) => {
                Wish::Catalogue { name: model.name.clone(), files: vec![model.file.clone()] }
            }
            Self::Decoder(decoder) => {
                Wish::Catalogue { name: decoder.name.clone(), files: vec![decoder.file.clone()] }
            }
        }
    }

    /// Whether all of its files are on this computer.
    pub(super) fn is_here(self, session: &Session) -> bool {
        self.files().iter().all(|file| session.library().has_file(file))
    }

    fn has_words(self, words: &[String]) -> bool {
        let abouts = [Language::English, Language::Korean].map(|language| self.about(language));
        let text = format!("{} {} {} {}", self.name(), self.id(), self.family(), abouts.join(" "));
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    }
}

/// What is listed of the catalogue.
pub(super) fn listed(words: &str) -> Vec<Item> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    Item::all().filter(|item| item.has_words(&words)).collect()
}

/// The chosen item, if it is listed; else the first.
pub(super) fn chosen(desk: &Desk, words: &str) -> Option<Item> {
    let listed = listed(words);
    let chosen = listed.iter().find(|item| desk.models.item.as_deref() == Some(item.id()));
    chosen.or(listed.first()).copied()
}

/// Chooses the item this many places further.
pub(super) fn choose_next(desk: &mut Desk, words: &str, by: isize) {
    let listed = listed(words);
    let Some(now) = chosen(desk, words) else { return };
    let place = listed.iter().position(|item| item.id() == now.id()).unwrap_or(0);
    let next = place.saturating_add_signed(by).min(listed.len() - 1);
    desk.models.item = Some(listed[next].id().to_owned());
    desk.models.part = GetPart::Model;
    desk.models.scroll_to = Some(next);
}

/// The list over the field for an address.
pub(super) fn catalogue_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    words: &str,
    actions: &mut Vec<Action>,
) {
    let room = ui.available_rect_before_wrap();
    let (above, below) = room.split_top_bottom_at_y(room.bottom() - ADDRESS);
    ui.scope_builder(egui::UiBuilder::new().max_rect(above), |ui| items_ui(ui, session, desk, words));
    ui.scope_builder(egui::UiBuilder::new().max_rect(below), |ui| {
        ui.add_space(6.0);
        address_ui(ui, session, desk, actions);
    });
}

fn items_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, words: &str) {
    let text = desk.text;
    let listed = listed(words);
    ui.spacing_mut().item_spacing.y = 0.0;
    if listed.is_empty() {
        ui.add_space(28.0);
        ui.label(text.no_files_found);
        return;
    }
    let is_chosen_shown = desk.models.part == GetPart::Model;
    let chosen = chosen(desk, words).map(Item::id);
    let scroll_to = desk.models.scroll_to.take();
    egui::ScrollArea::vertical().id_salt("catalogue").auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width());
        for (place, item) in listed.into_iter().enumerate() {
            let (state, is_warning) = state_words(session, desk, item);
            let bytes = amount_words(item.bytes());
            let response = row_ui(
                ui,
                item.id(),
                &Row {
                    name: item.name(),
                    amount: &bytes,
                    about: item.about(desk.language),
                    state: &state,
                    is_warning,
                    is_starred: None,
                    is_selected: is_chosen_shown && chosen == Some(item.id()),
                },
            );
            if scroll_to == Some(place) {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                desk.models.item = Some(item.id().to_owned());
                desk.models.part = GetPart::Model;
            }
        }
    });
}

/// What a user should know of an item in the list, and whether it is a warning.
fn state_words(session: &Session, desk: &Desk, item: Item) -> (String, bool) {
    let (text, downloads) = (desk.text, session.downloads());
    if let Some(group) = downloads.group(item.name()) {
        return match group.state {
            GroupState::Failed => (text.download_failed.to_owned(), true),
            GroupState::Paused => (text.download_paused.to_owned(), false),
            _ => (group.share().map_or_else(String::new, percent), false),
        };
    }
    if item.is_here(session) {
        return (text.is_here.to_owned(), false);
    }
    match (item.memory(), desk.surroundings.total_memory) {
        (Some(memory), Some(total)) if !item.fits(total) => {
            (filled(text.needs_memory, &[&amount_words_short(memory)]), true)
        }
        _ => (String::new(), false),
    }
}

/// A share in whole percent; 100 only when all is there.
pub(in crate::panels) fn percent(share: f32) -> String {
    format!("{} %", (share * 100.0).floor())
}

/// Memory as `9 GB`.
pub(super) fn amount_words_short(bytes: u64) -> String {
    format!("{:.0} GB", bytes as f64 / 1e9)
}

/// Memory that an item needs beside what the computer has, and whether that is too little.
pub(super) fn memory_words(item: Item, total: Option<u64>, text: &Text) -> Option<(String, bool)> {
    let needed = amount_words_short(item.memory()?);
    let Some(total) = total else { return Some((filled(text.memory_about, &[&needed]), false)) };
    let fits = item.fits(total);
    let sentence = if fits { text.memory_fits } else { text.memory_lacks };
    Some((filled(sentence, &[&needed, &size_words(total)]), !fits))
}

/// The field for the address of another model.
fn address_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let mut looks = false;
    ui.horizontal(|ui| {
        let label = quiet(ui, text.address);
        let button = ui.spacing().button_padding.x * 2.0
            + egui::WidgetText::from(text.look_up)
                .into_galley(ui, None, f32::INFINITY, egui::TextStyle::Button)
                .size()
                .x;
        let width = ui.available_width() - button - ui.spacing().item_spacing.x - 12.0;
        let field = egui::TextEdit::singleline(&mut desk.models.address)
            .hint_text(text.address_example)
            .desired_width(width.max(80.0));
        let field = ui.add(field).labelled_by(label.id);
        named(&field, text.address);
        field_tip(&field, text.address_hint);
        looks = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let is_asking = matches!(session.downloads().look(), Look::Asking(_));
        let can_look = !desk.models.address.trim().is_empty() && !is_asking;
        let button = ui.add_enabled(can_look, egui::Button::new(text.look_up));
        if looks {
            // The keys go on from here, to what was found.
            field.request_focus();
        }
        looks |= tip(button, text.look_up_hint, "").clicked();
        looks &= can_look;
    });
    if looks {
        (desk.models.part, desk.models.choice) = (GetPart::Look, None);
        actions.push(Action::Downloads(DownloadAction::Look(desk.models.address.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_searched_by_what_is_seen_of_it() {
        let found = |words: &str| listed(words).iter().map(|item| item.id()).collect::<Vec<_>>();
        assert_eq!(found("").len(), Item::all().count());
        assert_eq!(found("klein 8 bits"), ["flux2-klein-4b-q8"]);
        assert_eq!(found("고전"), ["sd15"]);
        assert!(found("taesd").contains(&"taesdxl") && found("nothing of the kind").is_empty());
        for item in Item::all() {
            assert!(
                !item.files().is_empty() && item.bytes() > 0 && item.licence().is_some(),
                "{}",
                item.id()
            );
        }
    }

    #[test]
    fn memory_is_said_beside_what_there_is() {
        let item = Item::all().find(|item| item.id() == "flux1-schnell-q8").unwrap();
        let text = Text::of(Language::English);
        let said = |total| memory_words(item, total, text).unwrap();
        assert_eq!(said(None), ("about 16 GB".into(), false));
        assert_eq!(said(Some(64 << 30)), ("about 16 GB: fits into the 64.0 GiB here".into(), false));
        assert!(said(Some(8 << 30)).1);
        assert_eq!(percent(0.999), "99 %");
    }
}
