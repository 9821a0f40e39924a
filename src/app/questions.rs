//! What the window asks: a path where no dialog could be shown, whether a file is replaced, whether pictures are kept, and what becomes of those of an earlier session.

use std::path::PathBuf;

use super::background::Finished;
use super::dialogs::Purpose;
use super::recovery::{Abandoned, Recovery, read_all};
use super::saving::Chooser;
use super::window::Window;

/// Questions that are open.
#[derive(Default)]
pub(super) struct Questions {
    /// A path that is typed because no dialog could be shown.
    pub(super) typed_path: Option<(Purpose, String)>,
    /// Files that a choice would replace.
    pub(super) replacing: Option<Replacing>,
    /// Unsaved results of windows that ended without a word.
    pub(super) abandoned: Vec<Abandoned>,
    closing: Closing,
}

/// A choice that would replace files nobody asked about.
pub(super) struct Replacing {
    pub(super) purpose: Purpose,
    pub(super) chosen: PathBuf,
    /// The files.
    pub(super) replaced: Vec<PathBuf>,
    pub(super) by: Chooser,
}

/// How far the closing of the window with unsaved or unfinished pictures is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    /// Nobody closes it.
    #[default]
    No,
    /// The person is asked.
    Asked,
    /// All are being saved, and the window closes then.
    Saving,
    /// It may close.
    Agreed,
}

impl Questions {
    /// Whether keys belong to a question and not to the window.
    pub(super) fn take_keys(&self) -> bool {
        self.typed_path.is_some()
            || self.replacing.is_some()
            || !self.abandoned.is_empty()
            || self.closing == Closing::Asked
    }

    /// Whether the person agreed to close the window, whatever was lost by that.
    pub(super) fn closing_is_agreed(&self) -> bool {
        self.closing == Closing::Agreed
    }

    /// Pictures are being written, this many.
    pub(super) fn save_begins(&mut self, count: usize) {
        if self.closing == Closing::Asked {
            self.closing = if count == 0 { Closing::Agreed } else { Closing::Saving };
        }
    }

