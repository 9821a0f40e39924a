//! How channels are seen, undo and redo, saving; and how a file was opened.

use egui::{RichText, Ui};

use crate::panels::{Desk, theme};
use crate::request::{DecodeChoice, TileChoice};
use crate::session::{Action, Export, Framing, Inspector, Limits, ModelState, Session, Touch};

pub(super) fn options_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let (text, inspector) = (desk.text, session.inspector());
    ui.horizontal_wrapped(|ui| {
        ui.label(text.limits);
        let mut options = inspector.options;
        for (limits, name) in [
            (Limits::Shared, text.limits_shared),
            (Limits::PerChannel, text.limits_own),
            (Limits::Fixed, text.limits_fixed),
        ] {
            ui.selectable_value(&mut options.limits, limits, name);
        }
        ui.separator();
        ui.checkbox(&mut options.smooth, text.smooth);
        ui.checkbox(&mut options.grey, text.grey);
        if options != inspector.options {
            actions.push(Action::Touch(Touch::See(options)));
        }
        ui.separator();
        let [can_undo, can_redo] = inspector.can_undo_redo();
        for (able, name, keys, touch) in [
            (can_undo, text.undo, "Ctrl+Z", Touch::Undo),
            (can_redo, text.redo, "Ctrl+Shift+Z", Touch::Redo),
            (!inspector.adjustments.is_none(), text.reset, "", Touch::Reset),
        ] {
            let response = ui.add_enabled(able, egui::Button::new(name));
            let response = if keys.is_empty() { response } else { response.on_hover_text(keys) };
            if response.clicked() {
                actions.push(Action::Touch(touch));
            }
        }
        ui.separator();
        if let Some(picture) = inspector.original.as_ref().or(inspector.decoded.as_ref())
            && ui.button(text.use_as_source).clicked()
        {
            actions.push(Action::UsePicture(picture.clone()));
        }
        ui.menu_button(text.decode_again, |ui| decode_again_ui(ui, session, desk, actions));
        ui.menu_button(text.save_view, |ui| save_ui(ui, inspector, desk, actions));
    });
}

/// What the VAE makes of the latent another way than usual.
fn decode_again_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let tiles = |tiles| DecodeChoice { tiles: Some(tiles), in_f32: false };
    let mut ways = vec![
        (text.decode_in_tiles, tiles(TileChoice::Always)),
        (text.decode_whole, tiles(TileChoice::Never)),
    ];
    if matches!(session.model_state(), ModelState::Ready { in_halves: true, .. }) {
        ways.push((text.decode_in_f32, DecodeChoice { tiles: None, in_f32: true }));
    }
    for (name, how) in ways {
        if ui.button(name).clicked() {
            actions.push(Action::DecodeInspected(how));
        }
    }
}

fn save_ui(ui: &mut Ui, inspector: &Inspector, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    if ui.button(text.save_latent).clicked()
        && let Some(latent) = inspector.adjusted()
    {
        actions.push(Action::SaveThisLatent(latent));
    }
    for (name, what) in [
        (text.save_sheet, Export::Sheet),
        (text.save_npy, Export::Npy),
        (text.save_channels, Export::ChannelPngs),
    ] {
        if ui.button(name).clicked() {
            actions.push(Action::Export(what));
        }
    }
    let decoded = egui::Button::new(text.save_decoded);
    if ui.add_enabled(inspector.decoded.is_some(), decoded).clicked() {
        actions.push(Action::Export(Export::Reconstruction));
    }
}

/// The file's name, its neighbours, and how it was framed.
pub(super) fn source_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let inspector = session.inspector();
    if inspector.name.is_empty() {
        return;
    }
    let dark = ui.visuals().dark_mode;
    ui.horizontal_wrapped(|ui| {
        if session.roll().len() > 1 {
            let at = session.roll_at();
            let back = egui::Button::new("‹");
            if ui.add_enabled(at > 0, back).on_hover_text(text.previous_file).clicked() {
                actions.push(Action::TurnRoll(-1));
            }
            ui.label(format!("{}/{}", at + 1, session.roll().len()));
            let on = egui::Button::new("›");
            if ui.add_enabled(at + 1 < session.roll().len(), on).on_hover_text(text.next_file).clicked() {
                actions.push(Action::TurnRoll(1));
            }
        }
        ui.label(RichText::new(&inspector.name).family(theme::strong()));
        let mut options = session.open_options();
        if let (Some(source), Some(original)) = (&inspector.source, &inspector.original)
            && (source.width(), source.height()) != (original.width(), original.height())
        {
            let sizes = format!(
                "{}×{} → {}×{}",
                source.width(),
                source.height(),
                original.width(),
                original.height()
            );
            ui.label(RichText::new(sizes).color(theme::quiet(dark)));
            ui.selectable_value(&mut options.framing, Framing::Crop, text.crop);
            ui.selectable_value(&mut options.framing, Framing::Pad, text.pad);
        }
        if inspector.transparent {
            ui.label(RichText::new(text.background).color(theme::quiet(dark)));
            for (colour, name) in [([255; 3], text.white), ([128; 3], text.middle_grey), ([0; 3], text.black)]
            {
                ui.selectable_value(&mut options.background, colour, name);
            }
        }
        if options != session.open_options() {
            actions.push(Action::SetOpenOptions(options));
        }
    });
}
