//! The steps of a run as a film strip: thumbnails of x̂₀, the noise that is left, and how far each step changed the
//! estimate. Its end is the final picture.

use egui::{
    Align2, FontId, Key, Mesh, Modifiers, Pos2, Rangef, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2,
};

use super::controls::{Icon, icon_button, tip};
use super::desk::Desk;
use super::theme;
use crate::preview::Look;
use crate::session::{Action, Document, Session};

/// Width of the button that plays the steps, with its gap, points.
pub(super) const PLAY: f32 = 34.0;
/// Seconds for which each step is shown while they are played.
const FRAME_SECS: f64 = 0.12;
/// Height of a window from which the strip has thumbnails, points.
const TALL: f32 = 700.0;
/// Height of the thumbnails, and of the curves below them, points.
const THUMBNAIL: f32 = 36.0;
const CURVES: f32 = 12.0;
/// The widest thumbnail over its height.
const WIDEST: f32 = 1.6;

/// Whether there is room for thumbnails.
pub(super) fn is_tall(ctx: &egui::Context) -> bool {
    ctx.content_rect().height() >= TALL
}

/// Height of the strip, points.
pub(super) fn height(ctx: &egui::Context) -> f32 {
    if is_tall(ctx) { THUMBNAIL + CURVES } else { 28.0 }
}

/// The button that plays the steps one after another.
pub(super) fn play_ui(ui: &mut Ui, desk: &mut Desk, document: Option<&Document>, actions: &mut Vec<Action>) {
    let text = desk.text;
    let count = document.map_or(0, |document| document.steps().len());
    if count < 2 {
        desk.played_at = None;
    }
    let icon = if desk.played_at.is_some() { Icon::Pause } else { Icon::Play };
    let name = if desk.played_at.is_some() { text.pause_steps } else { text.play_steps };
    let button = ui.add_enabled_ui(count > 1, |ui| icon_button(ui, icon, None, 28.0, name, "P")).inner;
    let now = ui.input(|input| input.time);
    if button.clicked() {
        toggle_play(desk, now);
    }
    let (Some(document), Some(at)) = (document, desk.played_at) else { return };
    let left = at + FRAME_SECS - now;
    if left > 0.0 {
        ui.ctx().request_repaint_after_secs(left as f32);
        return;
    }
    // The end is the final picture, or the newest step of a run.
    let next = document.place().map_or(0, |place| place + 1);
    let ends = next >= count;
    desk.played_at = (!ends).then_some(now);
    actions.push(Action::Scrub((!ends).then_some(next)));
    if !ends {
        ui.ctx().request_repaint_after_secs(FRAME_SECS as f32);
    }
}

/// Starts to play the steps, or stops.
pub(super) fn toggle_play(desk: &mut Desk, now: f64) {
    desk.played_at = if desk.played_at.is_some() { None } else { Some(now - FRAME_SECS) };
}

/// Where the steps lie along the strip.
struct Places<'a> {
    document: &'a Document,
    track: Rangef,
    /// Number of places: a running picture leaves room for the steps to come; of a finished one the end is the final
    /// picture.
    all: usize,
}

impl<'a> Places<'a> {
    fn new(document: &'a Document, track: Rangef) -> Self {
        let last = document.steps().last();
        let all = last.map_or(0, |last| if document.is_drawing() { last.steps } else { last.step });
        Self { document, track, all }
    }

    /// The place of a step by its index: its number, since a slow window misses some steps.
    fn of(&self, index: usize) -> usize {
        self.document.steps().get(index).map_or(self.all, |step| step.step.saturating_sub(1))
    }

    fn x(&self, place: usize) -> f32 {
        self.track.min + self.track.span() * place as f32 / self.all.max(1) as f32
    }

    /// The index of what can be chosen last: the newest step of a running picture, or the final picture.
    fn last(&self) -> usize {
        let known = self.document.steps().len();
        if self.document.is_drawing() { known - 1 } else { known }
    }

    /// The index that is nearest to a point. Steps whose previews were dropped cannot be chosen.
    fn nearest(&self, x: f32) -> usize {
        let share = ((x - self.track.min) / self.track.span()).clamp(0.0, 1.0);
        let wanted = (share * self.all as f32).round() as usize;
        (0..=self.last()).min_by_key(|index| self.of(*index).abs_diff(wanted)).unwrap_or_default()
    }
}

