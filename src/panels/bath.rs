//! Below the easel: the timeline, the choice of view, and the magnification.

use egui::{Align2, FontId, Key, Mesh, Modifiers, Pos2, Rect, Sense, Stroke, Ui, Vec2};

use super::controls::{choices, named, opens, quiet, rails, segment, tip, trailing};
use super::desk::{Desk, ErrorView, View};
use super::easel::{first_room, has_view, picture_size};
use super::foot::{duration, progress_words};
use super::theme;
use super::words::title_words;
use crate::latent::TrajectoryStep;
use crate::preview::Look;
use crate::session::{Action, Document, Lens, Outcome, Session, WorkKind};

/// Height of the panel, points.
pub(super) const HEIGHT: f32 = 76.0;
/// Width below which the choice of preview is left out, points.
const NARROW: f32 = 620.0;
/// Width of the text beside the timeline, points.
const SAID: f32 = 206.0;
/// More width for the button to stop and the progress, which stand there while the recipe is hidden, points.
const PROGRESS: f32 = 220.0;

pub(super) fn bath_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    easel: Vec2,
    actions: &mut Vec<Action>,
) {
    ui.spacing_mut().item_spacing = Vec2::new(6.0, 4.0);
    let document = session.on_easel();
    ui.horizontal(|ui| {
        ui.set_height(28.0);
        let stands_in = session.running().is_some() && !desk.recipe;
        let said = if document.is_some() { SAID } else { 0.0 };
        let width = ui.available_width() - said - if stands_in { PROGRESS } else { 0.0 };
        timeline_ui(ui, desk, document, width.max(80.0), actions);
        state_ui(ui, session, desk, document, actions);
    });
    ui.horizontal(|ui| {
        ui.set_height(28.0);
        ui.spacing_mut().item_spacing.x = 2.0;
        views_ui(ui, session, desk, document);
        let is_narrow = ui.available_width() < NARROW - 360.0;
        trailing(ui, "lens", |ui| {
            if !is_narrow {
                preview_ui(ui, session, desk, actions);
            }
            lens_ui(ui, session, desk, easel, actions);
        });
    });
}

fn views_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, document: Option<&Document>) {
    let text = desk.text;
    for (view, name, why) in [
        (View::Picture, text.picture, text.picture_hint),
        (View::Preview, text.preview, text.preview_hint),
        (View::Wipe, text.wipe_view, text.wipe_hint),
        (View::Error, text.error_map, text.error_hint),
        (View::Components, text.components_view, text.components_hint),
    ] {
        let able = document.is_some_and(|document| has_view(session, document, view));
        let response = segment(ui, desk.view == view, able, name);
        if tip(response, why, "").clicked() {
            desk.view = view;
        }
    }
    let Some(document) = document else { return };
    match desk.view {
        View::Wipe if has_view(session, document, View::Wipe) => {
            rails(ui);
            ui.spacing_mut().slider_width = 72.0;
            let slider = ui.add(egui::Slider::new(&mut desk.wipe, 0.0..=1.0).show_value(false));
            named(&slider, text.wipe);
            tip(slider, text.wipe_line_hint, "");
        }
        View::Error => error_menu(ui, desk, document),
        View::Components => channel_menu(ui, desk, document),
        _ => {}
    }
}

fn error_menu(ui: &mut Ui, desk: &mut Desk, document: &Document) {
    let text = desk.text;
    let Some(file) = document.file() else { return };
    let jpeg = file.comparison.as_ref().is_some_and(|comparison| comparison.jpeg.is_some());
    let errors = [
        (ErrorView::Heat, text.error_map, file.comparison.is_some()),
        (ErrorView::Jpeg, "JPEG", jpeg),
        (ErrorView::Divergence, "KL", file.divergence.is_some()),
    ];
    let shown = errors.iter().find(|(view, ..)| *view == desk.error).map_or("", |(_, name, _)| name);
    let menu = ui.menu_button(format!("{shown} ▾"), |ui| {
        choices(ui);
        for (view, name, able) in errors {
            if ui.add_enabled(able, egui::RadioButton::new(desk.error == view, name)).clicked() {
                desk.error = view;
            }
        }
    });
    opens(&menu);
    named(&menu.response, text.error_choice);
    tip(menu.response, text.error_choice, "");
}

