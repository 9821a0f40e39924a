//! The easel: one large picture, in one of five views, with zoom and pan; in a wide window two that are compared.

mod panes;
mod probe;
mod welcome;

use egui::{Color32, Key, Pos2, Rect, Response, Sense, Stroke, StrokeKind, TextureId, Ui, Vec2};

use super::desk::{Desk, ErrorView, View};
use super::theme;
use super::waiting::waiting_ui;
use super::words::title_words;
use crate::latent::LatentShape;
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::request::Picture;
use crate::session::{Action, Document, Session};

pub(super) use panes::first_room;

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
    let mut panes = panes::panes(ui.ctx(), session, desk, document, easel);
    let mut name = format!("{}: {title}", desk.text.easel);
    for pane in panes.iter().skip(1) {
        name = format!("{name} | {}", title_words(&pane.document.title(), desk.text));
    }
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));
    if panes.is_empty() {
        working_ui(ui, desk, easel);
        return;
    }
    panes::follow(ui, desk, &response, &mut panes, actions);
    let pixels_per_point = ui.pixels_per_point();
    let places: Vec<Rect> = panes.iter().map(|pane| pane.place(pixels_per_point)).collect();
    for (index, (pane, place)) in panes.iter().zip(&places).enumerate() {
        let view = if has_view(session, pane.document, desk.view) { desk.view } else { View::Picture };
        let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(pane.rect));
        ui.set_clip_rect(pane.rect);
        draw(&ui, session, desk, pane.document, view, *place, index == 0);
        if view == View::Wipe {
            drag_wipe(&ui, desk, &response, *place);
        }
    }
    let pointer = response.hover_pos();
    let pointed = panes.iter().zip(&places).find_map(|(pane, place)| {
        let pointer = pointer.filter(|pointer| pane.rect.intersect(*place).contains(*pointer))?;
        Some((pointer - place.min) / place.size())
    });
    if let Some(share) = pointed {
        desk.probed = Some(share.clamp(Vec2::ZERO, Vec2::splat(0.9999)));
    }
    for (pane, place) in panes.iter().zip(&places).filter(|_| desk.enlarger) {
        if let Some(share) = pointed {
            // The same place in both documents.
            let at = place.min + share * place.size();
            if pane.rect.contains(at) {
                probe::probe_ui(ui, session, desk, pane.document, pane.rect, at);
            }
        }
        if let Some(latent) = &pane.document.inspector().latent {
            let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(pane.rect));
            ui.set_clip_rect(pane.rect);
            frame_probed(&ui, desk, *place, WHOLE, latent.shape());
        }
    }
    panes::titles_ui(ui, desk, &panes, actions);
    response.context_menu(|ui| super::top::export_ui(ui, session, desk, actions));
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
pub(super) fn has_view(session: &Session, document: &Document, view: View) -> bool {
    match view {
        View::Picture => true,
        View::Preview => document.inspector().latent.is_some(),
        View::Wipe => session.compared().is_some() || document.original().is_some(),
        View::Error => document.file().is_some_and(|f| f.comparison.is_some() || f.divergence.is_some()),
        View::Components => document.inspector().components.is_some(),
    }
}

/// An indicator in place of a document that has nothing to show yet.
fn working_ui(ui: &mut Ui, desk: &Desk, easel: Rect) {
    let middle = Rect::from_center_size(easel.center(), Vec2::new(200.0, 60.0));
    let layout = egui::Layout::top_down(egui::Align::Center);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(middle).layout(layout));
    waiting_ui(&mut ui, desk);
}

/// Draws a document. `fades`: whether its picture fades in over its preview.
fn draw(
    ui: &Ui,
    session: &Session,
    desk: &mut Desk,
    document: &Document,
    view: View,
    place: Rect,
    fades: bool,
) {
    let painter = ui.painter();
    let holds = ui.input(|input| input.key_down(Key::V)) && !ui.ctx().text_edit_focused();
    if holds && let Some(original) = document.original() {
        painter.image(desk.picture(ui, original), place, WHOLE, Color32::WHITE);
        return;
    }
    let texture = match view {
        View::Picture => {
            picture_ui(ui, session, desk, document, place, fades);
            return;
        }
        View::Wipe => {
            wipe_ui(ui, session, desk, document, place);
            return;
        }
        View::Preview => preview(session, desk, document),
        View::Error => error(ui, desk, document),
        View::Components => components(session, desk, document),
    };
    if let Some(texture) = texture {
        painter.image(texture, place, WHOLE, Color32::WHITE);
    }
}

/// Draws the true decode, or before there is one, the preview or the original.
fn picture_ui(ui: &Ui, session: &Session, desk: &mut Desk, document: &Document, place: Rect, fades: bool) {
    let painter = ui.painter();
    let original = document.file().and_then(|file| file.original.as_ref().or(file.source.as_ref()));
    let before = if document.inspector().latent.is_some() {
        preview(session, desk, document)
    } else {
        original.map(|original| desk.picture(ui, original))
    };
    let Some(picture) = document.picture() else {
        if fades {
            desk.fixing = None;
        }
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
    let shown = if fades { fixed(ui, desk, key) } else { 1.0 };
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
    let (latent, format) = (document.inspector().adjusted()?, document.format()?);
    let seen = desk.preview_look(session, format);
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

/// The original, or the compared document, left of the line, and the picture right of it.
fn wipe_ui(ui: &Ui, session: &Session, desk: &mut Desk, document: &Document, place: Rect) {
    let painter = ui.painter();
    let right = match document.picture() {
        Some(picture) => Some(desk.picture(ui, picture)),
        None => preview(session, desk, document),
    };
    let left = match (session.compared(), document.original()) {
        (Some(other), _) => match other.picture().or_else(|| other.plain_picture()) {
            Some(picture) => Some(desk.picture(ui, picture)),
            None => preview(session, desk, other),
        },
        (None, Some(original)) => Some(desk.picture(ui, original)),
        (None, None) => None,
    };
    if let Some(right) = right {
        painter.image(right, place, WHOLE, Color32::WHITE);
    }
    let x = place.left() + place.width() * desk.wipe;
    if let Some(left) = left {
        let part = Rect::from_min_max(place.min, Pos2::new(x, place.bottom()));
        let uv = Rect::from_min_max(Pos2::ZERO, Pos2::new(desk.wipe, 1.0));
        painter.image(left, part, uv, Color32::WHITE);
    }
    painter.vline(x, place.y_range(), Stroke::new(3.0, theme::chip()));
    painter.vline(x, place.y_range(), Stroke::new(1.0, theme::on_chip()));
    let handle = Pos2::new(x, place.center().y);
    painter.circle(handle, 9.0, theme::chip(), Stroke::new(1.0, theme::on_chip()));
    for way in [-1.0, 1.0] {
        let tip = handle + Vec2::new(way * 5.0, 0.0);
        for up in [-1.0, 1.0] {
            painter.line_segment(
                [tip, tip + Vec2::new(-way * 3.0, up * 3.0)],
                Stroke::new(1.0, theme::on_chip()),
            );
        }
    }
}

/// Moves the line of the wipe to the pointer while it is dragged.
fn drag_wipe(ui: &Ui, desk: &mut Desk, response: &Response, place: Rect) {
    let space = ui.input(|input| input.key_down(Key::Space));
    let by_hand = response.dragged_by(egui::PointerButton::Primary) || response.clicked();
    if let Some(pointer) = response.interact_pointer_pos()
        && by_hand
        && !space
    {
        desk.wipe = ((pointer.x - place.left()) / place.width()).clamp(0.0, 1.0);
    }
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
