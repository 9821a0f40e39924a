//! The parts of the easel that show a document each: one, or in a wide window two that are compared.

use egui::emath::GuiRounding as _;
use egui::{Key, Pos2, Rect, Response, RichText, Ui, Vec2};

use super::picture_size;
use crate::panels::controls::{Icon, icon_button};
use crate::panels::desk::{Desk, View};
use crate::panels::theme;
use crate::panels::words::title_words;
use crate::session::{Action, Document, Lens, Session};

/// Width of the window from which two compared documents stand beside each other, points.
const WIDE: f32 = 1700.0;
/// Height of the line with the title over each of two documents, points.
const TITLE: f32 = 32.0;

/// A part of the easel that shows a document.
pub(super) struct Pane<'a> {
    pub(super) document: &'a Document,
    /// Where the picture can be seen.
    pub(super) rect: Rect,
    /// The size of the picture, pixels.
    pub(super) size: Vec2,
    pub(super) lens: Lens,
}

impl Pane<'_> {
    /// Where the whole picture lies, which may reach over the edges. Its corner is on a pixel of the screen.
    pub(super) fn place(&self, pixels_per_point: f32) -> Rect {
        let (size, room) = (self.size.into(), self.rect.size().into());
        let corner = self.rect.center() + Vec2::from(self.lens.corner(size, room));
        Rect::from_min_size(corner.round_to_pixels(pixels_per_point), self.size * self.lens.scale(size, room))
    }
}

/// The document that stands beside the one on the easel: the compared one, in a wide window. The wipe shows both in
/// one picture.
fn beside<'a>(ctx: &egui::Context, session: &'a Session, desk: &Desk) -> Option<&'a Document> {
    let is_wide = ctx.content_rect().width() >= WIDE;
    session.compared().filter(|_| is_wide && desk.view != View::Wipe)
}

/// The parts of the easel below the titles: one, or two of the same size.
fn rooms(easel: Rect, is_pair: bool) -> Vec<Rect> {
    if !is_pair {
        return vec![easel];
    }
    let below = easel.with_min_y(easel.top() + TITLE);
    let middle = easel.center().x.round();
    vec![below.with_max_x(middle), below.with_min_x(middle)]
}

/// The size of the part that shows the document on the easel, whose whole size is `easel`, points.
pub(in crate::panels) fn first_room(
    ctx: &egui::Context,
    session: &Session,
    desk: &Desk,
    easel: Vec2,
) -> Vec2 {
    let is_pair = beside(ctx, session, desk).is_some_and(|other| picture_size(other).is_some());
    rooms(Rect::from_min_size(Pos2::ZERO, easel), is_pair)[0].size()
}

/// The parts of the easel; none while the document has nothing to show. Two documents share one lens.
pub(super) fn panes<'a>(
    ctx: &egui::Context,
    session: &'a Session,
    desk: &Desk,
    document: &'a Document,
    easel: Rect,
) -> Vec<Pane<'a>> {
    let Some(size) = picture_size(document) else { return Vec::new() };
    let other = beside(ctx, session, desk).and_then(|other| Some((other, picture_size(other)?)));
    let rooms = rooms(easel, other.is_some());
    let room = rooms[0].size().into();
    let mut panes = vec![Pane { document, rect: rooms[0], size, lens: document.lens() }];
    if let Some((document, other_size)) = other {
        let lens = panes[0].lens.carried(size.into(), other_size.into(), room);
        panes.push(Pane { document, rect: rooms[1], size: other_size, lens });
    }
    panes
}

/// Zooms and pans by wheel, pinch and drag in any of the parts, and sets their lenses for this frame.
pub(super) fn follow(
    ui: &Ui,
    desk: &Desk,
    response: &Response,
    panes: &mut [Pane<'_>],
    actions: &mut Vec<Action>,
) {
    let pointer = response.hover_pos().or(response.interact_pointer_pos());
    let under = |pane: &Pane<'_>| pointer.is_some_and(|pointer| pane.rect.contains(pointer));
    let at = panes.iter().position(under).unwrap_or(0);
    let Some(Pane { rect, size, lens: before, .. }) = panes.get(at) else { return };
    let (rect, size, room, before) = (*rect, (*size).into(), rect.size().into(), *before);
    let mut lens = before;
    let space = ui.input(|input| input.key_down(Key::Space)) && !ui.ctx().text_edit_focused();
    let moves = response.dragged_by(egui::PointerButton::Middle)
        || (response.dragged_by(egui::PointerButton::Primary) && (space || desk.view != View::Wipe));
    if moves {
        lens = lens.moved(response.drag_delta().into(), size);
    }
    if response.double_clicked() {
        lens = Lens::default();
    }
    if let Some(pointer) = response.hover_pos() {
        let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = (scroll / 240.0).exp() * pinch;
        if (factor - 1.0).abs() > 1e-4 {
            lens = lens.zoomed(factor, (pointer - rect.center()).into(), size, room);
        }
    }
    if lens == before {
        return;
    }
    for pane in &mut *panes {
        pane.lens = lens.carried(size, pane.size.into(), room);
    }
    actions.push(Action::SetLens(panes[0].lens));
}

/// The titles over two documents in the colours of their frames on the contact sheet, the line between them, and a
/// button that ends the comparison.
pub(super) fn titles_ui(ui: &mut Ui, desk: &Desk, panes: &[Pane<'_>], actions: &mut Vec<Action>) {
    let [first, second] = panes else { return };
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let seam = egui::Stroke::new(1.0, theme::seam(dark));
    let bottom = first.rect.bottom();
    ui.painter().vline(second.rect.left(), first.rect.top() - TITLE..=bottom, seam);
    for (pane, colour) in [(first, theme::accent(dark)), (second, theme::warning(dark))] {
        let line = Rect::from_min_max(pane.rect.min - Vec2::new(0.0, TITLE), pane.rect.right_top());
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        let line = line.shrink2(Vec2::new(12.0, 2.0));
        let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(line).layout(layout));
        let (mark, _) = ui.allocate_exact_size(Vec2::splat(8.0), egui::Sense::hover());
        ui.painter().rect_filled(mark, 2.0, colour);
        let title = title_words(&pane.document.title(), text);
        let is_second = std::ptr::eq(pane, second);
        let width = ui.available_width() - if is_second { 36.0 } else { 0.0 };
        let title = egui::Label::new(RichText::new(title).small().color(theme::quiet(dark))).truncate();
        let height = ui.available_height();
        ui.allocate_ui_with_layout(Vec2::new(width, height), layout, |ui| ui.add(title));
        if is_second {
            let right = egui::Layout::right_to_left(egui::Align::Center);
            let ends = ui.with_layout(right, |ui| {
                icon_button(ui, Icon::Cross, None, 24.0, text.end_comparison, "").clicked()
            });
            if ends.inner {
                actions.push(Action::CompareWith(None));
            }
        }
    }
}
