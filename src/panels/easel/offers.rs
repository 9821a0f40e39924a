//! Models that suit the computer, offered below the examples while only the built-in model is known.

use egui::{Button, Label, Rect, RichText, Ui, UiBuilder, Vec2};

use crate::panels::controls::{Icon, icon_button, named, quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::library::{amount_words, filled, percent, show_catalogue, speed_words, time_words};
use crate::panels::theme;
use crate::session::downloads::{Catalogue, CatalogueModel, DownloadAction, DownloadGroup, Wish};
use crate::session::{Action, Session};

/// Height of the offers with the space above them, points.
pub(super) const HEIGHT: f32 = 104.0;
/// Space above, height of the title, of a card, and the space between cards, points.
const ABOVE: f32 = 20.0;
const TITLE: f32 = 28.0;
const CARD: f32 = 52.0;
const GAP: f32 = 10.0;
/// Greatest width of a card, points.
const WIDEST: f32 = 260.0;

/// The models that are offered now.
pub(super) fn offers(session: &Session, desk: &Desk) -> Vec<&'static CatalogueModel> {
    session.offers(desk.surroundings.total_memory)
}

/// The offers side by side, centred in a place of [`HEIGHT`].
pub(super) fn offers_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    place: Rect,
    offers: &[&'static CatalogueModel],
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let count = offers.len() as f32;
    let width = ((place.width() - (count - 1.0) * GAP) / count).min(WIDEST).floor();
    let all = count * width + (count - 1.0) * GAP;
    let left = (place.center().x - all / 2.0).round();
    let title = Rect::from_min_size(egui::pos2(left, place.top() + ABOVE), Vec2::new(all, TITLE));
    let mut head = ui.new_child(UiBuilder::new().id_salt("offers").max_rect(title));
    head.horizontal_centered(|ui| {
        ui.spacing_mut().interact_size.y = 24.0;
        ui.spacing_mut().button_padding.y = 2.0;
        quiet(ui, filled(text.offers_title, &[&speed_words(session.downloads())]));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, Icon::Cross, None, 24.0, text.offers_hide, "").clicked() {
                actions.push(Action::Downloads(DownloadAction::HideOffers));
            }
            if tip(ui.button(text.all_offers), text.models_get_hint, "").clicked() {
                show_catalogue(desk);
            }
        });
    });
    for (index, model) in offers.iter().enumerate() {
        let corner = egui::pos2(left + index as f32 * (width + GAP), title.bottom());
        let card = Rect::from_min_size(corner, Vec2::new(width, CARD));
        offer_ui(ui, session, desk, card, model, actions);
    }
}

/// A model: its name over size and time, and a button that gets it.
fn offer_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    card: Rect,
    model: &'static CatalogueModel,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    ui.painter().rect_filled(card, 6.0, ui.visuals().panel_fill);
    let inner = card.shrink2(Vec2::new(10.0, 6.0));
    let mut ui = ui.new_child(UiBuilder::new().id_salt(&model.id).max_rect(inner));
    let bytes = Catalogue::of_program().size_of(model);
    ui.horizontal_centered(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let wish = Wish::of_model(model);
            let downloads = session.downloads();
            if downloads.knows(&model.name) {
                let share = downloads.group(&model.name).and_then(DownloadGroup::share);
                quiet(ui, share.map_or_else(|| "…".to_owned(), percent));
            } else {
                let button = ui.add(Button::new(text.get));
                named(&button, format!("{}: {}", text.get, model.name));
                let hint = filled(text.offer_hint, &[&model.name]);
                let hint = format!("{hint} · {} · {}", amount_words(bytes), model.licence.name);
                if tip(button, &hint, "").clicked() {
                    actions.push(Action::Downloads(DownloadAction::Get(wish)));
                }
            }
            ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                let name = RichText::new(&model.name).family(theme::strong()).size(13.0);
                let about = match desk.language {
                    crate::panels::Language::English => &model.about.en,
                    crate::panels::Language::Korean => &model.about.ko,
                };
                ui.add(Label::new(name).truncate()).on_hover_text(about);
                let (secs, _) = session.downloads().forecast(bytes);
                let size = [amount_words(bytes), time_words(secs, desk.language)];
                let size = filled(text.about_size_time, &[&size[0], &size[1]]);
                let size = RichText::new(size).small().color(theme::quiet(dark));
                ui.add(Label::new(size).truncate());
            });
        });
    });
}
