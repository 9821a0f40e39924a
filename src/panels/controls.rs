//! Controls that several panels share.

use egui::{Button, Color32, CornerRadius, Rect, Response, RichText, Sense, Stroke, StrokeKind, Ui, Vec2};

use super::theme;

/// Gives a control its name for screen readers.
pub(crate) fn named(response: &Response, name: impl Into<String>) {
    let name = name.into();
    response.ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}

/// Tells screen readers that a button opens a menu or a list, and whether that is open.
pub(super) fn opens<R>(menu: &egui::InnerResponse<Option<R>>) {
    let (response, is_open) = (&menu.response, menu.inner.is_some());
    response.ctx.accesskit_node_builder(response.id, |node| {
        node.set_has_popup(egui::accesskit::HasPopup::Menu);
        node.set_expanded(is_open);
    });
}

/// The text of a tooltip: what a control does, and the keys that do it.
pub(super) fn hint(name: &str, keys: &str) -> String {
    if keys.is_empty() { name.to_owned() } else { format!("{name}  ·  {keys}") }
}

/// Adds a tooltip that says what a control does and its keys, shown for disabled controls too. It is also the
/// description of the control for screen readers.
pub(crate) fn tip(response: Response, what: &str, keys: &str) -> Response {
    let words = hint(what, keys);
    response.on_disabled_hover_text(words.as_str()).on_hover_text(words)
}

/// A [`tip`] for a text field, not shown while it has the focus, so that it does not cover what is typed.
pub(crate) fn field_tip(response: &Response, what: &str) {
    if response.has_focus() {
        response.ctx.accesskit_node_builder(response.id, |node| node.set_description(what));
    } else {
        tip(response.clone(), what, "");
    }
}

/// Makes the rails of sliders stand out: they have no outline.
pub(super) fn rails(ui: &mut Ui) {
    ui.visuals_mut().widgets.inactive.bg_fill = theme::outline(ui.visuals().dark_mode);
    ui.spacing_mut().slider_rail_height = 3.0;
}

/// Makes radio buttons and check boxes in a menu stand out: they have no outline there.
pub(super) fn choices(ui: &mut Ui) {
    ui.visuals_mut().widgets.inactive.bg_fill = theme::outline(ui.visuals().dark_mode);
}

/// One of several choices in a row: the chosen one has a lighter ground and a line of the accent colour below it.
pub(super) fn segment(ui: &mut Ui, chosen: bool, enabled: bool, name: &str) -> Response {
    narrow_segment(ui, chosen, enabled, name, 8.0)
}

/// A [`segment`] with `padding` points on both sides of its name.
pub(super) fn narrow_segment(ui: &mut Ui, chosen: bool, enabled: bool, name: &str, padding: f32) -> Response {
    let dark = ui.visuals().dark_mode;
    let response = ui
        .scope(|ui| {
            let visuals = ui.visuals_mut();
            visuals.widgets.inactive.bg_stroke = Stroke::NONE;
            visuals.widgets.inactive.weak_bg_fill = Color32::TRANSPARENT;
            visuals.selection.bg_fill = theme::raised(dark);
            visuals.selection.stroke.color = visuals.widgets.inactive.fg_stroke.color;
            ui.spacing_mut().button_padding = egui::vec2(padding, 3.0);
            ui.add_enabled(enabled, Button::selectable(chosen, name).min_size(Vec2::new(0.0, 26.0)))
        })
        .inner;
    if chosen {
        let line = Rect::from_min_max(response.rect.left_bottom() - Vec2::new(0.0, 2.0), response.rect.max);
        ui.painter().rect_filled(line.shrink2(Vec2::new(6.0, 0.0)), 1.0, theme::accent(dark));
    }
    response
}

/// A label in small letters of low contrast.
pub(super) fn quiet(ui: &mut Ui, words: impl Into<String>) -> Response {
    let words = RichText::new(words).small().color(theme::quiet(ui.visuals().dark_mode));
    ui.label(words)
}

/// Controls aligned to the right edge but added from left to right, which is the order of the focus.
pub(super) fn trailing<R>(ui: &mut Ui, salt: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    let id = ui.scope_id().with(("trailing", salt));
    let known: Option<f32> = ui.data(|data| data.get_temp(id));
    ui.add_space((ui.available_width() - known.unwrap_or(0.0)).max(0.0));
    let shown = ui.horizontal(content);
    let width = shown.response.rect.width();
    if known.is_none_or(|known| (known - width).abs() > 0.5) {
        ui.data_mut(|data| data.insert_temp(id, width));
        ui.ctx().request_discard("the width of what stands at the right edge");
    }
    shown.inner
}

