//! The picture: live, finished, or a step of the timeline; zoom and pan.

use egui::{Color32, Pos2, Rect, RichText, Sense, Ui, Vec2};

use super::waiting::waiting_ui;
use super::{Desk, Tab, theme};
use crate::latent::TrajectoryStep;
use crate::preview::Look;
use crate::session::{Action, ModelState, Outcome, Session, Shown, builtin_vocabulary};

/// Zoom and pan of a canvas.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    /// Screen points for each picture pixel; `None` fits.
    zoom: Option<f32>,
    /// The picture's centre, points from the canvas' centre.
    offset: Vec2,
}

impl View {
    /// Where a picture of this size lies, after this frame's scrolling and dragging.
    pub(crate) fn place(&mut self, ui: &Ui, canvas: Rect, response: &egui::Response, size: Vec2) -> Rect {
        let fit = (canvas.width() / size.x).min(canvas.height() / size.y) * 0.94;
        if response.dragged() {
            self.offset += response.drag_delta();
        }
        if response.double_clicked() {
            (self.zoom, self.offset) = (None, Vec2::ZERO);
        }
        if let Some(pointer) = response.hover_pos() {
            let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = (scroll / 240.0).exp() * pinch;
            if (factor - 1.0).abs() > 1e-4 {
                let before = self.zoom.unwrap_or(fit);
                let after = (before * factor).clamp(fit.min(1.0) * 0.25, 64.0);
                // The point under the pointer stays where it is.
                let from_centre = pointer - canvas.center();
                self.offset = from_centre - (from_centre - self.offset) * (after / before);
                self.zoom = Some(after);
            }
        }
        Rect::from_center_size(canvas.center() + self.offset, size * self.zoom.unwrap_or(fit))
    }
}

/// What the bar's files and both zoom buttons need, points.
const NARROW: f32 = 460.0;

const WHOLE: Rect = Rect { min: Pos2::ZERO, max: Pos2 { x: 1.0, y: 1.0 } };

/// Tabs on the left, what can be done with the picture on the right.
pub(super) fn bar_ui(ui: &mut Ui, session: &Session, look: &mut Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    let frame = egui::Frame::NONE.inner_margin(egui::Margin::symmetric(14, 8));
    egui::Panel::top("bar").frame(frame).show_separator_line(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            for (tab, name) in [(Tab::Picture, text.picture), (Tab::Latent, text.latent)] {
                if ui.selectable_label(look.tab == tab, name).clicked() {
                    look.tab = tab;
                    if tab == Tab::Latent {
                        actions.push(Action::InspectShown);
                    }
                }
            }
            // A narrow window has no room for these; a double click fits too.
            if ui.available_width() > NARROW {
                ui.separator();
                if ui.button(text.fit).clicked() {
                    look.view = View::default();
                }
                if ui.button(text.one_to_one).clicked() {
                    look.view = View { zoom: Some(1.0 / ui.ctx().pixels_per_point()), ..View::default() };
                }
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let has_picture = session.shown_result().is_some_and(|item| item.picture().is_some());
                if ui.add_enabled(has_picture, egui::Button::new(text.save)).on_hover_text("Ctrl+S").clicked()
                {
                    actions.push(Action::Save);
                }
                let has_latent = session.shown_latent().is_some();
                if ui.add_enabled(has_latent, egui::Button::new(text.save_latent)).clicked() {
                    actions.push(Action::SaveLatent);
                }
                if ui.add_enabled(has_picture, egui::Button::new(text.copy)).clicked() {
                    actions.push(Action::Copy);
                }
                if ui.button(text.open).on_hover_text("Ctrl+O").clicked() {
                    actions.push(Action::Open);
                }
            });
        });
    });
}

pub(super) fn canvas_ui(ui: &mut Ui, session: &Session, look: &mut Desk, actions: &mut Vec<Action>) {
    let canvas = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(canvas, Sense::click_and_drag());
    let dark = ui.visuals().dark_mode;
    ui.painter().rect_filled(canvas, 0.0, theme::easel(dark));
    match draw_subject(ui, session, look, canvas, &response) {
        Subject::Nothing => welcome_ui(ui, session, look, canvas, actions),
        Subject::Picture => {}
        Subject::Preview(chip) => chip_ui(ui, canvas, &chip),
    }
}

/// What lies on the canvas.
enum Subject {
    Nothing,
    Picture,
    /// With what is said of it.
    Preview(String),
}

