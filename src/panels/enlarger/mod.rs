//! The enlarger, the panel beside the picture: the latent's channels, a blend, the edit history, and facts.

mod blend;
mod channels;
mod facts;

use egui::{RichText, Ui};

use super::controls::{Icon, choices, icon_button, named, opens, quiet, scroll_to_focus, tip, trailing};
use super::desk::Desk;
use super::theme;
use super::words::edit_words;
use crate::request::{DecodeChoice, TileChoice};
use crate::session::{
    Action, Document, Framing, Inspector, InspectorOptions, Limits, ModelState, Session, Touch,
};

pub(super) fn enlarger_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let document = session.on_easel();
    ui.horizontal(|ui| {
        ui.set_height(28.0);
        ui.label(RichText::new(text.enlarger).family(theme::strong()));
        if let Some(latent) = document.and_then(|document| document.inspector().latent.as_ref()) {
            quiet(ui, latent.shape().to_string());
        }
        trailing(ui, "seen", |ui| {
            let menu =
                ui.menu_button(format!("{} ▾", text.seen), |ui| options_ui(ui, session, desk, actions));
            opens(&menu);
            tip(menu.response, text.seen_hint, "");
        });
    });
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let Some(document) = document else {
            ui.add_space(12.0);
            ui.label(RichText::new(text.latent_empty).color(theme::quiet(ui.visuals().dark_mode)));
            return;
        };
        if document.inspector().latent.is_some() {
            channels::channels_ui(ui, session, desk, document, actions);
            blend::blend_ui(ui, session, desk, document, actions);
            history_ui(ui, session, desk, document, actions);
        }
        file_ui(ui, session, desk, document, actions);
        facts::facts_ui(ui, desk, document, actions);
        scroll_to_focus(ui);
    });
}

/// A heading within the panel.
fn heading(ui: &mut Ui, words: &str) {
    ui.add_space(6.0);
    ui.separator();
    ui.label(RichText::new(words).family(theme::strong()));
}

/// The menu for how channels are coloured.
fn options_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let mut options: InspectorOptions = session.options();
    choices(ui);
    quiet(ui, text.limits);
    for (limits, name) in [
        (Limits::Shared, text.limits_shared),
        (Limits::PerChannel, text.limits_own),
        (Limits::Fixed, text.limits_fixed),
    ] {
        ui.radio_value(&mut options.limits, limits, name);
    }
    ui.separator();
    ui.checkbox(&mut options.smooth, text.smooth);
    ui.checkbox(&mut options.grey, text.grey);
    if options != session.options() {
        actions.push(Action::See(options));
    }
}

/// Undo, redo, reset, the list of edits, and other ways to decode.
fn history_ui(ui: &mut Ui, session: &Session, desk: &Desk, document: &Document, actions: &mut Vec<Action>) {
    let text = desk.text;
    let inspector = document.inspector();
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 7.0;
        let [can_undo, can_redo] = inspector.can_undo_redo();
        for (able, icon, name, keys, touch) in [
            (can_undo, Icon::Undo, text.undo, "Ctrl+Z", Touch::Undo),
            (can_redo, Icon::Redo, text.redo, "Ctrl+Shift+Z", Touch::Redo),
        ] {
            let button = ui.add_enabled_ui(able, |ui| icon_button(ui, icon, None, 28.0, name, keys)).inner;
            if button.clicked() {
                actions.push(Action::Touch(touch));
            }
        }
        ui.add_enabled_ui(can_undo || can_redo, |ui| {
            let menu = ui.menu_button("▾", |ui| edits_ui(ui, desk, inspector, actions));
            opens(&menu);
            named(&menu.response, text.edits);
            tip(menu.response, text.edits_hint, "");
        });
        let reset = ui.add_enabled(!inspector.adjustments.is_none(), egui::Button::new(text.reset));
        if tip(reset, text.reset_hint, "").clicked() {
            actions.push(Action::Touch(Touch::Reset));
        }
        if !document.is_drawing() {
            let menu =
                ui.menu_button(format!("{} ▾", text.decode), |ui| decode_ui(ui, session, desk, actions));
            opens(&menu);
            tip(menu.response, text.decode_hint, "");
        }
    });
}

/// All edits, oldest first. The marked one is the last in effect; a click on another goes there.
fn edits_ui(ui: &mut Ui, desk: &Desk, inspector: &Inspector, actions: &mut Vec<Action>) {
    let text = desk.text;
    let (edits, in_effect) = inspector.edits();
    let quiet = theme::quiet(ui.visuals().dark_mode);
    ui.set_min_width(180.0);
    egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
        let names = edits.iter().map(|edit| edit_words(*edit, text));
        for (place, name) in std::iter::once(text.edits_start.to_owned()).chain(names).enumerate() {
            let mut words = RichText::new(name);
            if place > in_effect {
                words = words.color(quiet);
            }
            let row = ui.add(egui::Button::selectable(place == in_effect, words));
            if place == in_effect {
                row.scroll_to_me(None);
            }
            if row.clicked() {
                actions.push(Action::Touch(Touch::GoTo(place)));
                ui.close();
            }
        }
    });
}

/// The menu of ways to decode the latent.
fn decode_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let tiles = |tiles| DecodeChoice { tiles: Some(tiles), in_f32: false };
    let mut ways = vec![
        (text.decode_again, DecodeChoice::default()),
        (text.decode_in_tiles, tiles(TileChoice::Always)),
        (text.decode_whole, tiles(TileChoice::Never)),
    ];
    if matches!(session.model_state(), ModelState::Ready { in_halves: true, .. }) {
        ways.push((text.decode_in_f32, DecodeChoice { tiles: None, in_f32: true }));
    }
    for (name, how) in ways {
        if ui.button(name).clicked() {
            actions.push(Action::Decode(how));
        }
    }
    if session.can_decode_quickly()
        && tip(ui.button(text.decode_quickly), text.decode_quickly_hint, "").clicked()
    {
        actions.push(Action::DecodeQuickly);
    }
}

/// How an opened picture was fitted to latent pixels, and the colour behind transparency.
fn file_ui(ui: &mut Ui, session: &Session, desk: &Desk, document: &Document, actions: &mut Vec<Action>) {
    let text = desk.text;
    let Some(file) = document.file() else { return };
    let mut options = session.open_options();
    let sizes = file.source.as_ref().zip(file.original.as_ref());
    let framed = sizes.filter(|(source, original)| {
        (source.width(), source.height()) != (original.width(), original.height())
    });
    if framed.is_none() && !file.transparent {
        return;
    }
    heading(ui, text.framing);
    if let Some((source, original)) = framed {
        let from = format!("{}×{}", source.width(), source.height());
        quiet(ui, format!("{from} → {}×{}", original.width(), original.height()));
        ui.horizontal(|ui| {
            tip(ui.radio_value(&mut options.framing, Framing::Crop, text.crop), text.framing_crop_hint, "");
            tip(ui.radio_value(&mut options.framing, Framing::Pad, text.pad), text.framing_pad_hint, "");
        });
    }
    if file.transparent {
        quiet(ui, text.background);
        ui.horizontal(|ui| {
            for (colour, name) in [([255; 3], text.white), ([128; 3], text.middle_grey), ([0; 3], text.black)]
            {
                tip(ui.radio_value(&mut options.background, colour, name), text.background_hint, "");
            }
        });
    }
    if options != session.open_options() {
        actions.push(Action::SetOpenOptions(options));
    }
}
