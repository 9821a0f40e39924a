//! The bar at the top: the model, the title of the document on the easel, its exports, and the window's menu.

use egui::{Align2, Button, FontId, Rect, RichText, Sense, Ui, Vec2};

use super::controls::{choices, named, opens, quiet, segment, tip, trailing};
use super::desk::{Desk, Overlay, ThemeChoice};
use super::library::{percent, show_downloads};
use super::reasons::reason_words;
use super::words::title_words;
use super::{Language, Text, reel, theme};
use crate::catalog::ModelSource;
use crate::session::{Action, ExportKind, Like, MeaningAction, ModelState, RecentModel, Session};

/// Greatest width of the model's name, points.
const WIDEST_MODEL: f32 = 268.0;

pub(super) fn top_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    ui.horizontal_centered(|ui| {
        let model = model_ui(ui, session, desk, actions);
        let left = model.right() + 12.0;
        let right = trailing(ui, "top", |ui| {
            buttons_ui(ui, session, desk, actions);
            ui.min_rect().left()
        });
        let free = Rect::from_x_y_ranges(left..=right - 12.0, ui.max_rect().y_range());
        title_ui(ui, session, desk, free);
    });
}

/// The title, centred in the free space; a dot before it marks an unsaved document.
fn title_ui(ui: &Ui, session: &Session, desk: &Desk, free: Rect) {
    let Some(document) = session.on_easel() else { return };
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let mut words = title_words(&document.title(), text);
    let layout = |words: String| {
        ui.painter().layout_no_wrap(words, FontId::proportional(14.0), ui.visuals().text_color())
    };
    let mut galley = layout(words.clone());
    while galley.size().x + 20.0 > free.width() && words.chars().count() > 4 {
        let keep = words.chars().count() * 7 / 8;
        words = format!("{}…", words.trim_end_matches('…').chars().take(keep).collect::<String>().trim_end());
        galley = layout(words.clone());
    }
    let place = Align2::CENTER_CENTER.anchor_size(free.center(), galley.size());
    if document.is_unsaved() {
        ui.painter().circle_filled(place.left_center() - Vec2::new(10.0, 0.0), 3.5, theme::warning(dark));
    }
    let said = if document.is_unsaved() { format!("{words} ({})", text.unsaved_dot) } else { words };
    let response = ui.interact(place.expand(4.0), ui.scope_id().with("title"), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &said));
    response.on_hover_text(if document.is_unsaved() {
        format!("{}\n{}", title_words(&document.title(), text), text.unsaved_dot)
    } else {
        title_words(&document.title(), text)
    });
    ui.painter().galley(place.min, galley, ui.visuals().text_color());
}

fn buttons_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    downloads_ui(ui, session, desk);
    if tip(ui.button(text.open), text.open_hint, "Ctrl+O").clicked() {
        actions.push(Action::Open);
    }
    let has_any = session.on_easel().is_some_and(|document| document.inspector().latent.is_some());
    ui.add_enabled_ui(has_any, |ui| {
        let menu = ui.menu_button(format!("{} ▾", text.export), |ui| export_ui(ui, session, desk, actions));
        opens(&menu);
        tip(menu.response, text.export_hint, "");
    });
    let on = segment(ui, desk.recipe, true, text.recipe);
    if tip(on, text.recipe_hint, "R").clicked() {
        desk.recipe = !desk.recipe;
    }
    let on = segment(ui, desk.enlarger, true, text.enlarger);
    if tip(on, text.enlarger_hint, "L").clicked() {
        desk.enlarger = !desk.enlarger;
    }
    let more = ui.menu_button("⋯", |ui| more_ui(ui, desk));
    opens(&more);
    named(&more.response, text.window_menu);
    more.response.on_hover_text(text.window_menu);
}

/// A small sign of downloads, which opens their list.
fn downloads_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let downloads = session.downloads();
    if downloads.is_empty() {
        return;
    }
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let share = downloads.share().map(percent).unwrap_or_default();
    let (sign, colour) = match (downloads.has_failures(), downloads.is_active()) {
        (true, _) => ("!", theme::warning(dark)),
        (false, true) => ("↓", theme::accent(dark)),
        (false, false) => ("‖", theme::quiet(dark)),
    };
    let mut words = egui::text::LayoutJob::default();
    let format = |colour| egui::TextFormat {
        font_id: FontId::proportional(14.0),
        color: colour,
        ..egui::TextFormat::default()
    };
    words.append(sign, 0.0, format(colour));
    words.append(&share, 5.0, format(ui.visuals().text_color()));
    let button = ui.button(words);
    named(&button, format!("{} {share}", text.downloads));
    if tip(button, text.downloads_sign_hint, "").clicked() {
        show_downloads(desk);
    }
}

