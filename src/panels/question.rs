//! Questions that only the user can answer, in windows within the window.

use std::path::Path;

use egui::{RichText, Ui};

use super::controls::tip;
use super::desk::Desk;
use super::library::{amount_words, filled, size_words};
use super::theme;
use crate::latent::{LatentFormat, LatentSpace};
use crate::session::downloads::DownloadAction;
use crate::session::library::LibraryAction;
use crate::session::{Action, Question, Session};

pub(super) fn question_ui(ui: &Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let Some(question) = session.question() else { return };
    let text = desk.text;
    let quiet = theme::quiet(ui.visuals().dark_mode);
    let mut open = true;
    let (latent, name) = match question {
        Question::LatentKind { latent, name, .. } | Question::OtherModel { latent, name, .. } => {
            (latent, name)
        }
        Question::DeleteModel { path, name, bytes } => {
            delete_ui(ui, desk, path, &format!("{name} · {}", size_words(*bytes)), actions);
            return;
        }
        Question::CancelDownload { name, received } => {
            cancel_ui(ui, desk, name, *received, actions);
            return;
        }
        Question::StopAll { waiting } => {
            stop_ui(ui, desk, *waiting, actions);
            return;
        }
    };
    egui::Window::new(text.latent_question)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .open(&mut open)
        .show(ui.ctx(), |ui| {
            ui.set_width(400.0);
            ui.label(RichText::new(format!("{name} · {}", latent.shape())).color(quiet));
            match question {
                Question::LatentKind { .. } => kind_ui(ui, session, desk, latent.shape().channels, actions),
                Question::StopAll { .. } | Question::DeleteModel { .. } | Question::CancelDownload { .. } => {
                }
                Question::OtherModel { fitting, .. } => {
                    let found = fitting.as_deref();
                    let own = session.profile().map_or(0, |profile| profile.format.channels);
                    ui.label(format!("{} {} ≠ {own}", text.other_channels, latent.shape().channels));
                    for model in found.unwrap_or_default() {
                        let button = ui.button(desk.model_name(model));
                        if tip(button, text.fitting_model_hint, "").clicked() {
                            actions.push(Action::AnswerModel(model.clone()));
                        }
                    }
                    if found.is_some_and(<[_]>::is_empty) {
                        ui.label(RichText::new(text.no_fitting_model).color(quiet));
                    }
                    if tip(ui.button(text.open_model), text.other_model_hint, "").clicked() {
                        actions.push(Action::DropQuestion);
                        actions.push(Action::OpenModel);
                    }
                }
            }
        });
    if !open {
        actions.push(Action::DropQuestion);
    }
}

/// Whether to stop the running picture alone, or the waiting ones too.
fn stop_ui(ui: &Ui, desk: &Desk, waiting: u64, actions: &mut Vec<Action>) {
    let text = desk.text;
    let frame = egui::Frame::popup(ui.style()).inner_margin(egui::Margin::same(16));
    let answer = egui::Modal::new(egui::Id::unique("stop")).frame(frame).show(ui.ctx(), |ui| {
        ui.set_max_width(400.0);
        ui.heading(format!("{} {waiting}", text.stop_question));
        ui.label(text.stop_question_hint);
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let buttons = [
                (text.stop_this, text.stop_this_hint, "Enter"),
                (text.stop_all, text.stop_all_hint, ""),
                (text.go_on, text.go_on_hint, "Esc"),
            ]
            .map(|(words, what, keys)| tip(ui.button(words), what, keys));
            if ui.memory(|memory| memory.focused().is_none()) {
                buttons[0].request_focus();
            }
            buttons.iter().position(egui::Response::clicked)
        })
        .inner
    });
    match answer.inner.or(answer.should_close().then_some(2)) {
        Some(0) => actions.push(Action::StopRunning),
        Some(1) => actions.push(Action::StopAll),
        Some(_) => actions.push(Action::DropQuestion),
        None => {}
    }
}

