//! This session's pictures.

use egui::{Color32, Pos2, Rect, Sense, Ui, Vec2};

use super::{Desk, theme};
use crate::session::{Action, Outcome, Session, Shown};

const THUMBNAIL: f32 = 84.0;

pub(super) fn strip_ui(ui: &mut Ui, session: &Session, look: &mut Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    egui::ScrollArea::horizontal().stick_to_right(true).show(ui, |ui| {
        ui.horizontal(|ui| {
            for index in 0..session.results().len() {
                let (rect, response) = ui.allocate_exact_size(Vec2::splat(THUMBNAIL), Sense::click());
                let item = session.results()[index].clone();
                response.widget_info(|| {
                    let name = format!("{} {}: {}", text.picture, index + 1, item.request.prompt);
                    egui::WidgetInfo::selected(
                        egui::Role::Button,
                        true,
                        session.shown() == Shown::Result(index),
                        name,
                    )
                });
                let texture = match &item.outcome {
                    Outcome::Decoded(picture) => Some(look.picture(ui, picture)),
                    Outcome::Decoding | Outcome::Failed(_) => {
                        let seen = look.preview_look(session, item.format);
                        look.texture(&item.latent, &seen)
                    }
                };
                if let Some(texture) = texture {
                    ui.painter().image(texture, rect, square_part(&item), Color32::WHITE);
                }
                if session.shown() == Shown::Result(index) {
                    let stroke = egui::Stroke::new(2.0, theme::accent(ui.visuals().dark_mode));
                    ui.painter().rect_stroke(rect, 4.0, stroke, egui::StrokeKind::Outside);
                }
                if response.clicked() {
                    actions.push(Action::Show(Shown::Result(index)));
                }
                let response =
                    response.on_hover_text(format!("{}\n{}", item.request.prompt, item.request.seed));
                response.context_menu(|ui| {
                    if ui.button(text.restore).clicked() {
                        actions.push(Action::RestoreSettings(index));
                    }
                    if let Some(picture) = item.picture() {
                        if ui.button(text.use_as_source).clicked() {
                            actions.push(Action::UsePicture(picture.clone()));
                        }
                        if ui.button(text.save).clicked() {
                            actions.push(Action::Show(Shown::Result(index)));
                            actions.push(Action::Save);
                        }
                    }
                    if ui.button(text.remove).clicked() {
                        actions.push(Action::RemoveResult(index));
                    }
                });
            }
        });
    });
}

/// The middle square of a picture, in texture coordinates.
fn square_part(item: &crate::session::ResultItem) -> Rect {
    let (width, height) = (item.request.size.width as f32, item.request.size.height as f32);
    let edge = width.min(height);
    let half = Vec2::new(edge / width, edge / height) / 2.0;
    Rect::from_min_max(Pos2::new(0.5 - half.x, 0.5 - half.y), Pos2::new(0.5 + half.x, 0.5 + half.y))
}
