//! The contact sheet: the running picture, then waiting ones, then all other documents, newest first.

use egui::{
    Align2, FontId, Key, Modifiers, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2,
};

use super::controls::{Icon, field_tip, icon_button, quiet, scroll_to_focus, tip};
use super::desk::Desk;
use super::theme;
use super::words::title_words;
use crate::session::{
    Action, CompareAction, Document, ExportKind, MeaningAction, Origin, Outcome, Queued, Reuse, Session,
};

/// Height of the contact sheet, points.
pub(super) const HEIGHT: f32 = 104.0;
const FRAME: f32 = 80.0;
/// Edge of the button of the gallery, points.
const BUTTON: f32 = 28.0;
/// Edge of a frame in the gallery, points.
const LARGE: f32 = 160.0;

pub(super) fn sheet_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let is_empty = session.documents().next().is_none() && session.waiting().is_empty();
    // The pictures of earlier sessions are in the gallery.
    if is_empty && !session.history().is_kept() {
        empty_ui(ui, desk);
        return;
    }
    let (room, button) = {
        let all = ui.available_rect_before_wrap();
        (all.with_max_x(all.right() - BUTTON - 12.0), all.with_min_x(all.right() - BUTTON))
    };
    let mut frames = ui.new_child(UiBuilder::new().id_salt("frames").max_rect(room));
    if is_empty {
        empty_ui(&mut frames, desk);
    } else {
        frames_ui(&mut frames, session, desk, actions);
    }
    let mut ui = ui.new_child(UiBuilder::new().id_salt("gallery").max_rect(button));
    if icon_button(&mut ui, Icon::Frames, Some(desk.gallery), BUTTON, desk.text.gallery, "G").clicked() {
        desk.gallery = !desk.gallery;
        desk.grid.is_open = false;
    }
    ui.add_space(4.0);
    if icon_button(&mut ui, Icon::Grid, Some(desk.grid.is_open), BUTTON, desk.text.grid_hint, "Ctrl+G")
        .clicked()
    {
        super::grid::toggle(desk);
    }
}

/// The row of frames, which scrolls.
fn frames_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    egui::ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
        // The wheel scrolls along the sheet.
        if ui.rect_contains_pointer(ui.clip_rect()) {
            let wheel = ui.input(|input| input.smooth_scroll_delta().y);
            if wheel != 0.0 {
                ui.scroll_with_delta(Vec2::new(wheel, 0.0));
            }
        }
        ui.horizontal(|ui| {
            let (drawing, others): (Vec<&Document>, Vec<&Document>) =
                session.documents().partition(|document| document.is_drawing());
            for document in drawing {
                frame_ui(ui, session, desk, document, FRAME, actions);
            }
            for (place, queued) in session.waiting().iter().enumerate() {
                waiting_ui(ui, desk, place, queued, actions);
            }
            for document in others {
                frame_ui(ui, session, desk, document, FRAME, actions);
            }
        });
        scroll_to_focus(ui);
    });
}

/// Places of pictures to come, as many as fit, and what will lie there.
fn empty_ui(ui: &mut Ui, desk: &Desk) {
    let room = ui.available_rect_before_wrap();
    let pitch = FRAME + ui.spacing().item_spacing.x;
    let line = Stroke::new(1.0, theme::seam(ui.visuals().dark_mode));
    let places = ((room.width() + pitch - FRAME) / pitch).floor().max(0.0) as usize;
    for place in 0..places {
        let corner = room.min + Vec2::new(place as f32 * pitch, 0.0);
        let frame = Rect::from_min_size(corner, Vec2::splat(FRAME));
        ui.painter().rect_stroke(frame, 4.0, line, StrokeKind::Inside);
    }
    ui.centered_and_justified(|ui| {
        let words = desk.text.empty_sheet;
        let font = egui::TextStyle::Small.resolve(ui.style());
        let size = ui.painter().layout_no_wrap(words.to_owned(), font, egui::Color32::WHITE).size();
        let ground = Rect::from_center_size(room.center(), size + Vec2::new(24.0, 12.0));
        ui.painter().rect_filled(ground, 0.0, ui.visuals().panel_fill);
        quiet(ui, words)
    });
}

