//! The page for saving the development of a run: what kind of file, what it shows, and how fast.

use egui::{Button, DragValue, ProgressBar, Ui, Vec2};

use super::Text;
use super::controls::{named, tip};
use super::desk::{Desk, Overlay, PreviewMethod};
use super::page_rows::{note, radios, row};
use crate::latent::LatentFormat;
use crate::reel::{Easing, Pace, PreviewProjection, ReelKind, ReelOptions, ReelSize, Shown};
use crate::session::{Action, Document, ReelAction, ReelOf, ReelOrder, Session};

/// Width of the page, points.
const WIDTH: f32 = 600.0;
/// Width of a figure, points.
const FIGURE: f32 = 76.0;

/// Opens the page.
pub(super) fn open(desk: &mut Desk, of: ReelOf) {
    desk.reel.of = Some(of);
    desk.overlay = Some(Overlay::Reel);
}

/// Opens the page for the document on the easel, if it has steps.
pub(super) fn open_shown(session: &Session, desk: &mut Desk) {
    let shown = session.on_easel().map(Document::id);
    if let Some(id) = shown.filter(|id| session.has_reel(*id)) {
        open(desk, ReelOf::Document(id));
    }
}

/// The page is not shown.
pub(super) fn close(desk: &mut Desk) {
    desk.reel.is_open = false;
}

pub(super) fn reel_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let room = ui.ctx().content_rect().size() - Vec2::new(80.0, 150.0);
    ui.set_width(WIDTH.min(room.x));
    let is_making = session.reel_progress().is_some();
    egui::ScrollArea::vertical().max_height(room.y).min_scrolled_height(room.y.min(440.0)).show(ui, |ui| {
        // The scroll bar does not cover the controls.
        ui.set_width(ui.available_width() - 12.0);
        ui.add_enabled_ui(!is_making, |ui| options_ui(ui, session, desk));
    });
    ui.separator();
    match session.reel_progress() {
        Some(frames) => making_ui(ui, session, desk, frames, actions),
        None => save_ui(ui, session, desk, actions),
    }
    desk.reel.is_open = !ui.is_sizing_pass();
}

fn options_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let text = desk.text;
    let has_ffmpeg = desk.surroundings.has_ffmpeg;
    row(ui, text.reel_kind, |ui| {
        let kind = &mut desk.reel_options.kind;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            for (choice, words, hint) in kinds(text) {
                let able = choice != ReelKind::Mp4 || has_ffmpeg;
                let radio = ui.add_enabled(able, egui::RadioButton::new(*kind == choice, words));
                named(&radio, format!("{}: {words}", text.reel_kind));
                if tip(radio, if able { hint } else { text.reel_no_ffmpeg }, "").clicked() {
                    *kind = choice;
                }
            }
        });
        let hint = kinds(text).into_iter().find(|(choice, ..)| choice == kind).map_or("", |(.., hint)| hint);
        note(ui, hint);
        if !has_ffmpeg {
            note(ui, text.reel_no_ffmpeg);
        }
    });
    shown_ui(ui, session, desk);
    if desk.reel_options.kind == ReelKind::Sheet {
        return;
    }
    let options = &mut desk.reel_options;
    row(ui, text.reel_easing, |ui| {
        let all = [
            (Easing::Smooth, text.reel_smooth),
            (Easing::Linear, text.reel_linear),
            (Easing::None, text.reel_cut),
        ];
        radios(ui, text.reel_easing, text.reel_easing_hint, &mut options.easing, &all);
    });
    row(ui, text.reel_pace, |ui| {
        let all = [(Pace::Change, text.reel_by_change), (Pace::Even, text.reel_even)];
        radios(ui, text.reel_pace, text.reel_pace_hint, &mut options.pace, &all);
    });
    row(ui, text.reel_time, |ui| {
        ui.horizontal_wrapped(|ui| {
            let seconds = DragValue::new(&mut options.seconds).range(ReelOptions::SECONDS).speed(0.05);
            figure(ui, seconds.max_decimals(1).suffix(" s"), text.reel_seconds, text.reel_seconds_hint);
            ui.label(text.reel_hold);
            let hold = DragValue::new(&mut options.hold).range(ReelOptions::HOLD).speed(0.05);
            figure(ui, hold.max_decimals(1).suffix(" s"), text.reel_hold, text.reel_hold_hint);
            if options.easing != Easing::None || options.kind == ReelKind::Mp4 {
                let rate =
                    DragValue::new(&mut options.frames_per_second).range(ReelOptions::FRAMES_PER_SECOND);
                let rate = rate.speed(0.2).suffix(text.reel_per_second);
                figure(ui, rate, text.reel_rate, text.reel_rate_hint);
            }
        });
    });
    row(ui, text.size, |ui| {
        let all = [
            (ReelSize::Automatic, text.automatic),
            (ReelSize::Edge(256), "256"),
            (ReelSize::Edge(512), "512"),
            (ReelSize::Edge(1024), "1024"),
            (ReelSize::Scale(1.0), text.reel_full_size),
        ];
        radios(ui, text.size, text.reel_size_hint, &mut options.size, &all);
    });
    if !matches!(options.kind, ReelKind::Mp4 | ReelKind::Frames) {
        row(ui, text.reel_plays, |ui| {
            radios(
                ui,
                text.reel_plays,
                text.reel_plays_hint,
                &mut options.plays,
                &[(0, text.reel_forever), (1, text.reel_once)],
            );
        });
    }
}