pub(super) fn film_strip_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    document: Option<&Document>,
    width: f32,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let (rect, response) =
        ui.allocate_exact_size(Vec2::new(width, height(ui.ctx())), Sense::click_and_drag());
    let known = document.map_or(0, |document| document.steps().len());
    let at = document.and_then(Document::place);
    let said = match (at, known > 0) {
        (Some(at), _) => format!("{}/{known}", at + 1),
        (None, true) => text.final_picture.to_owned(),
        (None, false) => text.no_steps.to_owned(),
    };
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::slider(known > 0, at.unwrap_or(known) as f64, text.timeline);
        info.current_text_value = Some(said.clone());
        info
    });
    let Some(document) = document.filter(|_| known > 0) else {
        // Not a control now: as faint as a line between regions.
        let line = Stroke::new(2.0, theme::seam(dark));
        ui.painter().hline(rect.shrink2(Vec2::new(7.0, 0.0)).x_range(), rect.center().y, line);
        tip(response, text.timeline, "← →");
        return;
    };
    let thumbnail = is_tall(ui.ctx()).then(|| thumbnail_size(document));
    let margin = thumbnail.map_or(7.0, |size| size.x / 2.0 + 1.0);
    let places = Places::new(document, rect.shrink2(Vec2::new(margin, 0.0)).x_range());
    let low = if thumbnail.is_some() { rect.with_min_y(rect.bottom() - CURVES) } else { rect };
    curves_ui(ui, &places, low);
    match thumbnail {
        Some(size) => thumbnails_ui(ui, session, desk, &places, rect.with_max_y(low.top()), size),
        None => handle_ui(ui, &places, rect, &response),
    }
    let mut chosen = None;
    if (response.dragged() || response.clicked())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        chosen = Some(places.nearest(pointer.x));
    }
    chosen = keys(ui, &response, at.unwrap_or(places.last()), places.last()).or(chosen);
    if let Some(chosen) = chosen.map(|chosen| (chosen < places.last()).then_some(chosen))
        && chosen != at
    {
        desk.played_at = None;
        actions.push(Action::Scrub(chosen));
    }
    let hovered = response.hover_pos().map(|pointer| places.nearest(pointer.x));
    let words = hovered.and_then(|index| step_words(document, index, text)).unwrap_or_default();
    response.context_menu(|ui| super::top::reel_button_ui(ui, session, desk));
    tip(response, &format!("{}{words}", text.timeline), "← →");
}

/// A step in a tooltip: its number, its noise, and how far it changed the estimate.
fn step_words(document: &Document, index: usize, text: &super::Text) -> Option<String> {
    let step = document.steps().get(index)?;
    let change = document.change(index).map(|change| format!(" · {} {:.1} %", text.change, change * 100.0));
    let change = change.unwrap_or_default();
    Some(format!("\n{} {}/{} · σ {:.2}{change}", text.step, step.step, step.steps, step.sigma))
}

/// The arrow keys of the strip that has the focus: the index they choose.
fn keys(ui: &Ui, response: &Response, now: usize, last: usize) -> Option<usize> {
    if !response.has_focus() {
        return None;
    }
    let arrows = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    ui.input_mut(|input| {
        let keys = [
            (Key::ArrowLeft, now.saturating_sub(1)),
            (Key::ArrowRight, (now + 1).min(last)),
            (Key::Home, 0),
            (Key::End, last),
        ];
        keys.into_iter().filter(|(key, _)| input.consume_key(Modifiers::NONE, *key)).map(|(_, to)| to).last()
    })
}

/// The size of a thumbnail with the picture's proportions, points.
fn thumbnail_size(document: &Document) -> Vec2 {
    let shape = document.steps().first().map(|step| step.denoised.shape());
    let ratio = shape.map_or(1.0, |shape| shape.width as f32 / shape.height.max(1) as f32);
    Vec2::new(THUMBNAIL * ratio.min(WIDEST), THUMBNAIL)
}

/// The thumbnails: as many steps as have room, the shown one in front of the others.
fn thumbnails_ui(ui: &Ui, session: &Session, desk: &mut Desk, places: &Places<'_>, rect: Rect, size: Vec2) {
    let (dark, document) = (ui.visuals().dark_mode, places.document);
    let Some(format) = document.format() else { return };
    // One pixel for each latent pixel is enough, and the strip shows many.
    let look = Look::Linear { projection: desk.table_or_fit(session, format), smooth: true, scale: 1 };
    let spaced = places.track.span() / places.all.max(1) as f32;
    let stride = (size.x / spaced).ceil().max(1.0) as usize;
    let frame = |place: usize| Rect::from_center_size(Pos2::new(places.x(place), rect.center().y), size);
    let is_final_known = document.plain_picture().is_some();
    let end = frame(places.all);
    for (index, step) in document.steps().iter().enumerate() {
        let place = places.of(index);
        let place_rect = frame(place);
        if !place.is_multiple_of(stride) || (!document.is_drawing() && place_rect.right() > end.left()) {
            continue;
        }
        if let Some(texture) = desk.texture(&step.denoised, &look) {
            egui::Image::new((texture, size))
                .uv(middle_part(document, size))
                .paint_at(ui, place_rect.shrink(0.5));
        }
    }
    // The places of the steps to come.
    let known = places.of(places.last());
    for place in
        (known + 1..=places.all).filter(|place| document.is_drawing() && place.is_multiple_of(stride))
    {
        let stroke = Stroke::new(1.0, theme::seam(dark));
        ui.painter().rect_stroke(frame(place).shrink(0.5), 2.0, stroke, StrokeKind::Inside);
    }
    let outline = |rect: Rect| {
        let stroke = Stroke::new(2.0, theme::accent(dark));
        ui.painter().rect_stroke(rect, 2.0, stroke, StrokeKind::Inside);
    };
    if let Some(picture) = document.plain_picture() {
        let texture = desk.picture(ui, picture);
        egui::Image::new((texture, size)).uv(middle_part(document, size)).paint_at(ui, end.shrink(0.5));
    }
    let shown = document.place().or_else(|| document.is_drawing().then(|| places.last()));
    match shown.and_then(|index| Some((index, document.steps().get(index)?))) {
        Some((index, step)) => {
            let place = frame(places.of(index));
            if let Some(texture) = desk.texture(&step.denoised, &look) {
                egui::Image::new((texture, size)).uv(middle_part(document, size)).paint_at(ui, place);
            }
            outline(place);
        }
        None if is_final_known => outline(end),
        None => {}
    }
}

