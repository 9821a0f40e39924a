//! The way from the prompt to the picture as a strip: tokens, embeddings, latent, picture, each with its numbers.

use egui::{Align2, FontId, Pos2, Rect, Sense, Stroke, Ui, Vec2};

use crate::panels::controls::{named, tip};
use crate::panels::desk::{Desk, View};
use crate::panels::theme;
use crate::session::{Document, InsideView, Session};

/// Height of the strip, points.
pub(super) const HEIGHT: f32 = 52.0;
/// Width of an arrow between two stages, points.
const ARROW: f32 = 22.0;

/// A stage of the way.
struct Stage {
    name: &'static str,
    numbers: String,
    hint: &'static str,
    /// What a click shows.
    view: Option<InsideView>,
    is_shown: bool,
}

/// The stages, of which a click shows what there is to see.
pub(super) fn strip_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, document: &Document) {
    let whole = ui.max_rect();
    let strip = whole.with_min_y(whole.bottom() - HEIGHT).shrink2(Vec2::new(12.0, 6.0));
    let stages = stages(session, desk, document);
    let count = stages.len() as f32;
    let width = ((strip.width() - (count - 1.0) * ARROW) / count).floor();
    let dark = ui.visuals().dark_mode;
    for (index, stage) in stages.into_iter().enumerate() {
        let left = strip.left() + index as f32 * (width + ARROW);
        let rect = Rect::from_min_size(Pos2::new(left, strip.top()), Vec2::new(width, strip.height()));
        if index > 0 {
            let at = Pos2::new(left - ARROW / 2.0, rect.center().y);
            ui.painter().text(at, Align2::CENTER_CENTER, "›", FontId::proportional(18.0), theme::quiet(dark));
        }
        let response = ui.interact(rect, ui.scope_id().with(("stage", index)), Sense::click());
        let visuals = ui.style().interact(&response);
        let ground = if stage.is_shown { theme::raised(dark) } else { visuals.weak_bg_fill };
        ui.painter().rect_filled(rect, 6.0, ground);
        if response.hovered() || response.has_focus() {
            let colour = if response.has_focus() { theme::focus(dark) } else { theme::outline(dark) };
            ui.painter().rect_stroke(rect, 6.0, Stroke::new(1.0, colour), egui::StrokeKind::Inside);
        }
        let painter = ui.painter().with_clip_rect(rect.shrink2(Vec2::new(8.0, 0.0)));
        let inner = rect.shrink2(Vec2::new(10.0, 4.0));
        let name = FontId::new(13.0, theme::strong());
        painter.text(inner.left_top(), Align2::LEFT_TOP, stage.name, name, ui.visuals().text_color());
        let numbers = FontId::proportional(12.0);
        painter.text(inner.left_bottom(), Align2::LEFT_BOTTOM, &stage.numbers, numbers, theme::quiet(dark));
        if stage.is_shown {
            let line = rect.with_min_y(rect.bottom() - 2.0).shrink2(Vec2::new(8.0, 0.0));
            ui.painter().rect_filled(line, 1.0, theme::accent(dark));
        }
        response
            .widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, stage.is_shown, stage.name));
        named(&response, format!("{}: {}", stage.name, stage.numbers));
        if tip(response, &format!("{}\n{}", stage.numbers, stage.hint), "").clicked() {
            match stage.view {
                Some(view) => desk.inside = view,
                None => desk.view = View::Picture,
            }
        }
    }
}

fn stages(session: &Session, desk: &Desk, document: &Document) -> Vec<Stage> {
    let text = desk.text;
    let of_latent = [InsideView::Change, InsideView::Guidance, InsideView::Spectrum];
    let latent = document.inspector().latent.as_ref();
    let shape = latent.map(crate::latent::Latent::shape);
    let picture = shape.zip(document.format()).map(|(shape, format)| {
        let (width, height) = format.image_size_px(shape);
        format!("{width}×{height} · {:.0}×", format.compression(shape).ratio())
    });
    let tokens = session.inside_tokens().map(|tokens| {
        let all = (0..tokens.chunks.len()).map(|chunk| tokens.of_prompt(chunk));
        let chunks: Vec<String> = all.map(|count| count.to_string()).collect();
        text.inside_of_prompt.replace("{}", &chunks.join(" + "))
    });
    let embeddings = session.inside_embeddings_size().map(|[tokens, width]| format!("{tokens}×{width}"));
    let unknown = || "—".to_owned();
    vec![
        Stage {
            name: text.inside_tokens,
            numbers: tokens.unwrap_or_else(unknown),
            hint: text.inside_words_hint,
            view: Some(InsideView::Words),
            is_shown: desk.inside == InsideView::Words,
        },
        Stage {
            name: text.inside_embeddings,
            numbers: embeddings.unwrap_or_else(unknown),
            hint: text.inside_embeddings_hint,
            view: Some(InsideView::Embeddings),
            is_shown: desk.inside == InsideView::Embeddings,
        },
        Stage {
            name: text.latent,
            numbers: shape.map_or_else(unknown, |shape| format!("{shape} · {}", shape.len())),
            hint: text.inside_latent_hint,
            view: Some(if of_latent.contains(&desk.inside) { desk.inside } else { InsideView::Change }),
            is_shown: of_latent.contains(&desk.inside),
        },
        Stage {
            name: text.picture,
            numbers: picture.unwrap_or_else(unknown),
            hint: text.picture_hint,
            view: None,
            is_shown: false,
        },
    ]
}
