//! The window's modal questions: a typed path where no file dialog could be shown, overwriting files, closing with
//! unsaved pictures, and restoring the results of a crashed session.

use std::path::PathBuf;

use super::dialogs::Purpose;
use super::recovery::Abandoned;
use super::saving::{Chooser, Replacing};
use crate::panels::Text;

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

/// A row of buttons. The first, which loses nothing, has the focus by default. Returns the index of the clicked one.
fn answer_buttons(ui: &mut egui::Ui, words: [&str; 3]) -> Option<usize> {
    ui.horizontal(|ui| {
        let buttons = words.map(|words| ui.button(words));
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
            let [enter, escape] =
                [egui::Key::Enter, egui::Key::Escape].map(|key| ui.input(|input| input.key_pressed(key)));
            if !escape && !field.has_focus() && !field.lost_focus() {
                field.request_focus();
            }
            let confirmed = ui.button(text.confirm).clicked() || (field.lost_focus() && enter);
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
            answer_buttons(ui, [text.other_name, text.replace, text.cancel])
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
            answer_buttons(ui, [text.abandoned_restore, text.abandoned_later, text.abandoned_discard])
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
        AtStake { unsaved, unfinished }: AtStake,
    ) -> Option<Decision> {
        let answer = modal(ctx, "closing", |ui| {
            for (words, count) in [(text.unsaved, unsaved as u64), (text.unfinished, unfinished)] {
                if count > 0 {
                    ui.heading(format!("{words} {count}"));
                }
            }
            ui.label(text.unsaved_hint);
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let save = (unsaved > 0).then(|| ui.button(text.save_all));
                let discard = ui.button(text.close_unsaved).clicked();
                let stay = ui.button(text.stay);
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
    use super::*;

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