/// The contact sheet in large frames in place of the easel, filtered by what is searched in titles.
pub(super) fn gallery_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let frame = egui::Frame::NONE.fill(theme::easel(ui.visuals().dark_mode)).inner_margin(12);
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            let field =
                egui::TextEdit::singleline(&mut desk.search).hint_text(text.search).desired_width(240.0);
            let field = ui.add(field);
            super::controls::named(&field, text.search);
            field_tip(&field, text.search);
            if tip(ui.button(text.close), text.gallery_close_hint, "G").clicked() {
                desk.gallery = false;
            }
        });
        ui.add_space(8.0);
        let wanted = desk.search.to_lowercase();
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                for document in session.documents() {
                    if title_words(&document.title(), text).to_lowercase().contains(&wanted) {
                        frame_ui(ui, session, desk, document, LARGE, actions);
                    }
                }
            });
            scroll_to_focus(ui);
        });
    });
}

fn frame_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    document: &Document,
    size: f32,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size), Sense::click());
    let title = title_words(&document.title(), text);
    let is_shown = session.on_easel().is_some_and(|shown| shown.id() == document.id());
    let is_compared = session.first_compared().is_some_and(|first| first.document == Some(document.id()));
    response.widget_info(|| {
        let mut name = format!("{} {title}", text.document);
        if document.is_unsaved() {
            name = format!("{name} ({})", text.unsaved_dot);
        }
        egui::WidgetInfo::selected(egui::Role::Button, true, is_shown, name)
    });
    if ui.is_rect_visible(rect) {
        ui.painter().rect_filled(rect, 4.0, theme::easel(dark));
        thumbnail(ui, session, desk, document, rect);
        marks(ui, session, document, rect);
        let outline = if is_shown {
            Stroke::new(2.0, theme::accent(dark))
        } else if is_compared {
            Stroke::new(2.0, theme::warning(dark))
        } else {
            Stroke::new(1.0, theme::seam(dark))
        };
        ui.painter().rect_stroke(rect, 4.0, outline, StrokeKind::Inside);
    }
    if is_shown && desk.scroll_to != Some(document.id()) {
        desk.scroll_to = Some(document.id());
        response.scroll_to_me(None);
    }
    if response.clicked() {
        if ui.input(|input| input.modifiers.command) && !is_shown {
            let compare = if is_compared { CompareAction::End } else { CompareAction::With(document.id()) };
            actions.push(Action::Compare(compare));
        } else if document.is_drawing() {
            actions.push(Action::GoLive);
        } else {
            actions.push(Action::Show(document.id()));
        }
    }
    if response.double_clicked() {
        desk.gallery = false;
    }
    if response.has_focus() {
        frame_keys(ui, &response, document, actions);
    }
    response.context_menu(|ui| frame_menu(ui, session, desk, document, actions));
    tip(response, &format!("{title}\n{}", text.frame_hint), "");
}

/// Keys of the frame that has the focus.
fn frame_keys(ui: &Ui, response: &Response, document: &Document, actions: &mut Vec<Action>) {
    let arrows = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
    ui.input_mut(|input| {
        let stars = [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5];
        for (count, key) in (0_u8..).zip(stars) {
            if input.consume_key(Modifiers::NONE, key) {
                actions.push(Action::SetStars(document.id(), count));
            }
        }
        if input.consume_key(Modifiers::NONE, Key::Delete) {
            actions.push(Action::Remove(document.id()));
        }
        for (key, by) in [(Key::ArrowLeft, -1), (Key::ArrowRight, 1)] {
            if input.consume_key(Modifiers::NONE, key) {
                actions.push(Action::ShowNeighbour(by));
            }
        }
    });
}

fn thumbnail(ui: &Ui, session: &Session, desk: &mut Desk, document: &Document, rect: Rect) {
    let original = document.file().and_then(|file| file.original.as_ref().or(file.source.as_ref()));
    let small = document.thumbnail();
    let (texture, size) = if let Some(picture) = document.plain_picture().or(small).or(original) {
        (Some(desk.picture(ui, picture)), [picture.width(), picture.height()])
    } else {
        match desk.newest_preview(session, document) {
            Some((texture, size)) => (Some(texture), size),
            None => (None, [1, 1]),
        }
    };
    if let Some(texture) = texture {
        let square = egui::Image::new((texture, rect.size())).uv(square_part(size));
        square.corner_radius(4).paint_at(ui, rect);
    }
}

