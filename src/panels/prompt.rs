//! Model, prompt and negative prompt.

use egui::text::LayoutJob;
use egui::{RichText, TextFormat, Ui};

use super::{Desk, named, theme};
use crate::catalog::ModelSource;
use crate::request::GenerationDraft;
use crate::session::{Action, ModelState, Session, builtin_vocabulary};

pub(super) fn prompt_ui(ui: &mut Ui, session: &Session, look: &mut Desk, actions: &mut Vec<Action>) {
    model_ui(ui, session, look, actions);
    ui.add_space(6.0);
    let text = look.text;
    let mut draft = session.draft().clone();
    let label = ui
        .horizontal(|ui| {
            let label = ui.label(RichText::new(text.prompt).family(theme::strong()));
            if session.is_builtin() && !builtin_vocabulary().grammar.templates.is_empty() {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if ui.small_button(text.dice).clicked() {
                        actions.push(Action::RandomPrompt);
                    }
                });
            }
            label
        })
        .inner;
    let marks_words = session.is_builtin();
    let dark = ui.visuals().dark_mode;
    let mut layouter = |ui: &Ui, text: &dyn egui::TextBuffer, width: f32| {
        let job = marked_words(text.as_str(), width, marks_words, dark, ui.visuals().text_color());
        ui.fonts_mut(|fonts| fonts.layout_job(job))
    };
    let response = ui
        .add(
            egui::TextEdit::multiline(&mut draft.prompt)
                .id_salt("prompt")
                .hint_text(text.prompt_hint)
                .desired_rows(4)
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(10, 8))
                .layouter(&mut layouter),
        )
        .labelled_by(label.id);
    if look.focus_prompt {
        look.focus_prompt = false;
        response.request_focus();
    }
    if session.is_builtin() && response.has_focus() {
        completions_ui(ui, &mut draft);
    }
    ui.collapsing(text.negative_prompt, |ui| {
        let response = ui.add(
            egui::TextEdit::multiline(&mut draft.negative_prompt)
                .id_salt("negative prompt")
                .hint_text(text.negative_hint)
                .desired_rows(2)
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(10, 8)),
        );
        named(&response, text.negative_prompt);
    });
    if draft != *session.draft() {
        actions.push(Action::Edit(Box::new(draft)));
    }
}

/// Words that could end what is being typed, one click away.
fn completions_ui(ui: &mut Ui, draft: &mut GenerationDraft) {
    let start = draft.prompt.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
    if start.len() < 2 {
        return;
    }
    let words = builtin_vocabulary().completions(&start, 5);
    if words.is_empty() || words == [start.as_str()] {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().button_padding = egui::vec2(6.0, 2.0);
        for word in words {
            if ui.small_button(word).clicked() {
                draft.prompt.truncate(draft.prompt.len() - start.len());
                draft.prompt.push_str(word);
                draft.prompt.push(' ');
            }
        }
    });
}

/// The prompt with a quiet line under words the built-in model does not know.
fn marked_words(text: &str, width: f32, marks: bool, dark: bool, ink: egui::Color32) -> LayoutJob {
    let mut job = LayoutJob::default();
    job.wrap.max_width = width;
    let plain = TextFormat { font_id: egui::FontId::proportional(14.0), color: ink, ..TextFormat::default() };
    let marked = TextFormat { underline: egui::Stroke::new(1.5, theme::unknown_word(dark)), ..plain.clone() };
    let vocabulary = builtin_vocabulary();
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = rest.starts_with(char::is_alphabetic);
        let end = rest.find(|c: char| c.is_alphabetic() != is_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        // The last word is still being typed.
        let unknown =
            marks && is_word && !after.is_empty() && !vocabulary.words.is_empty() && !vocabulary.knows(part);
        job.append(part, 0.0, if unknown { marked.clone() } else { plain.clone() });
        rest = after;
    }
    job
}

fn model_ui(ui: &mut Ui, session: &Session, look: &Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    let name = |model: &ModelSource| look.model_name(model);
    let label = ui.label(RichText::new(text.model).family(theme::strong()));
    egui::ComboBox::from_id_salt("model")
        .width(ui.available_width())
        .selected_text(name(&session.draft().model))
        .show_ui(ui, |ui| {
            let folders = session.recent_models().iter().cloned().map(ModelSource::Folder);
            for model in std::iter::once(ModelSource::Builtin).chain(folders) {
                let chosen = model == session.draft().model;
                if ui.selectable_label(chosen, name(&model)).clicked() && !chosen {
                    actions.push(Action::SetModel(model));
                }
            }
            ui.separator();
            if ui.selectable_label(false, text.open_model).clicked() {
                actions.push(Action::OpenModel);
            }
        })
        .response
        .labelled_by(label.id);
    let dark = ui.visuals().dark_mode;
    match session.model_state() {
        ModelState::Loading(part, done, total) => {
            let share = *done as f32 / (*total).max(1) as f32;
            let bar = egui::ProgressBar::new(share).desired_height(4.0).fill(theme::accent(dark));
            ui.add(bar);
            ui.label(
                RichText::new(format!("{} · {}", text.loading, text.part(part)))
                    .small()
                    .color(theme::quiet(dark)),
            );
        }
        ModelState::Ready { device, .. } => {
            let detail = session.profile().map(|profile| {
                let shape =
                    profile.format.latent_shape(profile.defaults.size.width, profile.defaults.size.height);
                let ratio = profile.format.compression(shape).ratio();
                format!("{} · {device} · {ratio:.0}×", profile.family)
            });
            ui.label(RichText::new(detail.unwrap_or_default()).small().color(theme::quiet(dark)));
        }
        ModelState::Failed(_) => {
            ui.horizontal(|ui| {
                let words = if session.is_held_back() { text.held_back } else { text.load_failed };
                ui.label(RichText::new(words).small().color(theme::accent(dark)));
                if ui.small_button(text.try_again).clicked() {
                    actions.push(Action::SetModel(session.draft().model.clone()));
                }
            });
        }
    }
}
