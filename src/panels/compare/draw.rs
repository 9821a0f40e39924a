//! The pictures or the latents of both, in one of four ways, with one lens.

use egui::{Align2, Color32, FontId, Mesh, Pos2, Rect, Sense, Stroke, TextureId, Ui, UiBuilder, Vec2};

use super::{WHOLE, side_words, size_of};
use crate::formats::HEAT_MAP;
use crate::panels::desk::Desk;
use crate::panels::pair_view::{PairMode, PairQuantity};
use crate::panels::{lens_input, theme, wipe_line};
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::session::{Action, Lens, Session, Side};

/// The values of the first and the last colour of a channel: latents have about unit variance.
const CHANNEL_LIMITS: [f32; 2] = [-3.0, 3.0];

/// The way in which both are shown: what has other proportions can only stand side by side, and only what has one size
/// has a difference.
pub(super) fn mode_of(desk: &Desk, sides: &[Side]) -> PairMode {
    let [first, second] = sides else { return PairMode::Beside };
    let sizes = [size_of(first, desk), size_of(second, desk)];
    let [Some(a), Some(b)] = sizes else { return PairMode::Beside };
    let is_possible = match desk.compare.mode {
        PairMode::Beside => true,
        PairMode::Wipe | PairMode::Blink => (a.x * b.y - b.x * a.y).abs() < 0.5,
        PairMode::Difference => has_difference(desk, [first, second]),
    };
    if is_possible { desk.compare.mode } else { PairMode::Beside }
}

/// Whether what is shown of both can be subtracted.
pub(super) fn has_difference(desk: &Desk, [first, second]: [&Side; 2]) -> bool {
    let shape = |side: &Side| side.latent.as_ref().map(crate::latent::Latent::shape);
    let size = |side: &Side| side.picture.as_ref().map(|picture| (picture.width(), picture.height()));
    match desk.compare.quantity {
        PairQuantity::Picture => size(first).is_some() && size(first) == size(second),
        PairQuantity::Latent => shape(first).is_some() && shape(first) == shape(second),
    }
}

pub(super) fn pictures_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    sides: &[Side],
    area: Rect,
    actions: &mut Vec<Action>,
) {
    let mode = mode_of(desk, sides);
    let is_beside = mode == PairMode::Beside && sides.len() > 1;
    let rooms = if is_beside {
        let middle = area.center().x.round();
        vec![area.with_max_x(middle), area.with_min_x(middle)]
    } else {
        vec![area]
    };
    desk.compare.room = rooms[0].size();
    let sizes: Vec<Vec2> = sides.iter().filter_map(|side| size_of(side, desk)).collect();
    let response = ui.interact(area, ui.scope_id().with("compared"), Sense::click_and_drag());
    let names: Vec<String> = sides.iter().map(|side| side_words(side, desk.text)).collect();
    let name = format!("{}: {}", desk.text.comparison, names.join(" | "));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));

    let room_size = rooms[0].size().into();
    let carried =
        |lens: Lens, from: usize, to: usize| lens.carried(sizes[from].into(), sizes[to].into(), room_size);
    let before = session.lens();
    let pointer = response.hover_pos().or(response.interact_pointer_pos());
    let under = |room: &Rect| pointer.is_some_and(|pointer| room.contains(pointer));
    let at = rooms.iter().position(under).unwrap_or(0);
    let own = carried(before, 0, at);
    let drags = mode != PairMode::Wipe;
    let followed = lens_input::followed(ui, &response, own, sizes[at], rooms[at], drags);
    let lens = if followed == own { before } else { carried(followed, at, 0) };
    if lens != before {
        actions.push(Action::SetLens(lens));
    }

    let pixels = ui.pixels_per_point();
    let place = lens_input::place(lens, sizes[0], rooms[0], pixels);
    let mut inner = ui.new_child(UiBuilder::new().id_salt("compared pictures").max_rect(area));
    inner.set_clip_rect(area.intersect(ui.clip_rect()));
    let textures: Vec<Option<TextureId>> =
        sides.iter().map(|side| texture(&inner, session, desk, side)).collect();
    match mode {
        PairMode::Beside => {
            for (index, room) in rooms.iter().enumerate() {
                let place = lens_input::place(carried(lens, 0, index), sizes[index], *room, pixels);
                let painter = inner.painter().with_clip_rect(room.intersect(inner.clip_rect()));
                paint(&painter, textures[index], place, desk.text.no_gpu);
            }
            if is_beside {
                let seam = Stroke::new(1.0, theme::seam(ui.visuals().dark_mode));
                ui.painter().vline(rooms[1].left(), area.y_range(), seam);
            }
        }
        PairMode::Wipe => {
            paint(inner.painter(), textures[1], place, desk.text.no_gpu);
            let x = place.left() + place.width() * desk.wipe;
            let left = inner.painter().with_clip_rect(inner.clip_rect().intersect(place.with_max_x(x)));
            paint(&left, textures[0], place, desk.text.no_gpu);
            wipe_line::paint(inner.painter(), place, desk.wipe);
            wipe_line::drag(&inner, &response, place, &mut desk.wipe);
        }
        PairMode::Blink => {
            paint(inner.painter(), textures[usize::from(desk.compare.shows_second)], place, desk.text.no_gpu);
        }
        PairMode::Difference => difference_ui(&inner, session, desk, place, area),
    }
    let unlike = sizes.len() > 1 && sizes[0] != sizes[1];
    if unlike {
        let [a, b] = [sizes[0], sizes[1]].map(|size| format!("{:.0}×{:.0}", size.x, size.y));
        let words = desk.text.pair_sizes_differ.replacen("{}", &a, 1).replacen("{}", &b, 1);
        chip(&inner, Pos2::new(area.center().x, area.top() + 8.0), Align2::CENTER_TOP, words);
    }
}