    /// They were written, or not all of them: then the window stays. What was drawn meanwhile or still is
    /// (`more`) is asked about anew.
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

/// A question in the middle of the window, with a cross to take it back.
fn centred<'a>(title: &'static str, open: &'a mut bool) -> egui::Window<'a> {
    let middle = egui::Align2::CENTER_CENTER;
    egui::Window::new(title).collapsible(false).resizable(false).anchor(middle, egui::Vec2::ZERO).open(open)
}

/// A question over everything, which takes the keys.
fn asked<T>(
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

/// Buttons of which the first, which loses nothing, has the focus; gives the place of the one that was chosen.
fn answers(ui: &mut egui::Ui, words: [&str; 3]) -> Option<usize> {
    ui.horizontal(|ui| {
        let buttons = words.map(|words| ui.button(words));
        if ui.memory(|memory| memory.focused().is_none()) {
            buttons[0].request_focus();
        }
        buttons.iter().position(egui::Response::clicked)
    })
    .inner
}

impl Window {
    /// Documents that are in no file.
    fn unsaved(&self) -> usize {
        self.session.unsaved().count()
    }

    /// Whether something would be lost if the window closed now.
    pub(super) fn would_lose(&self) -> bool {
        self.unsaved() > 0 || self.session.unfinished() > 0
    }

    /// Holds a close request back until the person has said what becomes of unsaved and unfinished pictures.
    pub(super) fn closing(&mut self, ctx: &egui::Context) {
        // The system does not wait for an answer; what is unsaved is on the disk.
        if self.questions.closing == Closing::Agreed || self.termination.is_wanted() {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        } else if ctx.input(|input| input.viewport().close_requested()) && self.would_lose() {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            if self.questions.closing == Closing::No {
                self.questions.closing = Closing::Asked;
                // So that the keys reach the question and not the prompt behind it.
                ctx.memory_mut(egui::Memory::stop_text_input);
            }
        }
    }

    pub(super) fn questions_ui(&mut self, ctx: &egui::Context) {
        self.typed_path_ui(ctx);
        // A path that is being chosen is above the question that asked for it.
        if self.questions.replacing.is_some() {
            self.replacing_ui(ctx);
        } else if self.questions.typed_path.is_none() {
            if self.questions.closing == Closing::Asked {
                self.closing_ui(ctx);
            } else if !self.questions.abandoned.is_empty() {
                self.abandoned_ui(ctx);
            }
        }
    }

    fn typed_path_ui(&mut self, ctx: &egui::Context) {
        let text = self.desk.text;
        let Some((purpose, mut path)) = self.questions.typed_path.take() else { return };
        let (mut done, mut open) = (false, true);
        let window = centred(text.path_title, &mut open);
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
            self.questions.typed_path = Some((purpose, path));
        } else if done && !path.is_empty() {
            self.paths_chosen(purpose, vec![PathBuf::from(path.trim())], Chooser::Typing);
        }
    }

    fn replacing_ui(&mut self, ctx: &egui::Context) {
        let text = self.desk.text;
        let Some(replacing) = &self.questions.replacing else { return };
        let names: Vec<String> = replacing.replaced.iter().map(|path| path.display().to_string()).collect();
        let question = asked(ctx, "replacing", |ui| {
            ui.heading(text.exists);
            for name in names.iter().take(4) {
                ui.label(name);
            }
            if names.len() > 4 {
                ui.label("…");
            }
            ui.label(text.exists_hint);
            ui.add_space(8.0);
            answers(ui, [text.other_name, text.replace, text.cancel])
        });
        let answer = question.inner.or(question.should_close().then_some(2));
        let Some(Replacing { purpose, chosen, by, .. }) =
            answer.and_then(|_| self.questions.replacing.take())
        else {
            return;
        };
        match (answer, by) {
            (Some(0), Chooser::Typing) => {
                self.questions.typed_path = Some((purpose, chosen.display().to_string()));
            }
            (Some(0), Chooser::Dialog) => {
                let name = chosen.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.ask(purpose, &name);
            }
            (Some(1), _) => self.carry_out_choice(purpose, vec![chosen]),
            _ => {}
        }
    }

    fn abandoned_ui(&mut self, ctx: &egui::Context) {
        let text = self.desk.text;
        let count: usize = self.questions.abandoned.iter().map(Abandoned::count).sum();
        let question = asked(ctx, "abandoned", |ui| {
            ui.heading(format!("{} {count}", text.abandoned));
            ui.label(text.abandoned_hint);
            ui.add_space(8.0);
            answers(ui, [text.abandoned_restore, text.abandoned_later, text.abandoned_discard])
        });
        let answer = question.inner.or(question.should_close().then_some(1));
        self.desk.focus_prompt = answer.is_some();
        match answer {
            Some(0) => {
                let stems = self.keeping.adopt(std::mem::take(&mut self.questions.abandoned));
                self.background.begin(move || {
                    let (recovered, failed) = read_all(&stems);
                    Finished::Recovered(recovered, failed)
                });
            }
            // Their locks go, and the next start finds them again.
            Some(1) => self.questions.abandoned.clear(),
            Some(_) => Recovery::discard(std::mem::take(&mut self.questions.abandoned)),
            None => {}
        }
    }

    fn closing_ui(&mut self, ctx: &egui::Context) {
        let text = self.desk.text;
        let (unsaved, unfinished) = (self.unsaved(), self.session.unfinished());
        let answer = asked(ctx, "closing", |ui| {
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
            self.ask(Purpose::SaveAll, "");
        } else if discard {
            self.questions.closing = Closing::Agreed;
            ctx.request_repaint();
        } else if stay || answer.should_close() {
            self.questions.closing = Closing::No;
        }
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
        assert_eq!(questions.closing, Closing::No, "nobody closes it");
    }
}