/// Marks over a thumbnail: progress, unsaved work, the kind of file, stars.
fn marks(ui: &Ui, session: &Session, document: &Document, rect: Rect) {
    let dark = ui.visuals().dark_mode;
    let painter = ui.painter();
    let tag = |words: &str, at: Pos2, pivot: Align2| {
        let galley = painter.layout_no_wrap(words.to_owned(), FontId::proportional(11.0), theme::on_chip());
        let place = pivot.anchor_size(at, galley.size() + Vec2::new(8.0, 2.0));
        painter.rect_filled(place, 3.0, theme::chip());
        painter.galley(place.min + Vec2::new(4.0, 1.0), galley, theme::on_chip());
    };
    if let (Origin::Drawing(drawing), Some(running)) = (document.origin(), session.running()) {
        let share = running.progress();
        // The glow dims with sigma.
        let first = drawing.steps.first().map_or(1.0, |step| step.sigma).max(1e-6);
        let noise = drawing.steps.last().map_or(1.0, |step| (step.sigma / first).sqrt() as f32);
        let glow = theme::accent(dark).gamma_multiply(0.25 + 0.6 * noise.clamp(0.0, 1.0));
        painter.rect_stroke(rect.shrink(1.0), 3.0, Stroke::new(2.0, glow), StrokeKind::Inside);
        let bar = Rect::from_min_max(rect.left_bottom() - Vec2::new(0.0, 4.0), rect.max);
        painter.rect_filled(bar, 0.0, theme::chip());
        let done = Rect::from_min_size(bar.min, Vec2::new(bar.width() * share, bar.height()));
        painter.rect_filled(done, 0.0, theme::accent(dark));
    }
    if document.is_unsaved() {
        let at = rect.right_top() + Vec2::new(-9.0, 9.0);
        painter.circle_filled(at, 4.5, theme::chip());
        painter.circle_filled(at, 3.0, theme::warning(true));
    }
    let kind = match document.origin() {
        Origin::Opened(file) => {
            std::path::Path::new(&file.name).extension().map(|e| e.to_string_lossy().to_lowercase())
        }
        Origin::Kept(_) => Some("latent".to_owned()),
        Origin::Drawn(item) if matches!(item.outcome, Outcome::Stopped) => {
            let step = item.trajectory.steps.last();
            step.map(|step| format!("{}/{}", step.step, step.steps))
        }
        Origin::Drawing(_) | Origin::Drawn(_) => None,
    };
    if let Some(kind) = kind {
        tag(&kind, rect.left_bottom() + Vec2::new(4.0, -4.0), Align2::LEFT_BOTTOM);
    }
    if document.stars() > 0 {
        tag(&"★".repeat(document.stars().into()), rect.left_top() + Vec2::splat(4.0), Align2::LEFT_TOP);
    }
}

fn frame_menu(ui: &mut Ui, session: &Session, desk: &Desk, document: &Document, actions: &mut Vec<Action>) {
    let (text, id) = (desk.text, document.id());
    let is_shown = session.on_easel().is_some_and(|shown| shown.id() == id);
    let show = |actions: &mut Vec<Action>| {
        if !is_shown {
            actions.push(Action::Show(id));
        }
    };
    if document.request().is_some() || document.facts().is_some() {
        for (name, what) in
            [(text.use_all, Reuse::All), (text.use_prompt, Reuse::Prompt), (text.use_seed, Reuse::Seed)]
        {
            if ui.button(name).clicked() {
                actions.push(Action::Reuse(id, what));
            }
        }
        ui.separator();
    }
    if let Some(picture) = document.plain_picture() {
        if ui.button(text.use_as_source).clicked() {
            actions.push(Action::UsePicture(picture.clone()));
        }
        if ui.button(text.describe).on_hover_text(text.describe_hint).clicked() {
            actions.push(Action::Meaning(MeaningAction::Describe(picture.clone())));
        }
        if ui.button(text.save).clicked() {
            show(actions);
            actions.push(Action::Export(ExportKind::Picture));
        }
    }
    if !document.is_drawing() && ui.button(text.save_latent).clicked() {
        show(actions);
        actions.push(Action::Export(ExportKind::Latent));
    }
    if !is_shown && ui.button(text.compare).on_hover_text("Ctrl+click").clicked() {
        actions.push(Action::Compare(CompareAction::With(id)));
    }
    ui.separator();
    ui.horizontal(|ui| {
        for stars in 1..=5_u8 {
            let sign = if stars <= document.stars() { "★" } else { "☆" };
            let button = ui.small_button(sign);
            super::controls::named(&button, format!("{} {stars}", text.stars));
            if button.clicked() {
                let cleared = document.stars() == stars;
                actions.push(Action::SetStars(id, if cleared { 0 } else { stars }));
            }
        }
    });
    if !document.is_drawing() && ui.button(text.remove).clicked() {
        actions.push(Action::Remove(id));
    }
}