fn channel_menu(ui: &mut Ui, desk: &mut Desk, document: &Document) {
    let text = desk.text;
    let channels = document.inspector().statistics.len();
    let name = |channel: Option<usize>| match channel {
        Some(channel) => format!("{} {channel}", text.channel),
        None => text.components_short.to_owned(),
    };
    let menu = ui.menu_button(format!("{} ▾", name(desk.channel)), |ui| {
        choices(ui);
        egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for channel in std::iter::once(None).chain((0..channels).map(Some)) {
                if ui.radio(desk.channel == channel, name(channel)).clicked() {
                    desk.channel = channel;
                }
            }
        });
    });
    opens(&menu);
    named(&menu.response, text.component_choice);
    tip(menu.response, text.component_choice, "");
}

/// The previewed quantity (x̂₀ or x_t), and a menu of projections with their agreement with the true decode.
fn preview_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    for (noisy, name, why) in [(false, "x̂₀", text.denoised), (true, "xₜ", text.noisy)] {
        if segment(ui, session.shows_noisy() == noisy, true, name).on_hover_text(why).clicked() {
            actions.push(Action::ShowNoisy(noisy));
        }
    }
    let format = session.on_easel().and_then(Document::format).or(session.profile().map(|p| p.format));
    let is_patch =
        format.is_some_and(|format| matches!(desk.preview_look(session, format), Look::Patch { .. }));
    let shown = if is_patch { text.patch } else { text.linear };
    let menu = ui.menu_button(format!("{shown} ▾"), |ui| method_ui(ui, session, desk));
    opens(&menu);
    named(&menu.response, text.preview_menu);
    menu.response.on_hover_text(text.preview_menu);
}

fn method_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let text = desk.text;
    choices(ui);
    if let Some(fit) = desk.fit(session).cloned() {
        for (patch, name, quality) in
            [(false, text.linear, fit.linear_quality), (true, text.patch, fit.patch_quality)]
        {
            let usable = !patch || fit.patch_is_better();
            let label = format!("{name} · {:.1} dB · SSIM {:.2}", quality.psnr, quality.ssim);
            let radio = egui::RadioButton::new(desk.use_patch == patch, label);
            if ui.add_enabled(usable, radio).on_disabled_hover_text(text.patch_worse).clicked() {
                desk.use_patch = patch;
            }
        }
        quiet(ui, text.held_out_hint);
    } else if let Some((done, total)) = session.fit_progress() {
        ui.label(format!("{} {done}/{total}", text.fitting));
    } else {
        quiet(ui, text.linear_table);
    }
}

/// Buttons for the magnification: the whole picture, and one to one with the present figure.
fn lens_ui(ui: &mut Ui, session: &Session, desk: &Desk, easel: Vec2, actions: &mut Vec<Action>) {
    let text = desk.text;
    let points = ui.ctx().pixels_per_point();
    let size = session.on_easel().and_then(picture_size);
    let easel = first_room(ui.ctx(), session, desk, easel);
    let scale = session
        .on_easel()
        .zip(size)
        .map(|(document, size)| document.lens().scale([size.x, size.y], [easel.x, easel.y]) * points);
    let is_fit = session.on_easel().is_some_and(|document| document.lens().zoom.is_none());
    let fit = segment(ui, is_fit, size.is_some(), text.fit);
    if tip(fit, text.fit_hint, "0").clicked() {
        actions.push(Action::SetLens(Lens::default()));
    }
    let figure = scale.map_or_else(|| "100 %".to_owned(), |scale| format!("{:.0} %", scale * 100.0));
    let is_one = scale.is_some_and(|scale| (scale - 1.0).abs() < 1e-3);
    let one = segment(ui, !is_fit && is_one, size.is_some(), &figure);
    if tip(one, text.one_to_one, "1").clicked() {
        actions.push(Action::SetLens(Lens::at_scale(1.0 / points)));
    }
}