/// Draws what is shown.
fn draw_subject(
    ui: &Ui,
    session: &Session,
    look: &mut Desk,
    canvas: Rect,
    response: &egui::Response,
) -> Subject {
    let painter = ui.painter().with_clip_rect(canvas);
    if let (Some(item), None) = (session.shown_result(), session.scrubbed())
        && let Outcome::Decoded(picture) = &item.outcome
    {
        let size = Vec2::new(picture.width() as f32, picture.height() as f32);
        let rect = look.view.place(ui, canvas, response, size);
        let texture = look.picture(ui, picture);
        painter.image(texture, rect, WHOLE, Color32::WHITE);
        return Subject::Picture;
    }
    let format = session.shown_result().map(|item| item.format).or(session.profile().map(|p| p.format));
    let (Some(latent), Some(format)) = (session.shown_latent(), format) else { return Subject::Nothing };
    let (width, height) = format.image_size_px(latent.shape());
    let size = Vec2::new(width as f32, height as f32);
    let rect = look.view.place(ui, canvas, response, size);
    let seen = look.preview_look(session, format);
    let method = if matches!(seen, Look::Patch { .. }) { look.text.patch } else { look.text.linear };
    let quantity = if session.shows_noisy() { "x_t" } else { "x̂₀" };
    let Some(texture) = look.texture(&latent, &seen) else {
        return Subject::Preview(look.text.no_gpu.to_owned());
    };
    painter.image(texture, rect, WHOLE, Color32::WHITE);
    let place = match (session.shown_result(), session.scrubbed()) {
        (Some(item), Some(at)) => item.trajectory.steps.get(at),
        (Some(_), None) => None,
        (None, _) => session.running().and_then(|running| running.newest.as_ref()),
    };
    let chip = match place {
        Some(at) => {
            let TrajectoryStep { step, steps, sigma, .. } = &**at;
            format!("{method} {quantity} · {} {step}/{steps} · σ {sigma:.2}", look.text.step)
        }
        None => match session.shown_result().map(|item| &item.outcome) {
            Some(Outcome::Failed(_)) => format!("{method} · {}", look.text.decode_failed),
            _ => format!("{method} {quantity} · {}", look.text.decoding),
        },
    };
    Subject::Preview(chip)
}

/// A small label over the picture's corner: what it is.
fn chip_ui(ui: &Ui, canvas: Rect, text: &str) {
    let font = egui::FontId::proportional(12.0);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font, theme::on_chip());
    let place = canvas.left_bottom() + Vec2::new(14.0, -14.0 - galley.size().y - 8.0);
    let rect = Rect::from_min_size(place, galley.size() + Vec2::new(16.0, 8.0));
    // Painted, so that the picture beneath keeps the pointer; named, so that screen readers find it.
    ui.interact(rect, ui.scope_id().with("chip"), Sense::empty())
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, text));
    ui.painter().rect_filled(rect, 6.0, theme::chip());
    ui.painter().galley(rect.min + Vec2::new(8.0, 4.0), galley, theme::on_chip());
}

/// Before there is anything: what this is, and a way to begin.
fn welcome_ui(ui: &mut Ui, session: &Session, look: &Desk, canvas: Rect, actions: &mut Vec<Action>) {
    let text = look.text;
    let dark = ui.visuals().dark_mode;
    let width = (canvas.width() - 40.0).min(520.0);
    let column = Rect::from_center_size(canvas.center(), Vec2::new(width, 300.0));
    let mut ui = ui.new_child(
        egui::UiBuilder::new().max_rect(column).layout(egui::Layout::top_down(egui::Align::Center)),
    );
    if session.running().is_some() || session.shown() != Shown::Live {
        ui.add_space(120.0);
        waiting_ui(&mut ui, look);
        return;
    }
    ui.add_space(36.0);
    ui.label(RichText::new(text.welcome).family(theme::strong()).size(24.0));
    ui.label(RichText::new(text.welcome_hint).color(theme::quiet(dark)));
    ui.add_space(14.0);
    if let ModelState::Failed(why) = session.model_state() {
        ui.label(RichText::new(why).color(theme::accent(dark)));
    }
    if session.is_builtin() {
        for example in builtin_vocabulary().examples.iter().take(4) {
            let button = egui::Button::new(example).min_size(Vec2::new(width * 0.86, 32.0));
            if ui.add_enabled(session.takes_jobs(), button).clicked() {
                let mut draft = session.draft().clone();
                draft.prompt.clone_from(example);
                actions.push(Action::Edit(Box::new(draft)));
                actions.push(Action::Generate);
            }
        }
    }
}