/// Whether a download is given up.
fn cancel_ui(ui: &Ui, desk: &Desk, name: &str, received: u64, actions: &mut Vec<Action>) {
    let text = desk.text;
    let hint = filled(text.cancel_question_hint, &[&amount_words(received)]);
    let buttons =
        [(text.cancel_not, text.cancel_not_hint, "Esc"), (text.cancel_yes, text.cancel_download_hint, "")];
    match lossy_ui(ui, "cancel download", text.cancel_question, [name, &hint], buttons) {
        Some(0) => actions.push(Action::DropQuestion),
        Some(_) => actions.push(Action::Downloads(DownloadAction::Cancel(name.to_owned()))),
        None => {}
    }
}

/// Whether the files of a model go to the trash.
fn delete_ui(ui: &Ui, desk: &Desk, path: &Path, name: &str, actions: &mut Vec<Action>) {
    let text = desk.text;
    let buttons = [
        (text.delete_not, text.delete_not_hint, "Esc"),
        (text.delete_to_trash, text.delete_to_trash_hint, ""),
    ];
    let path_words = path.display().to_string();
    match lossy_ui(ui, "delete model", text.delete_question, [name, &path_words], buttons) {
        Some(0) => actions.push(Action::DropQuestion),
        Some(_) => actions.push(Action::Library(LibraryAction::Delete(path.to_owned()))),
        None => {}
    }
}

/// A question whose second answer loses something: the first has the focus. Returns the index of the answer.
fn lossy_ui(
    ui: &Ui,
    id: &str,
    question: &str,
    [what, detail]: [&str; 2],
    buttons: [(&str, &str, &str); 2],
) -> Option<usize> {
    let frame = egui::Frame::popup(ui.style()).inner_margin(egui::Margin::same(16));
    let answer = egui::Modal::new(egui::Id::unique(id)).frame(frame).show(ui.ctx(), |ui| {
        ui.set_max_width(400.0);
        ui.heading(question);
        ui.label(what);
        ui.label(RichText::new(detail).small().color(theme::quiet(ui.visuals().dark_mode)));
        ui.add_space(8.0);
        ui.horizontal(|ui| {
            let buttons = buttons.map(|(words, what, keys)| tip(ui.button(words), what, keys));
            if buttons.iter().all(|button| !button.has_focus()) {
                buttons[0].request_focus();
            }
            buttons.iter().position(egui::Response::clicked)
        })
        .inner
    });
    answer.inner.or(answer.should_close().then_some(0))
}

fn kind_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, channels: usize, actions: &mut Vec<Action>) {
    let text = desk.text;
    ui.label(text.space_question);
    let (space, family) = &mut desk.latent_kind;
    tip(ui.radio_value(space, LatentSpace::Vae, text.space_vae), text.space_vae_hint, "");
    tip(ui.radio_value(space, LatentSpace::Model, text.space_model), text.space_model_hint, "");
    let own = session.profile().map(|profile| (text.loaded_model, profile.format));
    let known = LatentFormat::KNOWN.into_iter().filter(|(_, format)| format.channels == channels);
    let formats: Vec<(&str, LatentFormat)> = own.into_iter().chain(known).collect();
    // Values in VAE space are not scaled: the family matters only for model space.
    ui.add_enabled_ui(*space == LatentSpace::Model, |ui| {
        ui.label(text.family_question);
        for (index, (name, format)) in formats.iter().enumerate() {
            let radio = ui.radio_value(family, index, format!("{name} (× {})", format.scale));
            tip(radio, text.family_hint, "");
        }
    });
    ui.add_space(6.0);
    if tip(ui.button(text.open_this), text.open_this_hint, "").clicked()
        && let Some((_, format)) = formats.get(*family).or(formats.first())
    {
        actions.push(Action::AnswerKind(*space, *format));
        *family = 0;
    }
}
