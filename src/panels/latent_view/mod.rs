//! A latent laid open: its channels, what they do to the picture, what the VAE kept, and hands to touch it.

mod blend;
mod channels;
mod lens;
mod pictures;
mod probe;
mod toolbar;

use egui::{Rect, RichText, Ui, Vec2};

use super::waiting::waiting_ui;
use super::{Desk, theme};
use crate::session::{Action, Session};

pub(super) use lens::Lens;

/// What the view remembers for drawing.
#[derive(Default)]
pub(crate) struct LatentDesk {
    /// The part of the picture all tiles show.
    lens: Lens,
    /// What the pointer is over, shares of the picture's width and height.
    probe: Option<Vec2>,
    /// The same while this frame is drawn.
    probed: Option<Vec2>,
    /// Where the wipe between original and decode stands.
    wipe: Wipe,
}

/// A share of a tile's width.
struct Wipe(f32);

impl Default for Wipe {
    fn default() -> Self {
        Self(0.5)
    }
}

pub(super) fn latent_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let dark = ui.visuals().dark_mode;
    let inspector = session.inspector();
    let (Some(latent), Some(format)) = (inspector.adjusted(), inspector.format) else {
        empty_ui(ui, session, desk, actions);
        return;
    };
    let seen = desk.preview_look(session, format);
    desk.latent.probed = None;
    let margin = egui::Margin::symmetric(14, 8);
    egui::Panel::bottom("probe").frame(egui::Frame::side_top_panel(ui.style()).inner_margin(margin)).show(
        ui,
        |ui| {
            probe::probe_ui(ui, inspector, desk, &latent, &seen);
        },
    );
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        egui::Frame::NONE.inner_margin(egui::Margin::same(14)).show(ui, |ui| {
            toolbar::options_ui(ui, session, desk, actions);
            toolbar::source_ui(ui, session, desk, actions);
            let compression = format.compression(latent.shape());
            let [picture_bytes, latent_bytes] = compression.bytes().map(grouped);
            let line = format!(
                "{} · {} → {} · {:.0}× {} · {picture_bytes} B → {latent_bytes} B",
                latent.shape(),
                grouped(compression.pixel_values),
                grouped(compression.latent_values),
                compression.ratio(),
                text.compression
            );
            ui.label(RichText::new(line).color(theme::quiet(dark))).on_hover_text(text.bytes_hint);
            pictures::pictures_ui(ui, inspector, desk, &latent, &seen);
            blend::blend_ui(ui, session, desk, actions);
            ui.add_space(8.0);
            channels::channels_ui(ui, inspector, desk, &latent, &seen, actions);
        });
    });
    desk.latent.probe = desk.latent.probed;
}

/// 3145728 as 3,145,728.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(|g| String::from_utf8_lossy(g).into_owned());
    let head = (first > 0).then(|| digits[..first].to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

fn empty_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let dark = ui.visuals().dark_mode;
    let canvas = ui.available_rect_before_wrap();
    ui.painter().rect_filled(canvas, 0.0, theme::easel(dark));
    let middle = Rect::from_center_size(canvas.center(), Vec2::new(460.0, 90.0));
    let layout = egui::Layout::top_down(egui::Align::Center);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(middle).layout(layout));
    if session.inspector().pending.is_some() {
        waiting_ui(&mut ui, desk);
        ui.label(RichText::new(text.encoding_picture).color(theme::quiet(dark)));
        return;
    }
    ui.label(RichText::new(text.latent_empty).size(16.0).color(theme::quiet(dark)));
    if ui.button(text.inspect_source).clicked() {
        actions.push(Action::Open);
    }
}