/// The menu of exports of the document on the easel.
pub(super) fn export_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    for (name, keys, kind) in [
        (text.save, "Ctrl+S", ExportKind::Picture),
        (text.save_latent, "Ctrl+Shift+S", ExportKind::Latent),
        (text.save_sheet, "", ExportKind::Sheet),
        (text.save_channels, "", ExportKind::ChannelPngs),
        (text.save_npy, "", ExportKind::Npy),
    ] {
        let button = Button::new(name).right_text(RichText::new(keys).small().weak());
        if ui.add_enabled(session.can_export(kind), button).clicked() {
            actions.push(Action::Export(kind));
        }
    }
    reel_button_ui(ui, session, desk);
    ui.separator();
    let picture = session.on_easel().and_then(|document| document.picture().cloned());
    let copy = Button::new(text.copy).right_text(RichText::new("Ctrl+C").small().weak());
    if ui.add_enabled(picture.is_some(), copy).clicked() {
        actions.push(Action::Copy);
    }
    if ui.add_enabled(picture.is_some(), Button::new(text.use_as_source)).clicked()
        && let Some(picture) = picture
    {
        actions.push(Action::UsePicture(picture));
    }
    meaning_ui(ui, session, desk, actions);
    if ui.button(text.hold).on_hover_text(text.hold_hint).clicked() {
        actions.push(Action::KeepLatent);
    }
}

/// The entry of a menu that saves the development of the document on the easel.
pub(super) fn reel_button_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let has_steps = session.on_easel().is_some_and(|document| session.has_reel(document.id()));
    let button = Button::new(desk.text.save_reel).right_text(RichText::new("Ctrl+E").small().weak());
    if tip(ui.add_enabled(has_steps, button), desk.text.save_reel_hint, "Ctrl+E").clicked() {
        reel::open_shown(session, desk);
    }
}

/// Words for the picture on the easel, and pictures like it.
fn meaning_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let picture = session.on_easel().and_then(|document| document.picture().cloned());
    if session.meaning().is_describing() {
        if ui.button(text.stop_describing).clicked() {
            actions.push(Action::Meaning(MeaningAction::StopDescribing));
        }
    } else if ui
        .add_enabled(picture.is_some(), Button::new(text.describe))
        .on_hover_text(text.describe_hint)
        .clicked()
        && let Some(picture) = picture.clone()
    {
        actions.push(Action::Meaning(MeaningAction::Describe(picture)));
    }
    let may = picture.is_some() && session.history().is_kept();
    let button = ui.add_enabled(may, Button::new(text.more_like_this));
    if button.on_hover_text(text.more_like_this_hint).clicked()
        && let Some(picture) = picture
    {
        (desk.gallery, desk.runs.by_meaning) = (true, true);
        actions.push(Action::Meaning(MeaningAction::Find(Like::Picture(picture))));
    }
}

/// The menu of the window: language, theme, and the windows within it.
fn more_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = desk.text;
    choices(ui);
    quiet(ui, text.language_name);
    for (language, name) in [(Language::English, "English"), (Language::Korean, "한국어")] {
        if ui.radio(desk.language == language, name).clicked() {
            desk.speak(language);
        }
    }
    ui.separator();
    quiet(ui, text.theme);
    for (theme, name) in [
        (ThemeChoice::System, text.theme_system),
        (ThemeChoice::Light, text.theme_light),
        (ThemeChoice::Dark, text.theme_dark),
    ] {
        ui.radio_value(&mut desk.theme, theme, name);
    }
    ui.separator();
    if ui.add(Button::new(text.grid).right_text(RichText::new("Ctrl+G").small().weak())).clicked() {
        super::grid::toggle(desk);
    }
    if ui.add(Button::new(text.settings).right_text(RichText::new("Ctrl+,").small().weak())).clicked() {
        desk.overlay = Some(Overlay::Settings);
    }
    if ui.add(Button::new(text.messages).right_text(RichText::new("M").small().weak())).clicked() {
        desk.overlay = Some(Overlay::Messages);
    }
    if ui.add(Button::new(text.shortcuts).right_text(RichText::new("?").small().weak())).clicked() {
        desk.overlay = Some(Overlay::Shortcuts);
    }
    if ui.button(text.about).clicked() {
        desk.overlay = Some(Overlay::About);
    }
}