/// The state of the document in words, or the work that the engine does for it; a way back to the running picture.
fn state_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &mut Desk,
    document: Option<&Document>,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let Some(document) = document else { return };
    let is_live = session.follows() && document.is_drawing() && document.place().is_none();
    if let Some(running) = session.running().filter(|_| !desk.recipe) {
        if tip(ui.button(text.stop), text.stop_hint, "Esc").clicked() {
            actions.push(Action::Stop);
        }
        quiet(ui, progress_words(session, running, text));
    }
    if session.running().is_some() && !is_live {
        let live = ui.button(format!("{} ▸", text.live)).on_hover_text(text.live_hint);
        if live.clicked() {
            actions.push(Action::GoLive);
        }
    }
    if let Some(work) = document.work() {
        let doing = match work.kind {
            WorkKind::Encoding => text.encoding_picture,
            WorkKind::Decoding => text.decoding,
        };
        let secs = work.since.elapsed().as_secs_f64();
        let words = if secs < 1.5 { doing.to_owned() } else { format!("{doing} · {}", duration(secs)) };
        if secs > 0.5 {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
            if tip(ui.button(text.cancel), text.stop_work_hint, "").clicked() {
                actions.push(Action::StopWork(document.id()));
            }
        }
        quiet(ui, words);
        return;
    }
    // The progress beside it has said the step of the running picture.
    let says_step = !(is_live && session.running().is_some() && !desk.recipe);
    let words = state_words(session, desk, document, says_step);
    ui.add(
        egui::Label::new(egui::RichText::new(words).small().color(theme::quiet(ui.visuals().dark_mode)))
            .truncate(),
    );
}

/// The state in words, such as "patch x̂₀ · step 7/20 · σ 4.10", with or without the step.
fn state_words(session: &Session, desk: &mut Desk, document: &Document, says_step: bool) -> String {
    let text = desk.text;
    let view = if has_view(session, document, desk.view) { desk.view } else { View::Picture };
    match view {
        View::Picture if document.picture().is_some() => {
            // An opened picture or a kept latent has no steps of which this could be the last.
            let is_drawn = document.request().is_some();
            return if is_drawn { text.final_picture } else { text.decoded }.to_owned();
        }
        View::Wipe => {
            return match session.compared() {
                Some(other) => {
                    let [left, right] = [other, document].map(|side| title_words(&side.title(), text));
                    format!("{left} | {right}")
                }
                None => format!("{} | {}", text.original, text.picture),
            };
        }
        View::Error => return error_words(desk, document),
        View::Components if desk.channel.is_none() => {
            let shares = document.inspector().components.as_ref().map(|(components, _)| {
                components.explained.iter().map(|share| format!("{:.0} %", share * 100.0)).collect::<Vec<_>>()
            });
            return format!("{} · {}", text.components_short, shares.unwrap_or_default().join(" · "));
        }
        _ => {}
    }
    let is_patch = document
        .format()
        .is_some_and(|format| matches!(desk.preview_look(session, format), Look::Patch { .. }));
    let method = if is_patch { text.patch } else { text.linear };
    let quantity = if session.shows_noisy() { "xₜ" } else { "x̂₀" };
    match (document.step(), document.result().map(|item| &item.outcome)) {
        (Some(at), _) => {
            let TrajectoryStep { step, steps, sigma, .. } = &**at;
            let step = if says_step { format!("{} {step}/{steps} · ", text.step) } else { String::new() };
            format!("{method} {quantity} · {step}σ {sigma:.2}")
        }
        (None, Some(Outcome::Failed(_))) => format!("{method} · {}", text.decode_failed),
        (None, Some(Outcome::Stopped)) => format!("{method} · {}", text.stopped),
        (None, Some(Outcome::Decoding)) => format!("{method} · {}", text.decoding),
        _ if document.inspector().latent.is_some() => method.to_owned(),
        _ => String::new(),
    }
}

/// The legend of the shown error: its scale or figures.
fn error_words(desk: &Desk, document: &Document) -> String {
    let text = desk.text;
    let Some(file) = document.file() else { return String::new() };
    let comparison = file.comparison.as_ref();
    match (desk.error, comparison, comparison.and_then(|comparison| comparison.jpeg.as_ref())) {
        (ErrorView::Jpeg, _, Some((jpeg, psnr))) => {
            format!("JPEG {} · {:.0} % · {psnr:.1} dB", jpeg.quality, jpeg.scale * 100.0)
        }
        (ErrorView::Heat | ErrorView::Jpeg, Some(comparison), _) => {
            format!("{} · {} 0–{:.0} %", text.error_map, text.heat, comparison.heat_limit * 100.0)
        }
        _ => text.divergence.to_owned(),
    }
}