/// An empty frame for a waiting picture, which can be dragged to another place or removed.
fn waiting_ui(ui: &mut Ui, desk: &Desk, place: usize, queued: &Queued, actions: &mut Vec<Action>) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(FRAME), Sense::click_and_drag());
    let name = format!("{} {}: {}", text.queue, place + 1, queued.request.prompt);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    let dragged = response.dragged();
    let shift = if dragged {
        ui.data_mut(|data| {
            let moved = data.get_temp_mut_or_default::<f32>(response.id);
            *moved += response.drag_delta().x;
            *moved
        })
    } else {
        0.0
    };
    let seen = rect.translate(Vec2::new(shift, 0.0));
    let outline = if dragged { theme::accent(dark) } else { theme::outline(dark) };
    ui.painter().rect_stroke(seen, 4.0, Stroke::new(1.0, outline), StrokeKind::Inside);
    let words = format!("{}", place + 1);
    let (font, colour) = (FontId::proportional(20.0), theme::quiet(dark));
    ui.painter().text(seen.center(), Align2::CENTER_CENTER, words, font, colour);
    if response.drag_stopped() {
        let moved = ui.data_mut(|data| data.remove_temp::<f32>(response.id)).unwrap_or_default();
        let pitch = FRAME + ui.spacing().item_spacing.x;
        let to = (place as f32 + moved / pitch).round().max(0.0) as usize;
        actions.push(Action::MoveQueued(queued.id, to));
    }
    let cross = Rect::from_min_size(rect.right_top() + Vec2::new(-24.0, 4.0), Vec2::splat(20.0));
    let drop = ui.interact(cross, response.id.with("drop"), Sense::click());
    drop.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Button, true, format!("{} {}", text.remove, place + 1))
    });
    let colour = if drop.hovered() { theme::accent(dark) } else { theme::quiet(dark) };
    super::controls::Icon::Cross.paint(ui.painter(), cross.shrink(4.0), colour);
    let removes =
        response.has_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Delete));
    if tip(drop, text.remove, "Delete").clicked() || removes {
        actions.push(Action::RemoveQueued(queued.id));
    }
    response.context_menu(|ui| {
        if place > 0 && ui.button(text.earlier).clicked() {
            actions.push(Action::PromoteQueued(queued.id));
        }
        if ui.button(text.remove).clicked() {
            actions.push(Action::RemoveQueued(queued.id));
        }
        if ui.button(text.remove_all_waiting).clicked() {
            actions.push(Action::StopAfter);
        }
    });
    let words = format!("{}\n{}\n{}", queued.request.prompt, queued.request.seed, text.waiting_hint);
    tip(response, words.trim_start(), "");
}

/// The middle square of a picture, in texture coordinates.
pub(super) fn square_part([width, height]: [usize; 2]) -> Rect {
    let (width, height) = (width as f32, height as f32);
    let edge = width.min(height);
    let half = Vec2::new(edge / width, edge / height) / 2.0;
    Rect::from_min_max(Pos2::new(0.5 - half.x, 0.5 - half.y), Pos2::new(0.5 + half.x, 0.5 + half.y))
}