/// The button of the model with its name, family and precision, which opens the list of models.
fn model_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) -> Rect {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let name = desk.model_name(&session.draft().model);
    let detail = match session.model_state() {
        ModelState::Loading(part, done, total) => {
            let part = text.part(part);
            if part.is_empty() {
                text.loading.to_owned()
            } else {
                format!("{} · {part} {done}/{total}", text.loading)
            }
        }
        ModelState::Ready { device, .. } => {
            let family = session.profile().map_or("", |profile| profile.family);
            format!("{family} · {}", device_words(device, text))
        }
        ModelState::Failed(_) if session.is_held_back() => text.held_back.to_owned(),
        ModelState::Failed(_) => text.load_failed.to_owned(),
    };
    let failed = matches!(session.model_state(), ModelState::Failed(_));
    let mut words = egui::text::LayoutJob::default();
    let format =
        |font, colour| egui::TextFormat { font_id: font, color: colour, ..egui::TextFormat::default() };
    words.append(&name, 0.0, format(FontId::new(14.0, theme::strong()), ui.visuals().text_color()));
    let colour = if failed { theme::warning(dark) } else { theme::quiet(dark) };
    words.append(&format!("{detail} ▾"), 8.0, format(FontId::proportional(12.0), colour));
    words.wrap = egui::text::TextWrapping::truncate_at_width(WIDEST_MODEL);
    let button = ui.menu_button(words, |ui| models_ui(ui, session, desk, actions));
    opens(&button);
    named(&button.response, format!("{} {name} {detail}", text.model));
    if let ModelState::Loading(_, done, total) = session.model_state() {
        let mut bar = button.response.rect.shrink2(Vec2::new(4.0, 0.0));
        bar.min.y = bar.max.y - 2.0;
        bar.max.x = bar.min.x + bar.width() * (*done as f32 / (*total).max(1) as f32);
        ui.painter().rect_filled(bar, 1.0, theme::accent(dark));
    }
    let rect = button.response.rect;
    if let ModelState::Failed(why) = session.model_state() {
        let why = why.as_ref().map(|why| reason_words(why, desk.language));
        button.response.on_hover_text(why.unwrap_or_default());
        let again = tip(ui.button(text.try_again), text.try_again_hint, "");
        if again.clicked() {
            actions.push(Action::SetModel(session.draft().model.clone()));
        }
        return rect.union(again.rect);
    }
    button.response.on_hover_text(format!("{name}\n{detail}"));
    rect
}

/// The list of models. The entry for another folder is above the part that scrolls.
fn models_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.set_min_width(280.0);
    let all = Button::new(text.all_models).right_text(RichText::new("Ctrl+M").small().weak());
    if tip(ui.add(all), text.all_models_hint, "Ctrl+M").clicked() {
        desk.overlay = Some(Overlay::Models);
    }
    if ui.button(text.open_model).clicked() {
        actions.push(Action::OpenModel);
    }
    ui.separator();
    egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
        let mut choice = |ui: &mut Ui, model: ModelSource, recent: Option<&RecentModel>| {
            let chosen = model == session.draft().model;
            let why = recent.and_then(|recent| recent.failed.as_ref());
            let place = recent.map(|recent| recent.folder.display().to_string()).unwrap_or_default();
            let mut words = RichText::new(desk.model_name(&model));
            if why.is_some() {
                words = words.color(theme::quiet(ui.visuals().dark_mode));
            }
            let mut button = Button::selectable(chosen, words);
            if why.is_some() {
                button = button.right_text(RichText::new(text.load_failed).small().weak());
            }
            let response = ui.add(button);
            if response.clicked() && (!chosen || why.is_some()) {
                actions.push(Action::SetModel(model));
                ui.close();
            }
            let words = match why {
                Some(why) => format!("{place}\n{}", reason_words(why, desk.language)),
                None => place,
            };
            if !words.is_empty() {
                response.on_hover_text(words);
            }
        };
        choice(ui, ModelSource::Builtin, None);
        for recent in session.recent_models() {
            choice(ui, ModelSource::Folder(recent.folder.clone()), Some(recent));
        }
    });
}

/// The engine's name of the device, translated.
pub(super) fn device_words(device: &str, text: &Text) -> String {
    device.replace("Processor", text.processor).replace("bf16 matrices", text.bf16_matrices)
}