/// The timeline: a tick for each step over the curve of sigma; its end is the final picture.
fn timeline_ui(ui: &mut Ui, desk: &Desk, document: Option<&Document>, width: f32, actions: &mut Vec<Action>) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(width, 28.0), Sense::click_and_drag());
    let steps = document.map_or(&[][..], Document::steps);
    let known = steps.len();
    let drawing = document.is_some_and(Document::is_drawing);
    // A running picture leaves room for the steps to come; of a finished one the end is the final picture.
    let all = steps.last().map_or(0, |last| if drawing { last.steps } else { last.step });
    // A step's place is its number, not its index: a slow window misses some steps.
    let place_of = |index: usize| steps.get(index).map_or(all, |step| step.step.saturating_sub(1));
    let able = known > 0;
    let at = document.and_then(Document::place);
    let said = match (at, able) {
        (Some(at), _) => format!("{}/{known}", at + 1),
        (None, true) => text.final_picture.to_owned(),
        (None, false) => text.no_steps.to_owned(),
    };
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::slider(able, at.unwrap_or(known) as f64, text.timeline);
        info.current_text_value = Some(said.clone());
        info
    });
    let track = rect.shrink2(Vec2::new(7.0, 0.0));
    let x_of = |place: usize| track.left() + track.width() * place as f32 / all.max(1) as f32;
    let middle = rect.center().y;
    let painter = ui.painter();
    if !able {
        // Not a control now: as faint as a line between regions.
        painter.hline(track.x_range(), middle, Stroke::new(2.0, theme::seam(dark)));
        tip(response, text.timeline, "← →");
        return;
    }
    let first = steps.iter().map(|step| step.sigma).fold(1e-6, f64::max);
    let curve: Vec<Pos2> = steps
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let height = (step.sigma / first).sqrt() as f32 * (rect.height() - 6.0);
            Pos2::new(x_of(place_of(place)), rect.bottom() - 3.0 - height)
        })
        .collect();
    // The noise that is left, as a ground of the steps.
    let mut below = Mesh::default();
    for point in &curve {
        let index = below.vertices.len() as u32;
        below.colored_vertex(*point, theme::raised(dark));
        below.colored_vertex(Pos2::new(point.x, rect.bottom()), theme::raised(dark));
        if index > 0 {
            below.add_triangle(index - 2, index - 1, index);
            below.add_triangle(index - 1, index, index + 1);
        }
    }
    painter.add(below);
    painter.line(curve, Stroke::new(1.0, theme::outline(dark)));
    painter.hline(track.x_range(), middle, Stroke::new(2.0, theme::outline(dark)));
    let newest = place_of(known - 1);
    for place in 0..=all {
        let colour = if place <= newest { theme::quiet(dark) } else { theme::outline(dark) };
        painter.vline(x_of(place), middle - 4.0..=middle + 4.0, Stroke::new(1.0, colour));
    }
    let end = if drawing { newest } else { all };
    let x = x_of(at.map_or(end, place_of));
    if drawing {
        let done = Rect::from_x_y_ranges(track.left()..=x_of(newest), middle - 1.0..=middle + 1.0);
        painter.rect_filled(done, 1.0, theme::accent(dark));
    }
    let visuals = ui.style().interact(&response);
    painter.circle(Pos2::new(x, middle), 7.0, visuals.bg_fill, Stroke::new(1.5, visuals.fg_stroke.color));
    if let Some(place) = at.and_then(|at| steps.get(at)) {
        let words = format!("{}", place.step);
        let at = Pos2::new(x, rect.top() - 2.0);
        if response.dragged() || response.hovered() {
            painter.text(at, Align2::CENTER_TOP, words, FontId::proportional(10.0), theme::quiet(dark));
        }
    }
    let last = if drawing { known - 1 } else { known };
    let mut chosen = None;
    if (response.dragged() || response.clicked())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let share = ((pointer.x - track.left()) / track.width()).clamp(0.0, 1.0);
        let wanted = (share * all as f32).round() as usize;
        // Steps whose previews were dropped cannot be selected: the nearest one that arrived is.
        chosen = (0..=last).min_by_key(|index| place_of(*index).abs_diff(wanted));
    }
    if response.has_focus() {
        let arrows = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let now = at.unwrap_or(last);
        ui.input_mut(|input| {
            for (key, to) in [
                (Key::ArrowLeft, now.saturating_sub(1)),
                (Key::ArrowRight, (now + 1).min(last)),
                (Key::Home, 0),
                (Key::End, last),
            ] {
                if input.consume_key(Modifiers::NONE, key) {
                    chosen = Some(to);
                }
            }
        });
    }
    if let Some(chosen) = chosen.map(|chosen| (chosen < last).then_some(chosen))
        && chosen != at
    {
        actions.push(Action::Scrub(chosen));
    }
    tip(response, text.timeline, "← →");
}
