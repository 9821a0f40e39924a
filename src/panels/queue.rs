//! The button that begins it all, progress, the three stops, and what waits.

use egui::{RichText, Ui};

use super::{Desk, Text, theme};
use crate::engine::Stage;
use crate::session::{Action, Running, Session};

pub(super) fn generate_ui(ui: &mut Ui, session: &Session, look: &Desk, actions: &mut Vec<Action>) {
    let text = look.text;
    let dark = ui.visuals().dark_mode;
    ui.add_space(8.0);
    if let Some(running) = session.running() {
        let bar = egui::ProgressBar::new(running.progress()).desired_height(6.0).fill(theme::accent(dark));
        ui.add(bar);
        ui.label(RichText::new(progress_text(running, text)).small().color(theme::quiet(dark)));
        ui.horizontal(|ui| {
            if ui.button(text.stop).on_hover_text("Esc").clicked() {
                actions.push(Action::StopNow);
            }
            if ui.button(text.finish).clicked() {
                actions.push(Action::FinishNow);
            }
            if ui.add_enabled(!session.waiting().is_empty(), egui::Button::new(text.stop_after)).clicked() {
                actions.push(Action::StopAfter);
            }
        });
    }
    let words = match session.asked_while_loading() {
        0 => text.generate.to_owned(),
        1 => text.draws_when_loaded.to_owned(),
        count => format!("{} ({count})", text.draws_when_loaded),
    };
    let label = RichText::new(words).family(theme::strong()).size(15.0).color(theme::on_accent());
    let button = egui::Button::new(label).fill(theme::accent(dark)).min_size(egui::vec2(0.0, 38.0));
    let response = ui
        .vertical_centered_justified(|ui| ui.add_enabled(session.takes_jobs(), button))
        .inner
        .on_hover_text("Ctrl+Enter");
    if response.clicked() {
        actions.push(Action::Generate);
    }
}

fn progress_text(running: &Running, text: &Text) -> String {
    match &running.stage {
        None => text.preparing.to_owned(),
        Some(Stage::Loading { part, .. }) => format!("{} · {}", text.loading, text.part(part)),
        Some(Stage::EncodingPrompt) => text.encoding_prompt.to_owned(),
        Some(Stage::EncodingPicture) => text.encoding_picture.to_owned(),
        Some(Stage::Decoding) => text.decoding.to_owned(),
        Some(Stage::FittingPreview { done, total }) => format!("{} {done}/{total}", text.fitting),
        Some(Stage::Sampling) => match (&running.newest, running.step_secs, running.seconds_left()) {
            (Some(step), Some(secs), Some(left)) => {
                let left = duration(left);
                format!(
                    "{} {}/{} · {} · {left} {}",
                    text.step,
                    step.step,
                    step.steps,
                    pace(secs, text.step),
                    text.left
                )
            }
            _ => text.preparing.to_owned(),
        },
    }
}

/// How fast it goes: steps a second, or seconds a step.
fn pace(step_secs: f64, step: &str) -> String {
    if step_secs < 1.0 { format!("{:.1}/s", 1.0 / step_secs) } else { format!("{step_secs:.1} s/{step}") }
}

/// Seconds, or minutes and seconds.
fn duration(secs: f64) -> String {
    let secs = secs.round() as u64;
    if secs < 60 { format!("{secs} s") } else { format!("{}:{:02}", secs / 60, secs % 60) }
}

pub(super) fn queue_ui(ui: &mut Ui, session: &Session, look: &Desk, actions: &mut Vec<Action>) {
    if session.waiting().is_empty() {
        return;
    }
    let text = look.text;
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        ui.label(
            RichText::new(format!("{} ({})", text.queue, session.waiting().len())).family(theme::strong()),
        );
        if ui.small_button(text.remove).clicked() {
            actions.push(Action::StopAfter);
        }
    });
    for queued in session.waiting() {
        ui.horizontal(|ui| {
            if ui.small_button("↑").on_hover_text(text.earlier).clicked() {
                actions.push(Action::PromoteQueued(queued.id));
            }
            if ui.small_button("×").on_hover_text(text.remove).clicked() {
                actions.push(Action::RemoveQueued(queued.id));
            }
            let line = format!("{} · {}", queued.request.seed, queued.request.prompt);
            ui.add(egui::Label::new(RichText::new(line).small()).truncate());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_time_are_said_as_people_do() {
        assert_eq!([0.1, 10.64].map(|secs| pace(secs, "step")), ["10.0/s", "10.6 s/step"]);
        assert_eq!([2.4, 59.4, 59.6, 223.0].map(duration), ["2 s", "59 s", "1:00", "3:43"]);
    }
}