fn paint(painter: &egui::Painter, texture: Option<TextureId>, place: Rect, otherwise: &str) {
    if let Some(texture) = texture {
        painter.image(texture, place, WHOLE, Color32::WHITE);
    } else {
        let colour = theme::on_chip();
        painter.text(place.center(), Align2::CENTER_CENTER, otherwise, FontId::proportional(14.0), colour);
    }
}

/// The picture or the latent of a side.
fn texture(ui: &Ui, session: &Session, desk: &mut Desk, side: &Side) -> Option<TextureId> {
    if desk.compare.quantity == PairQuantity::Picture
        && let Some(picture) = &side.picture
    {
        return Some(desk.picture(ui, picture));
    }
    let Some(latent) = &side.latent else {
        // There is nothing but the picture.
        return side.picture.as_ref().map(|picture| desk.picture(ui, picture));
    };
    let channel = desk.compare.channel.filter(|channel| *channel < latent.shape().channels);
    let look = match channel.filter(|_| desk.compare.quantity == PairQuantity::Latent) {
        Some(index) => {
            let options = session.options();
            let map = if options.grey { ColourMap::Grey } else { ColourMap::Diverging };
            let [low, high] = CHANNEL_LIMITS;
            Look::Channel { index, map, low, high, smooth: options.smooth }
        }
        None => desk.preview_look(session, side.format?),
    };
    desk.texture(latent, &look)
}

/// Where both differ, as heat, with its scale.
fn difference_ui(ui: &Ui, session: &Session, desk: &mut Desk, place: Rect, area: Rect) {
    let text = desk.text;
    let Some(figures) = session.pair_figures() else {
        chip(ui, area.center(), Align2::CENTER_CENTER, text.pair_computing.to_owned());
        return;
    };
    let (texture, most) = match (desk.compare.quantity, &figures.pictures, &figures.latents) {
        (PairQuantity::Picture, Some(difference), _) => {
            let most = format!("{:.1} %", difference.heat_limit * 100.0);
            (Some(desk.picture(ui, &difference.heat)), most)
        }
        (PairQuantity::Latent, _, Some(difference)) => {
            let channel = desk.compare.channel.filter(|channel| *channel < difference.channel_rms.len());
            let (latent, index) = match channel {
                Some(channel) => (&difference.magnitude, channel),
                None => (&difference.mean_magnitude, 0),
            };
            let high = difference.limit(channel);
            let smooth = session.options().smooth;
            let look = Look::Channel { index, map: HEAT_MAP, low: 0.0, high, smooth };
            (desk.texture(latent, &look), format!("{high:.3}"))
        }
        _ => return,
    };
    paint(ui.painter(), texture, place, text.no_gpu);
    let what = match desk.compare.quantity {
        PairQuantity::Picture => text.pair_scale_picture,
        PairQuantity::Latent => text.pair_scale_latent,
    };
    scale_ui(ui, area, what, &most);
}

/// The colours of a heat map with the values of the first and the last.
fn scale_ui(ui: &Ui, area: Rect, what: &str, most: &str) {
    const BAR: Vec2 = Vec2 { x: 96.0, y: 8.0 };
    let painter = ui.painter();
    let layout =
        |words: &str| painter.layout_no_wrap(words.to_owned(), FontId::proportional(12.0), theme::on_chip());
    let (what, least, most) = (layout(what), layout("0"), layout(most));
    let width = what.size().x + least.size().x + BAR.x + most.size().x + 18.0;
    let size = Vec2::new(width, what.size().y) + Vec2::new(16.0, 8.0);
    let ground = Rect::from_min_size(area.left_bottom() + Vec2::new(8.0, -8.0 - size.y), size);
    painter.rect_filled(ground, 4.0, theme::tag());
    let middle = ground.center().y;
    let mut x = ground.left() + 8.0;
    let put = |galley: std::sync::Arc<egui::Galley>, x: f32| {
        let size = galley.size();
        painter.galley(Pos2::new(x, middle - size.y / 2.0), galley, theme::on_chip());
        x + size.x + 6.0
    };
    x = put(what, x);
    x = put(least, x);
    let bar = Rect::from_min_size(Pos2::new(x, middle - BAR.y / 2.0), BAR);
    let mut mesh = Mesh::default();
    for stop in 0..=16_u32 {
        let share = stop as f32 / 16.0;
        let colour = theme::of_bytes(HEAT_MAP.bytes(share, [0.0, 1.0]));
        let x = bar.left() + bar.width() * share;
        mesh.colored_vertex(Pos2::new(x, bar.top()), colour);
        mesh.colored_vertex(Pos2::new(x, bar.bottom()), colour);
        if stop > 0 {
            let index = stop * 2;
            mesh.add_triangle(index - 2, index - 1, index);
            mesh.add_triangle(index - 1, index, index + 1);
        }
    }
    painter.add(mesh);
    put(most, bar.right() + 6.0);
}

/// Words over the pictures.
fn chip(ui: &Ui, at: Pos2, pivot: Align2, words: String) {
    let painter = ui.painter();
    let galley =
        painter.layout(words, FontId::proportional(12.0), theme::on_chip(), ui.max_rect().width() - 40.0);
    let place = pivot.anchor_size(at, galley.size() + Vec2::new(16.0, 8.0));
    painter.rect_filled(place, 4.0, theme::tag());
    painter.galley(place.min + Vec2::new(8.0, 4.0), galley, theme::on_chip());
}