/// An icon, drawn with lines so that it needs no font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Icon {
    Die,
    Lock,
    Swap,
    Cross,
    Warning,
    Check,
    Undo,
    Redo,
    Frames,
    Grid,
    Play,
    Pause,
    Halves,
}

impl Icon {
    /// Draws it into a square.
    pub(super) fn paint(self, painter: &egui::Painter, square: Rect, colour: Color32) {
        let stroke = Stroke::new(1.5, colour);
        let at = |x: f32, y: f32| square.min + Vec2::new(x, y) * square.width();
        match self {
            Self::Die => {
                painter.rect_stroke(square.shrink(1.0), 3.0, stroke, StrokeKind::Inside);
                for (x, y) in [(0.3, 0.3), (0.5, 0.5), (0.7, 0.7)] {
                    painter.circle_filled(at(x, y), 1.4, colour);
                }
            }
            Self::Lock => {
                painter.rect_filled(Rect::from_min_max(at(0.15, 0.45), at(0.85, 0.95)), 2.0, colour);
                let bow = [
                    at(0.28, 0.5),
                    at(0.28, 0.2),
                    at(0.42, 0.07),
                    at(0.58, 0.07),
                    at(0.72, 0.2),
                    at(0.72, 0.5),
                ];
                painter.line(bow.to_vec(), stroke);
            }
            Self::Swap => {
                for (y, from, to, head) in [(0.32, 0.1, 0.9, 0.72), (0.68, 0.9, 0.1, 0.28)] {
                    painter.line_segment([at(from, y), at(to, y)], stroke);
                    painter.line_segment([at(to, y), at(head, y - 0.18)], stroke);
                    painter.line_segment([at(to, y), at(head, y + 0.18)], stroke);
                }
            }
            Self::Cross => {
                painter.line_segment([at(0.22, 0.22), at(0.78, 0.78)], stroke);
                painter.line_segment([at(0.78, 0.22), at(0.22, 0.78)], stroke);
            }
            Self::Warning => {
                painter
                    .add(egui::Shape::closed_line(vec![at(0.5, 0.08), at(0.95, 0.9), at(0.05, 0.9)], stroke));
                painter.line_segment([at(0.5, 0.38), at(0.5, 0.64)], stroke);
                painter.circle_filled(at(0.5, 0.77), 1.1, colour);
            }
            Self::Undo | Self::Redo => {
                // An arrow to the left, bent at its right end; the other way round for redo.
                let at = |x: f32, y: f32| if self == Self::Undo { at(x, y) } else { at(1.0 - x, y) };
                painter.line_segment([at(0.08, 0.36), at(0.32, 0.12)], stroke);
                painter.line_segment([at(0.08, 0.36), at(0.32, 0.60)], stroke);
                let bend = (0..=8).map(|part| {
                    let angle = std::f32::consts::PI * part as f32 / 8.0;
                    at(0.64 + 0.26 * angle.sin(), 0.62 - 0.26 * angle.cos())
                });
                let line = std::iter::once(at(0.08, 0.36)).chain(bend).chain([at(0.4, 0.88)]);
                painter.line(line.collect(), stroke);
            }
            Self::Frames => {
                for (x, y) in [(0.05, 0.05), (0.57, 0.05), (0.05, 0.57), (0.57, 0.57)] {
                    let frame = Rect::from_min_max(at(x, y), at(x + 0.38, y + 0.38));
                    painter.rect_stroke(frame, 1.0, stroke, StrokeKind::Inside);
                }
            }
            Self::Grid => {
                painter.rect_stroke(square.shrink(1.0), 1.0, stroke, StrokeKind::Inside);
                for share in [0.35, 0.66] {
                    painter.line_segment([at(share, 0.08), at(share, 0.92)], stroke);
                    painter.line_segment([at(0.08, share), at(0.92, share)], stroke);
                }
            }
            Self::Play => {
                let corners = vec![at(0.25, 0.12), at(0.9, 0.5), at(0.25, 0.88)];
                painter.add(egui::Shape::convex_polygon(corners, colour, Stroke::NONE));
            }
            Self::Pause => {
                for x in [0.2, 0.58] {
                    painter.rect_filled(Rect::from_min_max(at(x, 0.12), at(x + 0.22, 0.88)), 1.0, colour);
                }
            }
            Self::Halves => {
                painter.rect_filled(Rect::from_min_max(at(0.05, 0.12), at(0.5, 0.88)), 1.0, colour);
                let whole = Rect::from_min_max(at(0.05, 0.12), at(0.95, 0.88));
                painter.rect_stroke(whole, 1.0, stroke, StrokeKind::Inside);
            }
            Self::Check => {
                painter.line(vec![at(0.15, 0.55), at(0.4, 0.8), at(0.85, 0.2)], stroke);
            }
        }
    }
}

