//! Messages at the easel's lower edge: those of success leave by themselves, errors stay until they are closed.

use egui::{Align2, Rect, RichText, Ui, Vec2};

use super::controls::{Icon, icon_button, tip};
use super::desk::{Desk, Overlay};
use super::library::{amount_words, filled};
use super::theme;
use super::words::message_words;
use crate::engine::{Advice, Failure};
use crate::session::downloads::DownloadAction;
use crate::session::history::HistoryAction;
use crate::session::library::LibraryAction;
use crate::session::{Action, Message, Notice, Reuse, Session, Severity};

/// Most messages shown at once; older ones wait.
const MOST: usize = 3;
/// How long a message of success stays, seconds, and how long one with a choice.
const STAYS: f64 = 4.0;
const STAYS_WITH_CHOICE: f64 = 10.0;
const WIDEST: f32 = 560.0;

pub(super) fn toasts_ui(ui: &Ui, session: &Session, desk: &mut Desk, easel: Rect, actions: &mut Vec<Action>) {
    let now = ui.input(|input| input.time);
    desk.seen.retain(|id, _| session.notices().iter().any(|notice| notice.id == *id));
    let mut shown: Vec<&Notice> = Vec::new();
    for notice in session.notices() {
        let since = *desk.seen.entry(notice.id).or_insert(now);
        let can_take_back = session.can_take_back(notice.id);
        let stays = match &notice.message {
            message if message.severity() == Severity::Error => f64::INFINITY,
            Message::HoldsSettings(_) => STAYS_WITH_CHOICE,
            // Who waited for it may be away.
            Message::Interrupted(_) | Message::Downloaded(_, Some(_)) => f64::INFINITY,
            _ if can_take_back => STAYS_WITH_CHOICE,
            // Two lines take longer to read.
            message if !message_words(message, desk.language)[1].is_empty() => 2.0 * STAYS,
            _ => STAYS,
        };
        if now - since < stays {
            shown.push(notice);
            if stays.is_finite() {
                let left = (stays - (now - since)).max(0.05);
                ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left));
            }
        } else if !can_take_back {
            actions.push(Action::Dismiss(notice.id));
        }
    }
    if shown.is_empty() {
        return;
    }
    let width = (easel.width() - 32.0).min(WIDEST);
    egui::Area::new(egui::Id::unique("toasts"))
        .order(egui::Order::Foreground)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(easel.center_bottom() - Vec2::new(0.0, 12.0))
        .constrain_to(easel)
        .show(ui.ctx(), |ui| {
            ui.set_max_width(width);
            ui.spacing_mut().item_spacing.y = 6.0;
            let errors: Vec<u64> = shown
                .iter()
                .filter(|notice| notice.message.severity() == Severity::Error)
                .map(|notice| notice.id)
                .collect();
            if errors.len() > 1 {
                ui.horizontal(|ui| {
                    ui.spacing_mut().button_padding.y = 2.0;
                    ui.spacing_mut().interact_size.y = 24.0;
                    let button = ui.button(format!("{} ({})", desk.text.dismiss_all, errors.len()));
                    if tip(button, desk.text.dismiss_all_hint, "").clicked() {
                        actions.extend(errors.into_iter().map(Action::Dismiss));
                    }
                    if tip(ui.button(desk.text.messages), desk.text.messages_hint, "M").clicked() {
                        desk.overlay = Some(Overlay::Messages);
                    }
                });
            }
            let first = shown.len().saturating_sub(MOST);
            for notice in &shown[first..] {
                toast_ui(ui, session, desk, notice, width, actions);
            }
        });
}

