//! The inside of a step on the easel: maps over its preview, the strength of embeddings, or spectra, and below them the
//! way from the prompt to the picture.

mod embeddings;
mod spectrum;
mod strip;
mod words;

use egui::{Align2, Color32, FontId, Rect, Ui, UiBuilder, Vec2};

use super::{WHOLE, has_view, preview};
use crate::panels::controls::{choices, named, opens, tip};
use crate::panels::desk::{Desk, View};
use crate::panels::text::Text;
use crate::panels::theme;
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::session::{Action, Document, InsideAction, InsideObstacle, InsideView, Session};

/// How far a map covers the picture below it.
const COVER: f32 = 0.55;

/// Tells the session what is looked at. `is_easel`: whether the easel is shown, and no other page in its place.
pub(in crate::panels) fn tell(
    ui: &Ui,
    session: &Session,
    desk: &Desk,
    is_easel: bool,
    actions: &mut Vec<Action>,
) {
    let is_inside = desk.view == View::Inside && is_easel;
    let document = session.on_easel().filter(|document| is_inside && has_view(document, View::Inside));
    let looked = document.map(|_| desk.inside);
    if session.inside_view() != looked {
        actions.push(Action::Inside(InsideAction::Look(looked)));
        ui.ctx().request_repaint();
    }
}

/// The room for the picture, and for what stands below it.
pub(super) fn divided(easel: Rect, view: InsideView) -> [Rect; 2] {
    let height = strip::HEIGHT + if view == InsideView::Words { words::HEIGHT } else { 0.0 };
    let at = (easel.bottom() - height).max(easel.top());
    [easel.with_max_y(at), easel.with_min_y(at)]
}

/// The menu of what is looked at.
pub(in crate::panels) fn menu_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = desk.text;
    let menu = ui.menu_button(format!("{} ▾", view_name(desk.inside, text)), |ui| {
        choices(ui);
        for view in VIEWS {
            let row = ui.radio_value(&mut desk.inside, view, view_name(view, text));
            tip(row, view_hint(view, text), "");
        }
    });
    opens(&menu);
    named(&menu.response, text.inside_choice);
    tip(menu.response, text.inside_choice, "");
}

/// The views in the order of the way from the prompt to the picture.
const VIEWS: [InsideView; 5] = [
    InsideView::Words,
    InsideView::Embeddings,
    InsideView::Change,
    InsideView::Guidance,
    InsideView::Spectrum,
];

fn view_name(view: InsideView, text: &Text) -> &'static str {
    match view {
        InsideView::Words => text.inside_words,
        InsideView::Embeddings => text.inside_embeddings,
        InsideView::Change => text.inside_change,
        InsideView::Guidance => text.inside_guidance,
        InsideView::Spectrum => text.inside_spectrum,
    }
}

fn view_hint(view: InsideView, text: &Text) -> &'static str {
    match view {
        InsideView::Words => text.inside_words_hint,
        InsideView::Embeddings => text.inside_embeddings_hint,
        InsideView::Change => text.inside_change_hint,
        InsideView::Guidance => text.inside_guidance_hint,
        InsideView::Spectrum => text.inside_spectrum_hint,
    }
}

/// What is looked at in words, with its scale.
pub(in crate::panels) fn state_words(session: &Session, desk: &Desk, document: &Document) -> String {
    let name = view_name(desk.inside, desk.text);
    let step = document.step().or_else(|| document.steps().last());
    let step = step.map(|at| format!(" · {} {}/{}", desk.text.step, at.step, at.steps)).unwrap_or_default();
    let figure = |value: f32| match value {
        ..0.0005 => "0".to_owned(),
        ..0.0995 => format!("{value:.3}"),
        _ => format!("{value:.2}"),
    };
    let range = session.inside_map().map(|map| map.range.map(figure).join("–"));
    let range = range.map(|range| format!(" · {range}")).unwrap_or_default();
    format!("{name}{step}{range}")
}