/// A button with an icon and no words, named in its tooltip; a switch where it is `on` or off.
pub(super) fn icon_button(
    ui: &mut Ui,
    icon: Icon,
    on: Option<bool>,
    size: f32,
    name: &str,
    keys: &str,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size), Sense::click());
    response.widget_info(|| match on {
        Some(on) => egui::WidgetInfo::selected(egui::Role::CheckBox, ui.is_enabled(), on, name),
        None => egui::WidgetInfo::labeled(egui::Role::Button, ui.is_enabled(), name),
    });
    let dark = ui.visuals().dark_mode;
    let visuals = *ui.style().interact(&response);
    let is_on = on == Some(true);
    let fill = if is_on { theme::raised(dark) } else { visuals.weak_bg_fill };
    ui.painter().rect(rect, CornerRadius::same(6), fill, visuals.bg_stroke, StrokeKind::Inside);
    let colour = if is_on { theme::accent(dark) } else { visuals.fg_stroke.color };
    let edge = (size * 0.5).round();
    icon.paint(ui.painter(), Rect::from_center_size(rect.center(), Vec2::splat(edge)), colour);
    tip(response, name, keys)
}

/// Scrolls to the control that has taken the keyboard focus where it is out of sight. Called at the end of the content
/// of an area that scrolls.
pub(super) fn scroll_to_focus(ui: &Ui) {
    let Some(focused) = ui.memory(egui::Memory::focused) else { return };
    let last = ui.scope_id().with("last focus");
    let known: Option<egui::Id> = ui.data(|data| data.get_temp(last));
    if known == Some(focused) {
        return;
    }
    ui.data_mut(|data| data.insert_temp(last, focused));
    let Some(response) = ui.ctx().read_response(focused) else { return };
    let is_here = response.layer_id == ui.layer_id() && ui.min_rect().contains(response.rect.center());
    if is_here && !response.interact_rect.contains_rect(response.rect) {
        let animation = egui::style::ScrollAnimation::none();
        ui.scroll_to_rect_animation(response.rect.expand(8.0), None, animation);
    }
}

/// Draws a ring around the control that has the keyboard focus, above all layers so that nothing hides it.
pub(super) fn focus_ring(ctx: &egui::Context) {
    // Text fields show a cursor and an outline themselves.
    let Some(focused) = ctx.memory(egui::Memory::focused).filter(|_| !ctx.text_edit_focused()) else {
        return;
    };
    let Some(response) = ctx.read_response(focused) else { return };
    let dark = ctx.global_style().visuals.dark_mode;
    let layer = egui::LayerId::new(egui::Order::Tooltip, egui::Id::unique("focus ring"));
    let painter = ctx.layer_painter(layer).with_clip_rect(ctx.content_rect());
    painter.rect_stroke(
        response.interact_rect.expand(1.0),
        7.0,
        Stroke::new(2.0, theme::focus(dark)),
        StrokeKind::Outside,
    );
}

/// Width of the labels of the recipe, points.
pub(super) const LABEL: f32 = 88.0;

/// A row of a label and the control that it names.
pub(super) fn row(ui: &mut Ui, name: &str, control: impl FnOnce(&mut Ui) -> egui::Response) {
    let label = ui.label(RichText::new(name).color(theme::quiet(ui.visuals().dark_mode)));
    let response = control(ui);
    let response = if name.is_empty() { response } else { response.labelled_by(label.id) };
    if !name.is_empty() {
        named(&response, name);
    }
    ui.end_row();
}