fn toast_ui(
    ui: &mut Ui,
    session: &Session,
    desk: &Desk,
    notice: &Notice,
    width: f32,
    actions: &mut Vec<Action>,
) {
    let (text, dark) = (desk.text, ui.visuals().dark_mode);
    let [what, why] = message_words(&notice.message, desk.language);
    let is_error = notice.message.severity() == Severity::Error;
    let frame = egui::Frame::window(ui.style()).inner_margin(egui::Margin::symmetric(10, 6));
    frame.show(ui, |ui| {
        ui.set_width(width - 24.0);
        ui.horizontal_top(|ui| {
            let (sign, _) = ui.allocate_exact_size(Vec2::new(16.0, 24.0), egui::Sense::hover());
            let sign = Rect::from_center_size(sign.center(), Vec2::splat(14.0));
            let (icon, colour) = if is_error {
                (Icon::Warning, theme::warning(dark))
            } else {
                (Icon::Check, theme::quiet(dark))
            };
            icon.paint(ui.painter(), sign, colour);
            let choices = choices(session, desk, notice);
            let button: f32 = choices
                .iter()
                .map(|(words, ..)| {
                    let words = egui::WidgetText::from(*words);
                    let words = words.into_galley(ui, None, f32::INFINITY, egui::TextStyle::Button);
                    words.size().x + 2.0 * ui.spacing().button_padding.x + ui.spacing().item_spacing.x
                })
                .sum();
            let room = 34.0 + button;
            let wide = (ui.available_width() - room).max(80.0);
            let what = RichText::new(what).family(theme::strong());
            let reason = RichText::new(&why).color(theme::quiet(dark));
            if is_error {
                // The reason of an error is shown whole: it says what to try.
                ui.allocate_ui_with_layout(
                    Vec2::new(wide, 24.0),
                    egui::Layout::top_down(egui::Align::Min),
                    |ui| {
                        ui.set_width(wide);
                        ui.spacing_mut().item_spacing.y = 2.0;
                        ui.add_space(2.0);
                        ui.label(what);
                        if !why.is_empty() {
                            ui.label(reason);
                        }
                    },
                );
            } else {
                ui.allocate_ui_with_layout(
                    Vec2::new(wide, 24.0),
                    egui::Layout::left_to_right(egui::Align::Center),
                    |ui| {
                        ui.set_width(wide);
                        ui.label(what);
                        if !why.is_empty() {
                            ui.add(egui::Label::new(reason).truncate()).on_hover_text(&why);
                        }
                    },
                );
            }
            for (words, why, action) in choices {
                if tip(ui.button(words), &why, "").clicked() {
                    actions.push(action);
                    actions.push(Action::Dismiss(notice.id));
                }
            }
            if icon_button(ui, Icon::Cross, None, 24.0, text.dismiss, "").clicked() {
                actions.push(Action::Dismiss(notice.id));
            }
        });
    });
}

/// The buttons of a message: their names, tooltips and what they do.
fn choices(session: &Session, desk: &Desk, notice: &Notice) -> Vec<(&'static str, String, Action)> {
    let text = desk.text;
    match &notice.message {
        _ if session.can_take_back(notice.id) => {
            vec![(text.undo, text.take_back_hint.to_owned(), Action::TakeBack(notice.id))]
        }
        Message::HoldsSettings(document) => {
            vec![(text.restore, text.reuse_hint.to_owned(), Action::Reuse(*document, Reuse::All))]
        }
        Message::Interrupted(_) => {
            let go_on = Action::History(HistoryAction::GoOnWithInterrupted);
            vec![(text.go_on, text.go_on_with_hint.to_owned(), go_on)]
        }
        Message::Saved(path) => {
            vec![(text.show_in_folder, path.display().to_string(), Action::ShowInFolder(path.clone()))]
        }
        Message::Downloaded(_, Some(path)) => {
            let open = Action::Library(LibraryAction::Open(path.clone()));
            vec![(text.open_it, text.open_it_hint.to_owned(), open)]
        }
        Message::Failed(Failure { advice: Some(Advice::NamePart(role)), .. })
            if session.lacking_part() == Some(*role) =>
        {
            let mut choices = vec![(text.choose_part, text.choose_part_hint.to_owned(), Action::ChoosePart)];
            let memory = desk.surroundings.total_memory;
            if let Some((model, file)) = session.known_lacking_part(*role, memory) {
                let size = amount_words(file.bytes());
                let hint = filled(text.get_part_hint, &[file.path.file_name(), &size]);
                let file = file.id.clone();
                choices.push((
                    text.get_part,
                    hint,
                    Action::Downloads(DownloadAction::GetPart { model, file }),
                ));
            }
            choices
        }
        _ => Vec::new(),
    }
}
