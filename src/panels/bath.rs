//! Below the easel: the film strip, the choice of view, and the magnification.

use egui::{Ui, Vec2};

use super::compare;
use super::controls::{choices, named, opens, quiet, rails, segment, tip, trailing};
use super::desk::{Desk, ErrorView, View};
use super::easel::{has_view, inside, picture_size};
use super::film_strip;
use super::foot::{duration, progress_words};
use super::preview_menu::{method_name, preview_ui};
use super::{Text, theme};
use crate::latent::TrajectoryStep;
use crate::session::{Action, Document, ForkObstacle, Lens, Outcome, Session, WorkKind};

/// Height of the row of views, points.
const ROW: f32 = 28.0;
/// Height of the panel beside its two rows, points.
const REST: f32 = 20.0;
/// Width below which the choice of preview is left out, points.
const NARROW: f32 = 620.0;
/// Width of the text beside the timeline, points.
const SAID: f32 = 206.0;
/// More width for the button to stop and the progress, which stand there while the recipe is hidden, points.
const PROGRESS: f32 = 220.0;

/// Height of the panel, points: in a low window the strip has no thumbnails.
pub(super) fn height(ctx: &egui::Context) -> f32 {
    film_strip::height(ctx) + ROW + REST
}

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
        ui.set_height(film_strip::height(ui.ctx()));
        let stands_in = session.running().is_some() && !desk.recipe;
        let said = if document.is_some() { SAID } else { 0.0 };
        let width = ui.available_width() - said - if stands_in { PROGRESS } else { 0.0 };
        film_strip::play_ui(ui, desk, document, actions);
        film_strip::film_strip_ui(ui, session, desk, document, width.max(120.0) - film_strip::PLAY, actions);
        if film_strip::is_tall(ui.ctx()) {
            ui.vertical(|ui| {
                words_ui(ui, session, desk, document);
                ui.horizontal(|ui| buttons_ui(ui, session, desk, document, actions));
            });
        } else {
            buttons_ui(ui, session, desk, document, actions);
            words_ui(ui, session, desk, document);
        }
    });
    ui.horizontal(|ui| {
        ui.set_height(ROW);
        ui.spacing_mut().item_spacing.x = 2.0;
        let sides = compare::shown_sides(session, desk);
        if sides.is_empty() {
            views_ui(ui, desk, document);
        } else {
            compare::modes_ui(ui, desk, &sides);
        }
        let is_narrow = ui.available_width() < NARROW - 360.0;
        trailing(ui, "lens", |ui| {
            if !is_narrow && sides.is_empty() {
                preview_ui(ui, session, desk, actions);
            }
            let shown = match sides.first() {
                Some(side) => compare::size_of(side, desk).map(|size| (size, desk.compare.room)),
                None => session.on_easel().and_then(picture_size).map(|size| (size, easel)),
            };
            lens_ui(ui, session, desk, shown, actions);
        });
    });
}

fn views_ui(ui: &mut Ui, desk: &mut Desk, document: Option<&Document>) {
    let text = desk.text;
    for (view, name, why) in [
        (View::Picture, text.picture, text.picture_hint),
        (View::Preview, text.preview, text.preview_hint),
        (View::Wipe, text.wipe_view, text.wipe_hint),
        (View::Error, text.error_map, text.error_hint),
        (View::Components, text.components_view, text.components_hint),
        (View::Inside, text.inside_view, text.inside_hint),
    ] {
        let able = document.is_some_and(|document| has_view(document, view));
        let response = segment(ui, desk.view == view, able, name);
        if tip(response, why, "").clicked() {
            desk.view = view;
        }
    }
    let Some(document) = document else { return };
    match desk.view {
        View::Wipe if has_view(document, View::Wipe) => {
            rails(ui);
            ui.spacing_mut().slider_width = 72.0;
            let slider = ui.add(egui::Slider::new(&mut desk.wipe, 0.0..=1.0).show_value(false));
            named(&slider, text.wipe);
            tip(slider, text.wipe_line_hint, "");
        }
        View::Error => error_menu(ui, desk, document),
        View::Components => channel_menu(ui, desk, document),
        View::Inside if has_view(document, View::Inside) => inside::menu_ui(ui, desk),
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

/// Buttons for the magnification: the whole picture, and one to one with the present figure. `shown`: the size of the
/// picture, pixels, and of the part of the window that shows it, points.
fn lens_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    shown: Option<(Vec2, Vec2)>,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let points = ui.ctx().pixels_per_point();
    let lens = session.lens();
    let scale = shown.map(|(size, room)| lens.scale(size.into(), room.into()) * points);
    let is_fit = shown.is_some() && lens.zoom.is_none();
    let fit = segment(ui, is_fit, shown.is_some(), text.fit);
    if tip(fit, text.fit_hint, "0").clicked() {
        actions.push(Action::SetLens(Lens::default()));
    }
    let figure = scale.map_or_else(|| "100 %".to_owned(), |scale| format!("{:.0} %", scale * 100.0));
    let is_one = scale.is_some_and(|scale| (scale - 1.0).abs() < 1e-3);
    let one = segment(ui, !is_fit && is_one, shown.is_some(), &figure);
    if tip(one, text.one_to_one, "1").clicked() {
        actions.push(Action::SetLens(Lens::at_scale(1.0 / points)));
    }
}

/// Whether the easel shows what is being drawn as it comes.
fn is_live(session: &Session, document: &Document) -> bool {
    session.follows() && document.is_drawing() && document.place().is_none()
}

/// Buttons for the work that the engine does, the way back to the running picture, and the way on from a step.
fn buttons_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    document: Option<&Document>,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    let Some(document) = document else { return };
    if session.running().is_some()
        && !desk.recipe
        && tip(ui.button(text.stop), text.stop_hint, "Esc").clicked()
    {
        actions.push(Action::Stop);
    }
    if session.running().is_some() && !is_live(session, document) {
        let live = ui.button(format!("{} ▸", text.live)).on_hover_text(text.live_hint);
        if live.clicked() {
            actions.push(Action::GoLive);
        }
    }
    if let Some(work) = document.work() {
        if work.since.elapsed().as_secs_f64() > 0.5
            && tip(ui.button(text.cancel), text.stop_work_hint, "").clicked()
        {
            actions.push(Action::StopWork(document.id()));
        }
        return;
    }
    if document.place().is_some() && !document.is_drawing() {
        let obstacle = session.fork_obstacle();
        let fork = ui.add_enabled(obstacle.is_none(), egui::Button::new(format!("{} ▸", text.fork)));
        let fork = match obstacle {
            Some(obstacle) => fork.on_disabled_hover_text(fork_obstacle_words(obstacle, text)),
            None => tip(fork, text.fork_hint, "B"),
        };
        if fork.clicked() {
            actions.push(Action::Fork);
        }
        compare::step_button_ui(ui, session, desk, actions);
    }
}

