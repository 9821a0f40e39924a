//! The easel: one large picture, in one of five views, with zoom and pan.

pub(super) mod inside;
mod offers;
mod probe;
mod welcome;

use egui::{Color32, Key, Pos2, Rect, Sense, Stroke, StrokeKind, TextureId, Ui, Vec2};

use super::desk::{Desk, ErrorView, View};
use super::lens_input;
use super::theme;
use super::waiting::waiting_ui;
use super::wipe_line;
use super::words::title_words;
use crate::latent::LatentShape;
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::request::Picture;
use crate::session::{Action, Document, Session};

const WHOLE: Rect = Rect { min: Pos2::ZERO, max: Pos2 { x: 1.0, y: 1.0 } };
/// How long a picture fades in over its preview, seconds.
const FIXING: f64 = 0.2;

pub(super) fn easel_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let easel = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(easel, Sense::click_and_drag());
    let dark = ui.visuals().dark_mode;
    ui.painter().rect_filled(easel, 0.0, theme::easel(dark));
    let Some(document) = session.on_easel() else {
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, desk.text.welcome));
        welcome::welcome_ui(ui, session, desk, easel, actions);
        return;
    };
    let title = title_words(&document.title(), desk.text);
    let name = format!("{}: {title}", desk.text.easel);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));
    let Some(size) = picture_size(document) else {
        working_ui(ui, desk, easel);
        return;
    };
    let view = if has_view(document, desk.view) { desk.view } else { View::Picture };
    let divided = inside::divided(easel, desk.inside);
    let easel = if view == View::Inside { divided[0] } else { easel };
    let before = document.lens();
    let lens = lens_input::followed(ui, &response, before, size, easel, view != View::Wipe);
    if lens != before {
        actions.push(Action::SetLens(lens));
    }
    let place = lens_input::place(lens, size, easel, ui.pixels_per_point());
    let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(easel));
    inner.set_clip_rect(easel);
    if view == View::Inside {
        inside::inside_ui(ui, session, desk, document, divided, place, actions);
    } else {
        draw(&inner, session, desk, document, view, place);
    }
    if view == View::Wipe {
        wipe_line::drag(ui, &response, place, &mut desk.wipe);
    }
    if let Some(pointer) = response.hover_pos().filter(|pointer| easel.intersect(place).contains(*pointer)) {
        desk.probed = Some(((pointer - place.min) / place.size()).clamp(Vec2::ZERO, Vec2::splat(0.9999)));
        if desk.enlarger {
            probe::probe_ui(ui, session, desk, document, easel, pointer);
        }
    }
    if desk.enlarger
        && let Some(latent) = &document.inspector().latent
    {
        frame_probed(&inner, desk, place, WHOLE, latent.shape());
    }
    response.context_menu(|ui| {
        super::compare::start_ui(ui, session, desk, actions);
        ui.separator();
        super::top::export_ui(ui, session, desk, actions);
    });
}

/// The size of a document's picture, pixels; `None` before there is anything to show.
pub(super) fn picture_size(document: &Document) -> Option<Vec2> {
    let size = |(width, height): (usize, usize)| Vec2::new(width as f32, height as f32);
    let of = |picture: &Picture| size((picture.width(), picture.height()));
    if let (Some(latent), Some(format)) = (&document.inspector().latent, document.format()) {
        return Some(size(format.image_size_px(latent.shape())));
    }
    document.file().and_then(|file| file.original.as_ref().or(file.source.as_ref())).map(of)
}

/// Whether a document has this view.
pub(super) fn has_view(document: &Document, view: View) -> bool {
    match view {
        View::Picture => true,
        View::Preview => document.inspector().latent.is_some(),
        View::Wipe => document.original().is_some(),
        View::Error => document.file().is_some_and(|f| f.comparison.is_some() || f.divergence.is_some()),
        View::Components => document.inspector().components.is_some(),
        View::Inside => document.request().is_some(),
    }
}

/// An indicator in place of a document that has nothing to show yet.
fn working_ui(ui: &mut Ui, desk: &Desk, easel: Rect) {
    let middle = Rect::from_center_size(easel.center(), Vec2::new(200.0, 60.0));
    let layout = egui::Layout::top_down(egui::Align::Center);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(middle).layout(layout));
    waiting_ui(&mut ui, desk);
}

/// Draws a document.
fn draw(ui: &Ui, session: &Session, desk: &mut Desk, document: &Document, view: View, place: Rect) {
    let painter = ui.painter();
    let holds = ui.input(|input| input.key_down(Key::V)) && !ui.ctx().text_edit_focused();
    if holds && let Some(original) = document.original() {
        painter.image(desk.picture(ui, original), place, WHOLE, Color32::WHITE);
        return;
    }
    let texture = match view {
        View::Picture => {
            picture_ui(ui, session, desk, document, place);
            return;
        }
        View::Wipe => {
            wipe_ui(ui, session, desk, document, place);
            return;
        }
        View::Preview => preview(session, desk, document),
        View::Error => error(ui, desk, document),
        View::Components => components(session, desk, document),
        View::Inside => None,
    };
    if let Some(texture) = texture {
        painter.image(texture, place, WHOLE, Color32::WHITE);
    }
}

