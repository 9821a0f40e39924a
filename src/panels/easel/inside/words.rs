//! The words of the prompt, of which some are chosen.

use egui::{Button, Rect, RichText, ScrollArea, Ui, UiBuilder};

use crate::panels::controls::{named, quiet, tip};
use crate::panels::desk::Desk;
use crate::panels::theme;
use crate::session::{Action, InsideAction, Session};

/// Height of the row, points.
pub(super) const HEIGHT: f32 = 38.0;

/// The words in a row. A click shows a word alone, with Ctrl or Shift beside the others.
pub(super) fn words_ui(ui: &mut Ui, session: &Session, desk: &Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let row = Rect::from_min_size(ui.max_rect().min, egui::vec2(ui.max_rect().width(), HEIGHT));
    let row = row.shrink2(egui::vec2(12.0, 5.0));
    let mut ui = ui.new_child(UiBuilder::new().id_salt("words").max_rect(row));
    let words = session.inside_words();
    ScrollArea::horizontal().auto_shrink(false).show(&mut ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_height(28.0);
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding.x = 8.0;
            if words.is_empty() {
                quiet(ui, text.inside_words_unknown);
            }
            let mut chunk = 0;
            for (index, shown) in words.iter().enumerate() {
                if shown.word.chunk != chunk {
                    chunk = shown.word.chunk;
                    ui.separator();
                }
                let weight = shown.word.weight;
                let weighs = if weight == 1.0 { String::new() } else { format!(" ×{weight:.2}") };
                let label = RichText::new(format!("{}{weighs}", shown.word.text));
                let button =
                    ui.add(Button::selectable(shown.is_chosen, label).min_size(egui::vec2(0.0, 26.0)));
                if shown.is_chosen {
                    let line =
                        button.rect.with_min_y(button.rect.bottom() - 2.0).shrink2(egui::vec2(6.0, 0.0));
                    ui.painter().rect_filled(line, 1.0, theme::accent(ui.visuals().dark_mode));
                }
                let count = shown.word.tokens.len();
                named(&button, format!("{}: {}", text.inside_words, shown.word.text));
                let hint = format!("{}\n{} {count}", text.inside_word_hint, text.inside_tokens);
                if tip(button, &hint, "").clicked() {
                    let adds = ui.input(|input| input.modifiers.command || input.modifiers.shift);
                    actions.push(Action::Inside(InsideAction::ChooseWord { word: index, alone: !adds }));
                }
            }
        });
    });
}