/// The part of a picture in its middle that has the proportions of a thumbnail, in texture coordinates.
fn middle_part(document: &Document, size: Vec2) -> Rect {
    let shape = document.steps().first().map(|step| step.denoised.shape());
    let ratio = shape.map_or(1.0, |shape| shape.width as f32 / shape.height.max(1) as f32);
    let half = (size.x / size.y / ratio).min(1.0) / 2.0;
    Rect::from_min_max(Pos2::new(0.5 - half, 0.0), Pos2::new(0.5 + half, 1.0))
}

/// The noise that is left, as a ground, and above it the change of each step as a line.
fn curves_ui(ui: &Ui, places: &Places<'_>, rect: Rect) {
    let dark = ui.visuals().dark_mode;
    let steps = places.document.steps();
    let first = steps.iter().map(|step| step.sigma).fold(1e-6, f64::max);
    let height = rect.height() - 3.0;
    let point = |index: usize, share: f32| {
        Pos2::new(places.x(places.of(index)), rect.bottom() - 1.0 - share.sqrt().min(1.0) * height)
    };
    let noise: Vec<Pos2> =
        steps.iter().enumerate().map(|(index, step)| point(index, (step.sigma / first) as f32)).collect();
    let mut below = Mesh::default();
    for at in &noise {
        let index = below.vertices.len() as u32;
        below.colored_vertex(*at, theme::raised(dark));
        below.colored_vertex(Pos2::new(at.x, rect.bottom()), theme::raised(dark));
        if index > 0 {
            below.add_triangle(index - 2, index - 1, index);
            below.add_triangle(index - 1, index, index + 1);
        }
    }
    ui.painter().add(below);
    ui.painter().line(noise, Stroke::new(1.0, theme::outline(dark)));
    let changes: Vec<Pos2> =
        (1..steps.len()).filter_map(|index| Some(point(index, places.document.change(index)?))).collect();
    ui.painter().line(changes, Stroke::new(1.0, theme::accent(dark)));
}

/// The line with a tick for each step and a handle, for a window without room for thumbnails.
fn handle_ui(ui: &Ui, places: &Places<'_>, rect: Rect, response: &Response) {
    let (dark, document) = (ui.visuals().dark_mode, places.document);
    let middle = rect.center().y;
    let painter = ui.painter();
    painter.hline(places.track, middle, Stroke::new(2.0, theme::outline(dark)));
    let newest = places.of(document.steps().len() - 1);
    for place in 0..=places.all {
        let colour = if place <= newest { theme::quiet(dark) } else { theme::outline(dark) };
        painter.vline(places.x(place), middle - 4.0..=middle + 4.0, Stroke::new(1.0, colour));
    }
    if document.is_drawing() {
        let done = Rect::from_x_y_ranges(places.track.min..=places.x(newest), middle - 1.0..=middle + 1.0);
        painter.rect_filled(done, 1.0, theme::accent(dark));
    }
    let x = places.x(places.of(document.place().unwrap_or(places.last())));
    let visuals = ui.style().interact(response);
    painter.circle(Pos2::new(x, middle), 7.0, visuals.bg_fill, Stroke::new(1.5, visuals.fg_stroke.color));
    if let Some(step) = document.place().and_then(|at| document.steps().get(at))
        && (response.dragged() || response.hovered())
    {
        let at = Pos2::new(x, rect.top() - 2.0);
        let font = FontId::proportional(10.0);
        painter.text(at, Align2::CENTER_TOP, format!("{}", step.step), font, theme::quiet(dark));
    }
}