/// Draws the true decode, or before there is one, the preview or the original.
fn picture_ui(ui: &Ui, session: &Session, desk: &mut Desk, document: &Document, place: Rect) {
    let painter = ui.painter();
    let original = document.file().and_then(|file| file.original.as_ref().or(file.source.as_ref()));
    let before = if document.inspector().latent.is_some() {
        preview(session, desk, document)
    } else {
        original.map(|original| desk.picture(ui, original))
    };
    let Some(picture) = document.picture() else {
        desk.fixing = None;
        match before {
            Some(before) => {
                painter.image(before, place, WHOLE, Color32::WHITE);
            }
            None if document.inspector().latent.is_some() => {
                let font = egui::FontId::proportional(14.0);
                let colour = theme::quiet(ui.visuals().dark_mode);
                painter.text(place.center(), egui::Align2::CENTER_CENTER, desk.text.no_gpu, font, colour);
            }
            None => {}
        }
        return;
    };
    let key = picture.rgb().as_ptr() as usize;
    let texture = desk.picture(ui, picture);
    let shown = fixed(ui, desk, key);
    if let Some(before) = before.filter(|_| shown < 1.0) {
        painter.image(before, place, WHOLE, Color32::WHITE);
    }
    painter.image(texture, place, WHOLE, Color32::WHITE.gamma_multiply(shown));
}

/// How far a picture has faded in over its preview, 0 to 1. With a software adapter or less motion it appears at once.
fn fixed(ui: &Ui, desk: &mut Desk, picture: usize) -> f32 {
    let now = ui.input(|input| input.time);
    let is_fast = !desk.reduced_motion && desk.latents.as_ref().is_some_and(|latents| !latents.is_software());
    match desk.fixing {
        Some((known, since)) if known == picture => {
            let share = ((now - since) / FIXING).clamp(0.0, 1.0);
            if share < 1.0 {
                ui.ctx().request_repaint();
            }
            share as f32
        }
        // The cross-fade is from a preview to the decode; other documents appear at once.
        None if is_fast => {
            desk.fixing = Some((picture, now));
            ui.ctx().request_repaint();
            0.0
        }
        _ => {
            desk.fixing = Some((picture, f64::NEG_INFINITY));
            1.0
        }
    }
}

pub(super) fn preview(session: &Session, desk: &mut Desk, document: &Document) -> Option<TextureId> {
    let latent = document.inspector().adjusted()?;
    let seen = desk.document_look(session, document)?;
    desk.texture(&latent, &seen)
}

fn error(ui: &Ui, desk: &mut Desk, document: &Document) -> Option<TextureId> {
    let file = document.file()?;
    let jpeg = file.comparison.as_ref().and_then(|comparison| comparison.jpeg.as_ref());
    match (desk.error, &file.comparison, &file.divergence) {
        (ErrorView::Jpeg, ..) if jpeg.is_some() => jpeg.map(|(jpeg, _)| desk.picture(ui, &jpeg.picture)),
        (ErrorView::Divergence, _, Some(divergence)) | (_, None, Some(divergence)) => {
            let high = divergence.values().iter().copied().fold(1e-6, f32::max);
            let heat = Look::Channel { index: 0, map: ColourMap::Heat, low: 0.0, high, smooth: false };
            desk.texture(divergence, &heat)
        }
        (_, Some(comparison), _) => Some(desk.picture(ui, &comparison.heat)),
        (_, None, None) => None,
    }
}

fn components(session: &Session, desk: &mut Desk, document: &Document) -> Option<TextureId> {
    let inspector = document.inspector();
    if let Some(channel) = desk.channel.filter(|channel| *channel < inspector.statistics.len()) {
        return channel_texture(session, desk, document, channel);
    }
    let (_, along) = inspector.components.as_ref()?;
    let three = desk.components_look();
    desk.texture(along, &three)
}

/// One channel of the latent as it is edited.
pub(super) fn channel_texture(
    session: &Session,
    desk: &mut Desk,
    document: &Document,
    channel: usize,
) -> Option<TextureId> {
    let (inspector, options) = (document.inspector(), session.options());
    let [low, high] = inspector.limits_of(channel, options.limits);
    let map = if options.grey { ColourMap::Grey } else { ColourMap::Diverging };
    let look = Look::Channel { index: channel, map, low, high, smooth: options.smooth };
    desk.texture(&inspector.adjusted()?, &look)
}

/// The original left of the line, and the picture right of it.
fn wipe_ui(ui: &Ui, session: &Session, desk: &mut Desk, document: &Document, place: Rect) {
    let painter = ui.painter();
    let right = match document.picture() {
        Some(picture) => Some(desk.picture(ui, picture)),
        None => preview(session, desk, document),
    };
    let left = document.original().map(|original| desk.picture(ui, original));
    if let Some(right) = right {
        painter.image(right, place, WHOLE, Color32::WHITE);
    }
    if let Some(left) = left {
        let x = place.left() + place.width() * desk.wipe;
        let part = Rect::from_min_max(place.min, Pos2::new(x, place.bottom()));
        let uv = Rect::from_min_max(Pos2::ZERO, Pos2::new(desk.wipe, 1.0));
        painter.image(left, part, uv, Color32::WHITE);
    }
    wipe_line::paint(painter, place, desk.wipe);
}

/// Frames the latent pixel under the pointer, on `place` that shows `part` of the picture.
pub(super) fn frame_probed(ui: &Ui, desk: &Desk, place: Rect, part: Rect, shape: LatentShape) {
    let Some(probe) = desk.probe else { return };
    let grid = Vec2::new(shape.width as f32, shape.height as f32);
    let pixel = (probe * grid).floor();
    let corners = [pixel / grid, (pixel + Vec2::splat(1.0)) / grid]
        .map(|share| place.min + (share - part.min.to_vec2()) / part.size() * place.size());
    let framed = Rect::from_two_pos(corners[0], corners[1]);
    let painter = ui.painter().with_clip_rect(place.intersect(ui.clip_rect()));
    painter.rect_stroke(framed, 0.0, Stroke::new(3.0, theme::chip()), StrokeKind::Middle);
    painter.rect_stroke(framed, 0.0, Stroke::new(1.0, theme::on_chip()), StrokeKind::Middle);
}
