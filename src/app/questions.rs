//! The window's modal questions: a typed path where no file dialog could be shown, overwriting files, closing with
//! unsaved pictures, and restoring the results of a crashed session.

use std::path::PathBuf;

use super::dialogs::Purpose;
use super::recovery::Abandoned;
use super::saving::{Chooser, Replacing};
use crate::panels::{Text, field_tip, named, tip};

/// The open questions.
#[derive(Default)]
pub(super) struct Questions {
    /// A path being typed because no file dialog could be shown.
    pub(super) typed_path: Option<(Purpose, String)>,
    /// A write that would overwrite files.
    pub(super) replacing: Option<Replacing>,
    /// Unsaved results of windows that crashed or were killed.
    pub(super) abandoned: Vec<Abandoned>,
    closing: Closing,
}

/// The user's answer.
pub(super) enum Decision {
    /// This path was typed.
    Typed(Purpose, PathBuf),
    /// Choose another name than this one.
    OtherName(Purpose, String),
    /// Overwrite the files.
    Replace(Purpose, PathBuf),
    /// Restore the results of crashed windows.
    Restore(Vec<Abandoned>),
    /// Leave them on disk for the next start.
    RestoreLater,
    /// Delete them.
    Discard(Vec<Abandoned>),
    /// Save all unsaved documents, then close the window.
    SaveAll,
    /// Close the window and discard what is unsaved.
    Close,
}

/// What would be lost if the window closed now.
#[derive(Clone, Copy)]
pub(super) struct AtStake {
    /// Number of documents that are not saved.
    pub(super) unsaved: usize,
    /// Number of pictures that are still queued or running.
    pub(super) unfinished: u64,
    /// Whether a model is being downloaded: it pauses, and nothing is lost.
    pub(super) downloads: bool,
}

impl AtStake {
    /// Whether anything would be lost.
    pub(super) fn is_any(self) -> bool {
        self.unsaved > 0 || self.unfinished > 0
    }
}

/// State of closing the window while pictures are unsaved or unfinished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    /// No close was requested.
    #[default]
    No,
    /// The question is shown.
    Asked,
    /// All documents are being saved; the window closes afterwards.
    Saving,
    /// The window may close.
    Agreed,
}

impl Questions {
    /// Whether an open question receives the keyboard input instead of the panels.
    pub(super) fn captures_keys(&self) -> bool {
        self.typed_path.is_some()
            || self.replacing.is_some()
            || !self.abandoned.is_empty()
            || self.closing == Closing::Asked
    }

    /// Opens the question about unsaved pictures after a close request. Returns whether it was not open before.
    pub(super) fn ask_about_closing(&mut self) -> bool {
        let is_new = self.closing == Closing::No;
        if is_new {
            self.closing = Closing::Asked;
        }
        is_new
    }

    /// Whether the user agreed to close the window.
    pub(super) fn closing_is_agreed(&self) -> bool {
        self.closing == Closing::Agreed
    }

    /// "Save all" starts to write `count` documents.
    pub(super) fn save_begins(&mut self, count: usize) {
        if self.closing == Closing::Asked {
            self.closing = if count == 0 { Closing::Agreed } else { Closing::Saving };
        }
    }

    /// "Save all" ended. `all`: whether every document was written; if not, the window stays open. `more`: whether
    /// pictures were drawn meanwhile or still are, which asks again.
    pub(super) fn save_ended(&mut self, all: bool, more: bool) {
        if self.closing == Closing::Saving {
            self.closing = match (all, more) {
                (false, _) => Closing::No,
                (true, true) => Closing::Asked,
                (true, false) => Closing::Agreed,
            };
        }
    }
}

/// A centred_window dialog with a close button.
fn centred_window<'a>(title: &'static str, open: &'a mut bool) -> egui::Window<'a> {
    let middle = egui::Align2::CENTER_CENTER;
    egui::Window::new(title).collapsible(false).resizable(false).anchor(middle, egui::Vec2::ZERO).open(open)
}

/// A modal dialog, which blocks the rest of the window.
fn modal<T>(
    ctx: &egui::Context,
    name: &str,
    content: impl FnOnce(&mut egui::Ui) -> T,
) -> egui::ModalResponse<T> {
    let frame = egui::Frame::popup(&ctx.global_style()).inner_margin(egui::Margin::same(16));
    egui::Modal::new(egui::Id::unique(name)).frame(frame).show(ctx, |ui| {
        ui.set_max_width(400.0);
        content(ui)
    })
}

