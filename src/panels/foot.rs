//! The foot of the recipe: progress, and the buttons that start and stop pictures, always in the same place.

use egui::{Button, Rect, RichText, Sense, Ui, Vec2};

use super::controls::{hint, named, tip};
use super::desk::Desk;
use super::words::title_words;
use super::{Text, theme};
use crate::engine::Stage;
use crate::session::{Action, DocumentId, Running, Session};

/// The foot's height, points.
pub(super) const HEIGHT: f32 = 84.0;
const BUTTON: f32 = 38.0;

pub(super) fn foot_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    ui.spacing_mut().item_spacing.y = 4.0;
    let words = match (session.running(), session.asked_while_loading()) {
        (Some(running), _) => progress_words(session, running, text),
        (None, 0) => String::new(),
        (None, 1) => text.draws_when_loaded.to_owned(),
        (None, count) => format!("{} ({count})", text.draws_when_loaded),
    };
    ui.horizontal(|ui| {
        ui.set_height(16.0);
        ui.add(egui::Label::new(RichText::new(words).small().color(theme::quiet(dark))).truncate());
    });
    let (bar, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 4.0), Sense::hover());
    let share = session.running().map_or(0.0, Running::progress);
    response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, text.progress);
        info.value = Some((f64::from(share) * 100.0).floor());
        info
    });
    ui.painter().rect_filled(bar, 2.0, theme::sunken(dark));
    let done = Rect::from_min_size(bar.min, Vec2::new(bar.width() * share, bar.height()));
    ui.painter().rect_filled(done, 2.0, theme::accent(dark));
    if session.running().is_none() {
        generate_ui(ui, session, text, ui.available_width(), text.generate, actions);
        return;
    }
    ui.horizontal(|ui| {
        let gap = ui.spacing().item_spacing.x;
        let third = ((ui.available_width() - 2.0 * gap) / 3.0).floor();
        let lamp = |words: &str| RichText::new(words).family(theme::strong()).color(theme::on_accent());
        let stop = Button::new(lamp(text.stop)).fill(theme::lamp(dark)).corner_radius(6);
        let size = [third, BUTTON];
        if tip(ui.add_sized(size, stop), text.stop_hint, "Esc").clicked() {
            actions.push(Action::Stop);
        }
        let mut finish = Button::new(text.finish).corner_radius(6);
        let rest = session.running().and_then(|running| Rest::of(session, running));
        if rest.as_ref().is_some_and(Rest::is_settled) {
            finish = finish.stroke(egui::Stroke::new(1.5, theme::accent(dark)));
        }
        let words = rest.map_or_else(|| text.finish_hint.to_owned(), |rest| rest.words(text));
        if tip(ui.add_sized(size, finish), &words, "").clicked() {
            actions.push(Action::FinishNow);
        }
        let waiting = session.waiting().len();
        let more = if waiting == 0 { "+1".to_owned() } else { format!("+1 ({waiting})") };
        let button = Button::new(more).corner_radius(6);
        let button = ui.add_enabled_ui(session.takes_jobs(), |ui| ui.add_sized(size, button)).inner;
        named(&button, text.generate_another);
        if tip(button, text.generate_another, "Ctrl+Enter").clicked() {
            actions.push(Action::Generate);
        }
    });
}

/// What finishing now saves.
struct Rest {
    steps: usize,
    secs: Option<f64>,
    /// How far the last step changed the estimate.
    change: Option<f32>,
}

/// A change from step to step that nobody sees.
const SETTLED: f32 = 0.01;

impl Rest {
    fn of(session: &Session, running: &Running) -> Option<Self> {
        let newest = running.newest.as_ref()?;
        let document = session.document(DocumentId::of_job(running.id))?;
        let change = document.steps().len().checked_sub(1).and_then(|last| document.change(last));
        Some(Self { steps: newest.steps - newest.step, secs: running.seconds_left(), change })
    }

    fn is_settled(&self) -> bool {
        self.steps > 0 && self.change.is_some_and(|change| change < SETTLED)
    }

    fn words(&self, text: &Text) -> String {
        let time = self.secs.map(|secs| format!(" · {}", duration(secs))).unwrap_or_default();
        let change = self.change.map(|change| format!("\n{} {:.1} %", text.last_change, change * 100.0));
        format!(
            "{}\n{}: {}{time}{}",
            text.finish_hint,
            text.saves_steps,
            self.steps,
            change.unwrap_or_default()
        )
    }
}

fn generate_ui(
    ui: &mut Ui,
    session: &Session,
    text: &Text,
    width: f32,
    words: &str,
    actions: &mut Vec<Action>,
) {
    let dark = ui.visuals().dark_mode;
    let label = RichText::new(words).family(theme::strong()).size(15.0).color(theme::on_accent());
    let button = Button::new(label).fill(theme::lamp(dark));
    let size = [width, BUTTON];
    let response = ui.add_enabled_ui(session.takes_jobs(), |ui| ui.add_sized(size, button)).inner;
    let response = response.on_hover_text(hint(text.generate_hint, "Ctrl+Enter"));
    if response.on_disabled_hover_text(text.no_model).clicked() {
        actions.push(Action::Generate);
    }
}

/// The progress in words, such as "2/4 · step 7/20 · 24 s · all 1:40".
pub(super) fn progress_words(session: &Session, running: &Running, text: &Text) -> String {
    let [at, of] = session.series();
    let stage = match &running.stage {
        // The engine has not begun it: it works for another document.
        None => match session.documents().find(|document| document.work().is_some()) {
            Some(other) => format!("{} {}", text.waits_for, title_words(&other.title(), text)),
            None => text.preparing.to_owned(),
        },
        Some(Stage::Loading { part, .. }) => format!("{} · {}", text.loading, text.part(part)),
        Some(Stage::EncodingPrompt) => text.encoding_prompt.to_owned(),
        Some(Stage::EncodingPicture) => text.encoding_picture.to_owned(),
        Some(Stage::Decoding) => text.decoding.to_owned(),
        Some(Stage::FittingPreview { done, total }) => format!("{} {done}/{total}", text.fitting),
        Some(Stage::Sampling) => match (&running.newest, running.seconds_left()) {
            (Some(step), Some(left)) => {
                format!("{} {}/{} · {}", text.step, step.step, step.steps, duration(left))
            }
            _ => text.sampling.to_owned(),
        },
    };
    let series = if of > 1 { format!("{at}/{of} · ") } else { String::new() };
    let all = match session.seconds_left_all() {
        Some(all) if of > 1 && !session.waiting().is_empty() => format!(" · {} {}", text.all, duration(all)),
        _ => String::new(),
    };
    format!("{series}{stage}{all}")
}

/// A duration as "24 s" or "1:40".
pub(super) fn duration(secs: f64) -> String {
    let secs = secs.round() as u64;
    if secs < 60 { format!("{secs} s") } else { format!("{}:{:02}", secs / 60, secs % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_said_as_people_do() {
        assert_eq!([2.4, 59.4, 59.6, 223.0].map(duration), ["2 s", "59 s", "1:00", "3:43"]);
    }
}
