//! Shown on the empty easel: what the program is for, and examples to begin with.

use egui::emath::GuiRounding as _;
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{FontId, Pos2, Rect, RichText, Sense, Stroke, StrokeKind, Ui, Vec2};

use super::{WHOLE, offers};
use crate::panels::controls::tip;
use crate::panels::desk::Desk;
use crate::panels::reasons::reason_words;
use crate::panels::theme;
use crate::request::Picture;
use crate::session::{Action, ModelState, Session};

/// Edge of an example's picture, points. The built-in model's pictures have this many pixels, so that each pixel is
/// a whole number of the screen's. In a large easel it is twice as much, in a small one it is what there is room for.
const EDGE: f32 = 128.0;
/// The least edge of examples above offers of models, points.
const LEAST_EDGE: f32 = 96.0;
/// Distance between examples, points.
const GAP: f32 = 16.0;
/// Height of the title and the hint with the space below them, points.
const HEAD: f32 = 88.0;
/// Distance of a caption from its picture, points.
const CAPTION: f32 = 8.0;
/// Height of a line of a caption, points.
const LINE: f32 = 16.0;
/// Most lines of a caption.
const LINES: usize = 4;

pub(super) fn welcome_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    easel: Rect,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let quiet = theme::quiet(ui.visuals().dark_mode);
    let examples: Vec<_> = session.examples().collect();
    let has_failed = matches!(session.model_state(), ModelState::Failed(_));
    let shows_examples = session.is_builtin() && !has_failed;
    let offered = offers::offers(session, desk);
    let room_left = easel.size() - Vec2::new(0.0, offers::HEIGHT);
    // In a low window the examples are what counts.
    let offers = shows_examples && !offered.is_empty() && edge_for(room_left, examples.len()) >= LEAST_EDGE;
    let edge = edge_for(if offers { room_left } else { easel.size() }, examples.len());
    let width = examples.len() as f32 * (edge + GAP) - GAP;
    let height = HEAD
        + if shows_examples { edge + CAPTION + LINES as f32 * LINE } else { 0.0 }
        + if offers { offers::HEIGHT } else { 0.0 };
    let size = Vec2::new((easel.width() - 2.0 * GAP).min(width.max(480.0)), height.min(easel.height() - GAP));
    let column = Rect::from_center_size(easel.center(), size).round_to_pixels(ui.pixels_per_point());
    let layout = egui::Layout::top_down(egui::Align::Center);
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(column).layout(layout));
    ui.label(RichText::new(text.welcome).family(theme::strong()).size(24.0));
    if let ModelState::Failed(why) = session.model_state() {
        if let Some(why) = why {
            ui.label(RichText::new(reason_words(why, desk.language)).color(quiet));
        }
        ui.label(RichText::new(text.welcome_failed).color(quiet));
        return;
    }
    let hint = if shows_examples { text.welcome_examples } else { text.welcome_hint };
    ui.label(RichText::new(hint).color(quiet));
    if !shows_examples {
        return;
    }
    let able = session.takes_jobs();
    let left = column.center().x - width / 2.0;
    let bottom = column.bottom() - if offers { offers::HEIGHT } else { 0.0 };
    let row = Rect::from_min_max(Pos2::new(left, column.top() + HEAD), Pos2::new(left + width, bottom))
        .round_to_pixels(ui.pixels_per_point());
    for (index, (prompt, picture)) in examples.into_iter().enumerate() {
        let corner = row.min + Vec2::new(index as f32 * (edge + GAP), 0.0);
        let card = Rect::from_min_size(corner, Vec2::new(edge, row.height()));
        if example_ui(&mut ui, desk, card, prompt, picture, able) {
            let mut draft = session.draft().clone();
            prompt.clone_into(&mut draft.prompt);
            actions.push(Action::Edit(Box::new(draft)));
            actions.push(Action::Generate);
        }
    }
    if offers {
        let place = Rect::from_min_max(
            Pos2::new(easel.left() + GAP, bottom),
            Pos2::new(easel.right() - GAP, column.bottom()),
        );
        offers::offers_ui(&mut ui, session, desk, place, &offered, actions);
    }
}

/// Edge of the examples' pictures, points: `count` of them stand beside each other on an easel of this size.
fn edge_for(easel: Vec2, count: usize) -> f32 {
    let count = count.max(1) as f32;
    let wide = (easel.x - 2.0 * GAP - (count - 1.0) * GAP) / count;
    let high = easel.y - GAP - HEAD - CAPTION - LINES as f32 * LINE;
    let room = wide.min(high);
    if room < EDGE { room.floor().max(0.0) } else { EDGE * (room / EDGE).floor().min(2.0) }
}

/// A picture of an example over its prompt, as one button. Returns whether it was clicked.
fn example_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    card: Rect,
    prompt: &str,
    picture: Option<&Picture>,
    able: bool,
) -> bool {
    let dark = ui.visuals().dark_mode;
    let response = ui.allocate_rect(card, if able { Sense::click() } else { Sense::hover() });
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, able, prompt));
    let is_pointed_at = response.hovered() || response.has_focus();
    let square = Rect::from_min_size(card.min, Vec2::splat(card.width()));
    match picture {
        Some(picture) => {
            let texture = desk.picture(ui, picture);
            ui.painter().image(texture, square, WHOLE, egui::Color32::WHITE);
        }
        None => {
            ui.painter().rect_filled(square, 0.0, ui.visuals().faint_bg_color);
        }
    }
    let ink = ui.visuals().widgets.hovered.fg_stroke.color;
    let outline = if is_pointed_at { ink } else { theme::outline(dark) };
    ui.painter().rect_stroke(square, 0.0, Stroke::new(1.0, outline), StrokeKind::Outside);
    let colour = if is_pointed_at { ink } else { theme::quiet(dark) };
    let mut caption =
        LayoutJob::single_section(prompt.to_owned(), TextFormat::simple(FontId::proportional(12.0), colour));
    let room = card.bottom() - square.bottom() - CAPTION;
    let max_rows = ((room / LINE).floor().max(0.0) as usize).clamp(1, LINES);
    caption.wrap = TextWrapping { max_width: card.width(), max_rows, ..TextWrapping::default() };
    let galley = ui.painter().layout_job(caption);
    ui.painter().galley(square.left_bottom() + Vec2::new(0.0, CAPTION), galley, colour);
    tip(response, desk.text.example_hint, "").clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_as_large_as_the_easel_has_room_for_in_whole_pixels() {
        // The easels of windows of 1280×800, 1920×1080 and 840×540.
        assert_eq!(edge_for(Vec2::new(704.0, 576.0), 4), 128.0);
        assert_eq!(edge_for(Vec2::new(1344.0, 856.0), 4), 256.0);
        assert_eq!(edge_for(Vec2::new(544.0, 316.0), 4), 116.0);
    }
}
