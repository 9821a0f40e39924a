//! The list of downloads: how far each is, and what can be done with it.

use egui::{Label, Rect, RichText, Sense, Ui, Vec2};

use super::Desk;
use super::amounts::{amount_words, filled, time_words};
use super::catalogue::percent;
use super::gate::gate_ui;
use crate::panels::controls::{named, quiet, scroll_to_focus, tip};
use crate::panels::reasons::reason_words;
use crate::panels::theme;
use crate::reason::Reason;
use crate::session::downloads::{Asked, DownloadAction, DownloadGroup, GroupState};
use crate::session::{Action, Session};

pub(super) fn downloads_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let downloads = session.downloads();
    if downloads.is_empty() {
        ui.add_space(28.0);
        quiet(ui, desk.text.downloads_none);
        return;
    }
    egui::ScrollArea::vertical().id_salt("downloads").auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width() - 12.0);
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.add_space(6.0);
        // The field for a token stands once, at the first download that wants one.
        let mut has_gate = false;
        let mut waits_before = false;
        for group in downloads.groups() {
            group_ui(ui, desk, group, waits_before, &mut has_gate, actions);
            waits_before |= group.state.is_active();
        }
        for asked in downloads.asked() {
            asked_ui(ui, desk, asked, &mut has_gate, actions);
        }
        scroll_to_focus(ui);
    });
}

/// The name with the share at the right edge, over a bar.
fn head_ui(ui: &mut Ui, desk: &Desk, name: &str, share: Option<f32>, is_active: bool) {
    let dark = ui.visuals().dark_mode;
    ui.horizontal(|ui| {
        let share = share.map(percent).unwrap_or_default();
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            quiet(ui, share);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(name).family(theme::strong())).truncate())
                    .on_hover_text(name);
            });
        });
    });
    let (bar, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 4.0), Sense::hover());
    response.widget_info(|| {
        let said = filled(desk.text.download_progress, &[name]);
        let mut info = egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, said);
        info.value = share.map(|share| (f64::from(share) * 100.0).floor());
        info
    });
    ui.painter().rect_filled(bar, 2.0, theme::sunken(dark));
    let width = bar.width() * share.unwrap_or(0.0);
    let colour = if is_active { theme::accent(dark) } else { theme::outline(dark) };
    ui.painter().rect_filled(Rect::from_min_size(bar.min, Vec2::new(width, bar.height())), 2.0, colour);
}

fn group_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    group: &DownloadGroup,
    waits_before: bool,
    has_gate: &mut bool,
    actions: &mut Vec<Action>,
) {
    let text = desk.text;
    head_ui(ui, desk, &group.name, group.share(), group.state.is_active());
    let words = RichText::new(state_words(desk, group)).small();
    let words = words.color(theme::quiet(ui.visuals().dark_mode));
    ui.add(Label::new(words).wrap()).on_hover_text(group.files.join("\n"));
    for (file, why) in &group.failures {
        failure_ui(ui, desk, Some(file), why, has_gate, actions);
    }
    let mut act = |action: fn(String) -> DownloadAction| {
        actions.push(Action::Downloads(action(group.name.clone())));
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let button = |ui: &mut Ui, words: &str, hint: &str| {
            let button = ui.button(words);
            named(&button, format!("{words}: {}", group.name));
            tip(button, hint, "").clicked()
        };
        match group.state {
            GroupState::Failed => {
                if button(ui, text.try_again, text.retry_download_hint) {
                    act(DownloadAction::Resume);
                }
            }
            GroupState::Paused => {
                if button(ui, text.resume, text.resume_hint) {
                    act(DownloadAction::Resume);
                }
            }
            GroupState::Done => {}
            _ => {
                if button(ui, text.pause, text.pause_hint) {
                    act(DownloadAction::Pause);
                }
            }
        }
        if group.state == GroupState::Waiting && waits_before && button(ui, text.first, text.first_hint) {
            act(DownloadAction::First);
        }
        if button(ui, text.cancel, text.cancel_download_hint) {
            act(DownloadAction::AskCancel);
        }
    });
    ui.add_space(10.0);
}

/// How far a download is, in one line.
fn state_words(desk: &Desk, group: &DownloadGroup) -> String {
    let text = desk.text;
    let received = amount_words(group.received);
    let amount = match group.size {
        Some(size) => filled(text.downloaded_of, &[&received, &amount_words(size)]),
        None => received,
    };
    let state = match group.state {
        GroupState::Running if group.size == Some(group.received) => text.download_ends.to_owned(),
        GroupState::Running => {
            let speed = (group.bytes_per_sec >= 1.0)
                .then(|| format!("{}/s", amount_words(group.bytes_per_sec as u64)));
            let left = group
                .time_left()
                .map(|left| filled(text.time_left, &[&time_words(left.as_secs_f64(), desk.language)]));
            speed.into_iter().chain(left).collect::<Vec<_>>().join(" · ")
        }
        GroupState::Elsewhere => text.download_elsewhere.to_owned(),
        GroupState::Waiting => text.download_waits.to_owned(),
        GroupState::Failed => text.download_failed.to_owned(),
        GroupState::Paused => text.download_paused.to_owned(),
        GroupState::Done => text.is_here.to_owned(),
    };
    if state.is_empty() { amount } else { format!("{amount} · {state}") }
}

fn failure_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    file: Option<&str>,
    why: &Reason,
    has_gate: &mut bool,
    actions: &mut Vec<Action>,
) {
    let why_words = reason_words(why, desk.language);
    let words = match file {
        Some(file) if !why_words.contains(file) => format!("{file}: {why_words}"),
        _ => why_words,
    };
    ui.add(Label::new(RichText::new(words).color(theme::warning(ui.visuals().dark_mode))).wrap());
    if !*has_gate {
        *has_gate = why.kind().is_of_account();
        gate_ui(ui, desk, why, actions);
    }
}

/// A wish whose files are being asked for, or cannot be fetched.
fn asked_ui(ui: &mut Ui, desk: &mut Desk, asked: &Asked, has_gate: &mut bool, actions: &mut Vec<Action>) {
    let text = desk.text;
    let name = asked.wish.name();
    head_ui(ui, desk, &name, None, false);
    match &asked.failure {
        None => {
            ui.horizontal(|ui| {
                ui.add(egui::Spinner::new().size(14.0));
                quiet(ui, text.looking_up);
            });
        }
        Some(why) => failure_ui(ui, desk, None, why, has_gate, actions),
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        if asked.failure.is_some() {
            let button = ui.button(text.try_again);
            named(&button, format!("{}: {name}", text.try_again));
            if tip(button, text.retry_download_hint, "").clicked() {
                actions.push(Action::Downloads(DownloadAction::Resume(name.clone())));
            }
        }
        let button = ui.button(text.cancel);
        named(&button, format!("{}: {name}", text.cancel));
        if tip(button, text.cancel_download_hint, "").clicked() {
            actions.push(Action::Downloads(DownloadAction::Cancel(name.clone())));
        }
    });
    ui.add_space(10.0);
}