/// Draws the inside of the document's step, whose picture lies at `place` in `room`, and the strip below it.
pub(super) fn inside_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    document: &Document,
    [room, below]: [Rect; 2],
    place: Rect,
    actions: &mut Vec<Action>,
) {
    let view = desk.inside;
    let mut inner = ui.new_child(UiBuilder::new().id_salt("inside").max_rect(room));
    inner.set_clip_rect(room.intersect(ui.clip_rect()));
    let obstacle = session.inside_obstacle().filter(|_| session.inside_view() == Some(view));
    match view {
        InsideView::Spectrum if obstacle.is_none() => {
            spectrum::spectrum_ui(&mut inner, session, desk, document)
        }
        InsideView::Embeddings if obstacle.is_none() => embeddings::embeddings_ui(&mut inner, session, desk),
        _ => {
            let picture = document.picture().cloned();
            let shown = match &picture {
                Some(picture) => Some(desk.picture(&inner, picture)),
                None => preview(session, desk, document),
            };
            if let Some(shown) = shown {
                let shade = if obstacle.is_some() { 0.35 } else { 1.0 };
                inner.painter().image(shown, place, WHOLE, Color32::WHITE.gamma_multiply(shade));
            }
            if let Some(map) = session.inside_map().filter(|_| obstacle.is_none()) {
                let [low, high] = map.range;
                let heat = Look::Channel { index: 0, map: ColourMap::Heat, low, high, smooth: true };
                if let Some(shown) = desk.texture(&map.values, &heat) {
                    inner.painter().image(shown, place, WHOLE, Color32::WHITE.gamma_multiply(COVER));
                }
            }
        }
    }
    if let Some(obstacle) = obstacle {
        obstacle_ui(&mut inner, desk, document, obstacle, room, actions);
    }
    let mut below_ui = ui.new_child(UiBuilder::new().id_salt("inside below").max_rect(below));
    below_ui.painter().rect_filled(below, 0.0, ui.visuals().panel_fill);
    if view == InsideView::Words {
        words::words_ui(&mut below_ui, session, desk, actions);
    }
    strip::strip_ui(&mut below_ui, session, desk, document);
}

/// Says why there is nothing to see, and offers what helps.
fn obstacle_ui(
    ui: &mut Ui,
    desk: &Desk,
    document: &Document,
    obstacle: InsideObstacle,
    room: Rect,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let words = match obstacle {
        InsideObstacle::NoSteps => text.inside_no_steps,
        InsideObstacle::FirstStep => text.inside_first_step,
        InsideObstacle::NextStep => text.inside_next_step,
        InsideObstacle::Computing => text.inside_computing,
        InsideObstacle::StepsMissing => text.fork_steps_missing,
        InsideObstacle::OtherModel => text.inside_other_model,
        InsideObstacle::NoGuidance => text.inside_no_guidance,
        InsideObstacle::NoWords => text.inside_no_words,
        InsideObstacle::Failed => text.inside_failed,
    };
    let (dark, at) = (ui.visuals().dark_mode, room.center());
    let width = (room.width() - 48.0).clamp(80.0, 420.0);
    let ink = ui.visuals().text_color();
    let galley = ui.painter().layout(words.to_owned(), FontId::proportional(14.0), ink, width);
    let ground = Rect::from_center_size(at, galley.size() + Vec2::new(28.0, 20.0));
    ui.painter().rect_filled(ground, 8.0, theme::easel(dark).gamma_multiply(0.85));
    ui.painter().galley(ground.center() - galley.size() / 2.0, galley, ink);
    if let (InsideObstacle::OtherModel, Some(request)) = (obstacle, document.request()) {
        let name = desk.model_name(&request.model);
        let button =
            Rect::from_center_size(ground.center_bottom() + Vec2::new(0.0, 24.0), Vec2::new(width, 28.0));
        let layout = egui::Layout::top_down(egui::Align::Center);
        let mut ui = ui.new_child(UiBuilder::new().id_salt("other model").max_rect(button).layout(layout));
        if tip(ui.button(text.inside_load.replace("{}", &name)), text.inside_load_hint, "").clicked() {
            actions.push(Action::SetModel(request.model.clone()));
        }
    }
}

/// A word beside an axis of a chart.
fn axis_words(ui: &Ui, at: egui::Pos2, align: Align2, words: &str) {
    let colour = theme::quiet(ui.visuals().dark_mode);
    ui.painter().text(at, align, words, FontId::proportional(12.0), colour);
}