/// A row of buttons: their names, tooltips and keys. The first, which loses nothing, has the focus by default. Returns
/// the index of the clicked one.
fn answer_buttons(ui: &mut egui::Ui, buttons: [(&str, &str, &str); 3]) -> Option<usize> {
    ui.horizontal(|ui| {
        let buttons = buttons.map(|(words, what, keys)| tip(ui.button(words), what, keys));
        if ui.memory(|memory| memory.focused().is_none()) {
            buttons[0].request_focus();
        }
        buttons.iter().position(egui::Response::clicked)
    })
    .inner
}

impl Questions {
    /// Shows the topmost open question and returns the answer, if given in this frame.
    pub(super) fn ask(&mut self, ctx: &egui::Context, text: &Text, at_stake: AtStake) -> Option<Decision> {
        // The path prompt comes first, since another question may have opened it.
        if self.typed_path.is_some() {
            self.ask_for_path(ctx, text)
        } else if self.replacing.is_some() {
            self.ask_about_files(ctx, text)
        } else if self.closing == Closing::Asked {
            self.ask_about_documents(ctx, text, at_stake)
        } else if !self.abandoned.is_empty() {
            self.ask_about_abandoned(ctx, text)
        } else {
            None
        }
    }

    fn ask_for_path(&mut self, ctx: &egui::Context, text: &Text) -> Option<Decision> {
        let (purpose, mut path) = self.typed_path.take()?;
        let (mut done, mut open) = (false, true);
        let window = centred_window(text.path_title, &mut open);
        window.show(ctx, |ui| {
            let label = ui.label(text.path_question);
            let field =
                ui.add(egui::TextEdit::singleline(&mut path).desired_width(420.0)).labelled_by(label.id);
            named(&field, text.path_title);
            field_tip(&field, text.path_hint);
            let [enter, escape] =
                [egui::Key::Enter, egui::Key::Escape].map(|key| ui.input(|input| input.key_pressed(key)));
            if !escape && !field.has_focus() && !field.lost_focus() {
                field.request_focus();
            }
            let confirm = tip(ui.button(text.confirm), text.path_confirm_hint, "Enter");
            let confirmed = confirm.clicked() || (field.lost_focus() && enter);
            done = (confirmed && !path.trim().is_empty()) || escape;
            if escape {
                path.clear();
            }
        });
        if !done && open {
            self.typed_path = Some((purpose, path));
            return None;
        }
        (done && !path.is_empty()).then(|| Decision::Typed(purpose, PathBuf::from(path.trim())))
    }

    fn ask_about_files(&mut self, ctx: &egui::Context, text: &Text) -> Option<Decision> {
        let replacing = self.replacing.as_ref()?;
        let names: Vec<String> = replacing.replaced.iter().map(|path| path.display().to_string()).collect();
        let question = modal(ctx, "replacing", |ui| {
            ui.heading(text.exists);
            for name in names.iter().take(4) {
                ui.label(name);
            }
            if names.len() > 4 {
                ui.label("…");
            }
            ui.label(text.exists_hint);
            ui.add_space(8.0);
            let buttons = [
                (text.other_name, text.other_name_hint, "Enter"),
                (text.replace, text.replace_hint, ""),
                (text.cancel, text.cancel_hint, "Esc"),
            ];
            answer_buttons(ui, buttons)
        });
        let answer = question.inner.or(question.should_close().then_some(2))?;
        let Replacing { purpose, chosen, by, .. } = self.replacing.take()?;
        match (answer, by) {
            (0, Chooser::Typing) => {
                self.typed_path = Some((purpose, chosen.display().to_string()));
                None
            }
            (0, Chooser::Dialog) => {
                let name = chosen.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Some(Decision::OtherName(purpose, name))
            }
            (1, _) => Some(Decision::Replace(purpose, chosen)),
            _ => None,
        }
    }

    fn ask_about_abandoned(&mut self, ctx: &egui::Context, text: &Text) -> Option<Decision> {
        let count: usize = self.abandoned.iter().map(Abandoned::count).sum();
        let question = modal(ctx, "abandoned", |ui| {
            ui.heading(format!("{} {count}", text.abandoned));
            ui.label(text.abandoned_hint);
            ui.add_space(8.0);
            let buttons = [
                (text.abandoned_restore, text.restore_hint, "Enter"),
                (text.abandoned_later, text.later_hint, "Esc"),
                (text.abandoned_discard, text.discard_hint, ""),
            ];
            answer_buttons(ui, buttons)
        });
        let answer = question.inner.or(question.should_close().then_some(1))?;
        let abandoned = std::mem::take(&mut self.abandoned);
        Some(match answer {
            0 => Decision::Restore(abandoned),
            // Dropping them releases their locks, so that the next start finds them again.
            1 => Decision::RestoreLater,
            _ => Decision::Discard(abandoned),
        })
    }