/// Why nothing can go on from the shown step.
fn fork_obstacle_words(obstacle: ForkObstacle, text: &Text) -> &'static str {
    match obstacle {
        ForkObstacle::NoStep => text.fork_no_step,
        ForkObstacle::StillDrawing => text.fork_still_drawing,
        ForkObstacle::StepsMissing => text.fork_steps_missing,
        ForkObstacle::LastStep => text.fork_last_step,
        ForkObstacle::OtherModel => text.fork_other_model,
        ForkObstacle::NoModel => text.no_model,
    }
}

/// The state of the document in words, or the work that the engine does for it.
fn words_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, document: Option<&Document>) {
    let text = desk.text;
    let Some(document) = document else { return };
    let stands_in = session.running().filter(|_| !desk.recipe);
    if let Some(running) = stands_in {
        quiet(ui, progress_words(session, running, text));
    }
    if let Some(work) = document.work() {
        let doing = match work.kind {
            WorkKind::Encoding => text.encoding_picture,
            WorkKind::Decoding => text.decoding,
            WorkKind::DecodingQuickly => text.decoding_quickly,
        };
        let secs = work.since.elapsed().as_secs_f64();
        let words = if secs < 1.5 { doing.to_owned() } else { format!("{doing} · {}", duration(secs)) };
        if secs > 0.5 {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
        }
        quiet(ui, words);
        return;
    }
    if let Some(words) = compare::figures_words(session, desk) {
        quiet(ui, words);
        return;
    }
    // The progress beside it has said the step of the running picture.
    let says_step = !(is_live(session, document) && stands_in.is_some());
    let words = state_words(session, desk, document, says_step);
    ui.add(
        egui::Label::new(egui::RichText::new(words).small().color(theme::quiet(ui.visuals().dark_mode)))
            .truncate(),
    );
}

/// The state in words, such as "patch x̂₀ · step 7/20 · σ 4.10", with or without the step.
fn state_words(session: &Session, desk: &mut Desk, document: &Document, says_step: bool) -> String {
    let text = desk.text;
    let view = if has_view(document, desk.view) { desk.view } else { View::Picture };
    match view {
        View::Picture if document.picture().is_some() => {
            // An opened picture or a kept latent has no steps of which this could be the last.
            let is_drawn = document.request().is_some();
            if document.is_quick() {
                return text.quickly_decoded.to_owned();
            }
            return if is_drawn { text.final_picture } else { text.decoded }.to_owned();
        }
        View::Wipe => return format!("{} | {}", text.original, text.picture),
        View::Error => return error_words(desk, document),
        View::Inside => return inside::state_words(session, desk, document),
        View::Components if desk.channel.is_none() => {
            let shares = document.inspector().components.as_ref().map(|(components, _)| {
                components.explained.iter().map(|share| format!("{:.0} %", share * 100.0)).collect::<Vec<_>>()
            });
            return format!("{} · {}", text.components_short, shares.unwrap_or_default().join(" · "));
        }
        _ => {}
    }
    let method = method_name(desk.method(session, Some(document)), text);
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