/// What is seen of a step, and by which preview.
fn shown_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let text = desk.text;
    let can_decode = desk.reel.of.as_ref().is_some_and(|of| session.can_decode_reel(of));
    if !can_decode && desk.reel_options.shown == Shown::Decoded {
        desk.reel_options.shown = Shown::Estimate;
    }
    let shown = &mut desk.reel_options.shown;
    row(ui, text.reel_shown, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            for (choice, words, hint) in [
                (Shown::Estimate, text.reel_estimate, text.denoised),
                (Shown::Noisy, text.reel_noisy, text.noisy),
                (Shown::Decoded, text.reel_decoded, text.reel_decoded_hint),
            ] {
                let able = choice != Shown::Decoded || can_decode;
                let radio = ui.add_enabled(able, egui::RadioButton::new(*shown == choice, words));
                named(&radio, format!("{}: {words}", text.reel_shown));
                if tip(radio, if able { hint } else { text.reel_other_model }, "").clicked() {
                    *shown = choice;
                }
            }
        });
        if *shown == Shown::Decoded {
            note(ui, text.reel_decoded_hint);
        }
    });
    let has_patch = desk.fit(session).is_some_and(crate::projection::PreviewFit::patch_is_better);
    if has_patch && desk.reel_options.shown != Shown::Decoded {
        row(ui, text.previews, |ui| {
            let all = [(true, text.previews_fine), (false, text.previews_linear)];
            let before = desk.previews >= PreviewMethod::Patch;
            let mut patch = before;
            radios(ui, text.previews, text.previews_hint, &mut patch, &all);
            if patch != before {
                desk.previews = if patch { PreviewMethod::Patch } else { PreviewMethod::Linear };
            }
        });
    }
}

fn figure(ui: &mut Ui, value: DragValue<'_>, name: &str, hint: &str) {
    let field = ui.add_sized([FIGURE, ui.spacing().interact_size.y], value);
    named(&field, name);
    tip(field, hint, "");
}

/// The kinds with their names, and what each is good for.
fn kinds(text: &Text) -> [(ReelKind, &'static str, &'static str); 6] {
    [
        (ReelKind::Webp, "WebP", text.reel_webp_hint),
        (ReelKind::Gif, "GIF", text.reel_gif_hint),
        (ReelKind::Apng, "PNG", text.reel_png_hint),
        (ReelKind::Mp4, "MP4", text.reel_mp4_hint),
        (ReelKind::Frames, text.reel_frames, text.reel_frames_hint),
        (ReelKind::Sheet, text.reel_sheet, text.reel_sheet_hint),
    ]
}

/// How far it is, and the button that stops it.
fn making_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    [done, all]: [usize; 2],
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    ui.horizontal(|ui| {
        let doing = if session.decodes_for_reel() { text.reel_decoding } else { text.reel_frames_made };
        let share = done as f32 / all.max(1) as f32;
        let bar = ProgressBar::new(share).text(format!("{doing} {done}/{all}"));
        ui.add(bar.desired_width(ui.available_width() - 110.0));
        if tip(ui.button(text.stop), text.reel_stop_hint, "").clicked() {
            actions.push(Action::Reel(ReelAction::Stop));
        }
    });
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
}

fn save_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let source = desk.reel.of.clone().and_then(|of| Source::of(session, of));
    ui.horizontal(|ui| {
        let save = ui.add_enabled(source.is_some(), Button::new(text.reel_save));
        // The keys begin at what most people want: the options are remembered.
        if !desk.reel.is_open && !ui.is_sizing_pass() {
            save.request_focus();
        }
        if let Some(source) = &source {
            ui.add(egui::Label::new(summary(&desk.reel_options, source, text)).truncate());
        }
        if tip(save, text.reel_save_hint, "Enter").clicked()
            && let Some(Source { of, format, .. }) = source
        {
            let order =
                ReelOrder { of, options: desk.reel_options, projection: projection(session, desk, format) };
            actions.push(Action::Reel(ReelAction::Save(Box::new(order))));
        }
    });
}

/// What is known of a run before it is read.
struct Source {
    of: ReelOf,
    format: Option<LatentFormat>,
    steps: usize,
    size: [usize; 2],
}

impl Source {
    fn of(session: &Session, of: ReelOf) -> Option<Self> {
        match &of {
            ReelOf::Document(id) => {
                let document = session.document(*id).filter(|_| session.has_reel(*id))?;
                let (format, steps) = (document.format()?, document.steps());
                let (width, height) = format.image_size_px(steps.first()?.denoised.shape());
                Some(Self { of, format: Some(format), steps: steps.len(), size: [width, height] })
            }
            ReelOf::Run(run) => {
                let summary = session.history().runs().iter().find(|summary| summary.id == *run)?;
                let size = summary.size.map(|size| [size.width, size.height])?;
                let steps = summary.steps_kept;
                (steps > 0).then_some(Self { of, format: None, steps, size })
            }
        }
    }
}

/// The preview as the window shows it.
fn projection(session: &Session, desk: &Desk, format: Option<LatentFormat>) -> PreviewProjection {
    let fit = desk.fit(session);
    let fits = |channels: usize| format.is_none_or(|format| format.channels == channels);
    match fit.filter(|fit| fits(fit.linear.channels())) {
        Some(fit) => fit.projection(desk.previews >= PreviewMethod::Patch),
        None => PreviewProjection::for_format(&format.unwrap_or(LatentFormat::STABLE_DIFFUSION)),
    }
}

/// What it will be, such as "512×512 · 20 steps · 5.5 s".
fn summary(options: &ReelOptions, source: &Source, text: &Text) -> String {
    let [width, height] = options.size.of(source.size, options.kind);
    let steps = format!("{} {}", text.steps, source.steps);
    if options.kind == ReelKind::Sheet {
        return steps;
    }
    format!("{width}×{height} · {steps} · {:.1} s", options.seconds + options.hold)
}