    fn ask_about_documents(
        &mut self,
        ctx: &egui::Context,
        text: &Text,
        AtStake { unsaved, unfinished, downloads }: AtStake,
    ) -> Option<Decision> {
        let answer = modal(ctx, "closing", |ui| {
            for (words, count) in [(text.unsaved, unsaved as u64), (text.unfinished, unfinished)] {
                if count > 0 {
                    ui.heading(format!("{words} {count}"));
                }
            }
            ui.label(text.unsaved_hint);
            if downloads {
                ui.label(text.downloads_pause_hint);
            }
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let save = (unsaved > 0).then(|| tip(ui.button(text.save_all), text.save_all_hint, "Enter"));
                let discard = tip(ui.button(text.close_unsaved), text.close_unsaved_hint, "").clicked();
                let stay_keys = if unsaved > 0 { "Esc" } else { "Enter  Esc" };
                let stay = tip(ui.button(text.stay), text.stay_hint, stay_keys);
                if ui.memory(|memory| memory.focused().is_none()) {
                    save.as_ref().unwrap_or(&stay).request_focus();
                }
                [save.is_some_and(|save| save.clicked()), discard, stay.clicked()]
            })
            .inner
        });
        let [save, discard, stay] = answer.inner;
        if save {
            return Some(Decision::SaveAll);
        }
        if discard {
            self.closing = Closing::Agreed;
            return Some(Decision::Close);
        }
        if stay || answer.should_close() {
            self.closing = Closing::No;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::kittest::NodeT;

    use super::*;
    use crate::panels::Language;

    /// Shows a question in a window of its own and gives its controls' names and tooltips.
    fn controls_of(questions: Questions, language: Language) -> Vec<(String, String)> {
        let at_stake = AtStake { unsaved: 1, unfinished: 1, downloads: true };
        let text = Text::of(language);
        let ask = move |ui: &mut egui::Ui, (has_fonts, questions): &mut (bool, Questions)| {
            // Fonts are those of the next frame.
            if std::mem::replace(has_fonts, true) {
                questions.ask(ui.ctx(), text, at_stake);
            } else {
                crate::panels::theme::install(ui.ctx());
            }
        };
        let mut harness = egui_kittest::Harness::new_ui_state(ask, (false, questions));
        harness.run_ok();
        let roles = [egui::accesskit::Role::Button, egui::accesskit::Role::TextInput];
        let nodes = harness.root().children_recursive().collect::<Vec<_>>();
        let nodes = nodes.iter().map(NodeT::accesskit_node);
        nodes
            .filter(|node| roles.contains(&node.role()))
            .map(|node| (node.label().unwrap_or_default(), node.description().unwrap_or_default()))
            .collect()
    }

    /// The toolkit's own button of a window says in its name what it does.
    const CLOSE: &str = "Close window";

    #[test]
    fn every_control_of_a_question_has_a_tooltip_and_those_that_enter_and_escape_choose_their_key() {
        let export = || Purpose::Open;
        for language in [Language::English, Language::Korean] {
            let replacing = Replacing {
                purpose: export(),
                chosen: "/a.png".into(),
                replaced: vec!["/a.png".into()],
                by: Chooser::Typing,
            };
            for (name, questions, keys) in [
                ("closing", Questions { closing: Closing::Asked, ..Questions::default() }, 2),
                ("replacing", Questions { replacing: Some(replacing), ..Questions::default() }, 2),
                (
                    "path",
                    Questions { typed_path: Some((export(), "/a".to_owned())), ..Questions::default() },
                    1,
                ),
                ("abandoned", Questions { abandoned: vec![Abandoned::made_up()], ..Questions::default() }, 2),
            ] {
                let controls = controls_of(questions, language);
                let controls: Vec<_> = controls.iter().filter(|(label, _)| label != CLOSE).collect();
                assert!(controls.len() >= 2, "{name}: {controls:?}");
                for (label, what) in &controls {
                    assert!(!label.is_empty() && !what.is_empty(), "{name}: {label:?} {what:?}");
                }
                let said = |key: &str| controls.iter().filter(|(_, what)| what.contains(key)).count();
                assert_eq!(said("·  Enter") + said("·  Esc"), keys, "{name}: {controls:?}");
            }
        }
    }

    #[test]
    fn saving_all_closes_the_window_only_if_nothing_else_would_be_lost() {
        let asked = || Questions { closing: Closing::Asked, ..Questions::default() };
        for (all, more, then) in
            [(true, false, Closing::Agreed), (true, true, Closing::Asked), (false, false, Closing::No)]
        {
            let mut questions = asked();
            questions.save_begins(2);
            assert_eq!(questions.closing, Closing::Saving);
            questions.save_ended(all, more);
            assert_eq!(questions.closing, then);
        }
        let mut questions = Questions::default();
        questions.save_begins(2);
        questions.save_ended(true, false);
        assert_eq!(questions.closing, Closing::No, "no close was requested");
    }
}
