//! Prompt and negative prompt.

use egui::text::{CCursor, CCursorRange, LayoutJob};
use egui::{Key, Modifiers, Rect, RichText, TextFormat, Ui, Vec2};

use super::controls::{field_tip, named, tip, trailing};
use super::desk::Desk;
use super::{Text, theme, weight};
use crate::session::{Action, Session, builtin_vocabulary};

/// Rows of the prompt field; a longer prompt scrolls.
const ROWS: usize = 5;
/// Height below the prompt's text for the gauge of its tokens, points.
const GAUGE: f32 = 4.0;

pub(super) fn prompt_ui(ui: &mut Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    let text = desk.text;
    let mut draft = session.draft().clone();
    let label = ui
        .horizontal(|ui| {
            ui.set_height(24.0);
            let label = ui.label(RichText::new(text.prompt).family(theme::strong()));
            length_ui(ui, session, text);
            if session.is_builtin() && !builtin_vocabulary().grammar.templates.is_empty() {
                trailing(ui, "dice", |ui| {
                    ui.spacing_mut().button_padding = Vec2::new(8.0, 2.0);
                    ui.spacing_mut().interact_size.y = 22.0;
                    if tip(ui.button(text.dice), text.dice_hint, "").clicked() {
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
    let id = egui::Id::unique("prompt field");
    turn_prompts(ui, id, actions);
    let takes_word = session.is_builtin()
        && ui.memory(|memory| memory.has_focus(id))
        && ui.input_mut(|input| input.consume_key(Modifiers::CTRL, Key::Space));
    let heavier = weight_key(ui, id);
    let (frame, shown) = field(ui, id, ROWS, GAUGE, |ui| {
        egui::TextEdit::multiline(&mut draft.prompt)
            .id(id)
            .hint_text(text.prompt_hint)
            .desired_rows(ROWS)
            .desired_width(f32::INFINITY)
            .frame(egui::Frame::NONE)
            .margin(egui::Margin::symmetric(0, 4))
            .layouter(&mut layouter)
            .show(ui)
    });
    gauge_ui(ui, session, frame);
    let response = shown.response.response.clone().labelled_by(label.id);
    if let (Some(by), Some(range)) = (heavier, shown.cursor_range) {
        let range = range.as_sorted_char_range();
        let (from, to) = (range.start.0, range.end.0);
        if let Some((prompt, [from, to])) = weight::weighted(&draft.prompt, from..to, by) {
            draft.prompt = prompt;
            let mut state = shown.state.clone();
            state.cursor.set_char_range(Some(CCursorRange::two(CCursor::new(from), CCursor::new(to))));
            state.store(ui.ctx(), response.id);
        }
    }
    field_tip(&response, text.prompt_tip);
    desk.prompt_field = Some(response.id);
    if desk.focus_prompt {
        desk.focus_prompt = false;
        response.request_focus();
    }
    if session.is_builtin() && response.has_focus() {
        completions_ui(ui, &mut draft.prompt, &shown, takes_word);
    }
    let taken = session.profile().is_none_or(|profile| draft.takes_negative_prompt(profile));
    let can_be = session.profile().is_some_and(|profile| profile.can_be_guided_classifier_free());
    let why_not = if can_be { text.negative_off_guided } else { text.negative_off };
    let label = ui.label(RichText::new(text.negative_prompt).family(theme::strong()));
    let negative = egui::Id::unique("negative prompt field");
    let (_, response) = field(ui, negative, 2, 0.0, |ui| {
        let edit = egui::TextEdit::multiline(&mut draft.negative_prompt)
            .id(negative)
            .hint_text(text.negative_hint)
            .desired_rows(2)
            .desired_width(f32::INFINITY)
            .frame(egui::Frame::NONE)
            .margin(egui::Margin::symmetric(0, 4));
        ui.add_enabled(taken, edit)
    });
    let response = response.labelled_by(label.id).on_disabled_hover_text(why_not);
    named(&response, text.negative_prompt);
    field_tip(&response, text.negative_hint);
    if draft != *session.draft() {
        actions.push(Action::Edit(Box::new(draft)));
    }
}

/// A frame of `rows` rows that scrolls instead of growing, so that nothing below it moves, and `below` points more at
/// its lower edge. `content` draws a text field without a frame. Returns the frame and the result of `content`.
fn field<R>(
    ui: &mut Ui,
    id: egui::Id,
    rows: usize,
    below: f32,
    content: impl FnOnce(&mut Ui) -> R,
) -> (Rect, R) {
    let height = (rows as f32 * ui.text_style_height(&egui::TextStyle::Body)).ceil() + 16.0 + below;
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), egui::Sense::hover());
    let visuals = ui.visuals();
    let outline = if ui.memory(|memory| memory.has_focus(id)) {
        egui::Stroke::new(1.5, visuals.widgets.active.bg_stroke.color)
    } else {
        visuals.widgets.inactive.bg_stroke
    };
    ui.painter().rect(rect, 6.0, visuals.extreme_bg_color, outline, egui::StrokeKind::Inside);
    let mut room = rect.shrink2(Vec2::new(10.0, 4.0));
    room.max.y -= below;
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(room));
    let inner = ui.available_size();
    let shown = egui::ScrollArea::vertical()
        .id_salt(id)
        .max_height(inner.y)
        .auto_shrink(false)
        .show(&mut ui, |ui| {
            ui.set_width(inner.x);
            content(ui)
        })
        .inner;
    (rect, shown)
}

/// The number of tokens, and how many its chunks have room for.
fn length_ui(ui: &mut Ui, session: &Session, text: &Text) {
    let Some(length) = session.prompt_length().filter(|length| length.tokens() > 0) else { return };
    let words = format!("{} / {}", length.tokens(), length.capacity());
    let dark = ui.visuals().dark_mode;
    let colour = if length.is_cut() { theme::warning(dark) } else { theme::quiet(dark) };
    let label = ui.label(RichText::new(words).small().color(colour));
    let chunks = length.chunks.len();
    label.on_hover_text(match chunks {
        _ if length.is_cut() => text.tokens_cut.replace("{room}", &length.room.to_string()),
        1 => text.tokens_hint.to_owned(),
        _ => {
            let words = text.tokens_in_chunks.replace("{chunks}", &chunks.to_string());
            words.replace("{room}", &length.room.to_string())
        }
    });
}

/// A gauge at the lower edge of the field: how full each chunk is, with a gap between chunks.
fn gauge_ui(ui: &Ui, session: &Session, field: Rect) {
    let Some(length) = session.prompt_length().filter(|length| length.tokens() > 0) else { return };
    let dark = ui.visuals().dark_mode;
    let gauge =
        Rect::from_min_max(field.left_bottom() + Vec2::new(10.0, -5.0), field.max - Vec2::new(10.0, 3.0));
    let pitch = gauge.width() / length.chunks.len() as f32;
    for (place, tokens) in length.chunks.iter().enumerate() {
        let left = gauge.left() + pitch * place as f32;
        let chunk = Rect::from_x_y_ranges(left..=left + (pitch - 2.0).max(1.0), gauge.y_range());
        ui.painter().rect_filled(chunk, 1.0, theme::seam(dark));
        let share = (*tokens as f32 / length.room.max(1) as f32).min(1.0);
        let full = Rect::from_min_size(chunk.min, Vec2::new(chunk.width() * share, chunk.height()));
        let colour = if *tokens > length.room { theme::warning(dark) } else { theme::quiet(dark) };
        ui.painter().rect_filled(full, 1.0, colour);
    }
}

/// The change of weight that a key asks for, of the selected words or the word at the cursor.
fn weight_key(ui: &Ui, id: egui::Id) -> Option<f64> {
    if !ui.memory(|memory| memory.has_focus(id)) {
        return None;
    }
    ui.input_mut(|input| {
        let mut pressed = |key| input.consume_key(Modifiers::COMMAND, key);
        if pressed(Key::ArrowUp) { Some(0.1) } else { pressed(Key::ArrowDown).then_some(-0.1) }
    })
}

/// Alt+↑ and Alt+↓ call earlier and later prompts back while the field has the focus.
fn turn_prompts(ui: &Ui, id: egui::Id, actions: &mut Vec<Action>) {
    if !ui.memory(|memory| memory.has_focus(id)) {
        return;
    }
    ui.input_mut(|input| {
        for (key, earlier) in [(Key::ArrowUp, true), (Key::ArrowDown, false)] {
            if input.consume_key(Modifiers::ALT, key) {
                actions.push(Action::TurnPrompt { earlier });
            }
        }
    });
}

/// The word before the cursor (a character index): its first byte and the byte of the cursor.
fn word_before(text: &str, cursor: usize) -> (usize, usize) {
    let end = text.char_indices().nth(cursor).map_or(text.len(), |(at, _)| at);
    let start = text[..end].char_indices().rev().take_while(|(_, c)| c.is_alphanumeric()).last();
    (start.map_or(end, |(at, _)| at), end)
}

/// Words that complete what is being typed, in a list at the cursor that moves nothing in the panel.
fn completions_ui(ui: &Ui, prompt: &mut String, shown: &egui::text_edit::TextEditOutput, takes_word: bool) {
    let Some(cursor) = shown.cursor_range.map(|range| range.primary) else { return };
    let (start, end) = word_before(prompt, cursor.index.0);
    if end - start < 2 {
        return;
    }
    let (vocabulary, typed) = (builtin_vocabulary(), &prompt[start..end]);
    let words = vocabulary.completions(typed, 5);
    // After a whole word the list would stay over the picture that is drawn from it.
    if words.is_empty() || vocabulary.knows(typed) {
        return;
    }
    let mut chosen = takes_word.then(|| words[0]);
    let place = shown.galley_pos + shown.galley.pos_from_cursor(cursor).left_bottom().to_vec2();
    egui::Area::new(egui::Id::unique("completions"))
        .order(egui::Order::Foreground)
        .fixed_pos(place + Vec2::new(-8.0, 4.0))
        .show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style()).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for (index, word) in words.iter().enumerate() {
                    let mut button = egui::Button::new(*word)
                        .frame_when_inactive(false)
                        .wrap_mode(egui::TextWrapMode::Extend);
                    if index == 0 {
                        button = button.right_text(RichText::new("Ctrl+Space").small().weak());
                    }
                    if ui.add(button).clicked() {
                        chosen = Some(word);
                    }
                }
            });
        });
    if let Some(word) = chosen {
        prompt.replace_range(start..end, &format!("{word} "));
        let at = prompt[..start].chars().count() + word.chars().count() + 1;
        let mut state = shown.state.clone();
        state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(at))));
        state.store(ui.ctx(), shown.response.response.id);
        ui.memory_mut(|memory| memory.request_focus(shown.response.response.id));
    }
}

/// Lays the prompt out; with `marks`, words that the built-in model does not know are underlined.
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
        // A word at the end is still being typed and is not marked.
        let unknown =
            marks && is_word && !after.is_empty() && !vocabulary.words.is_empty() && !vocabulary.knows(part);
        job.append(part, 0.0, if unknown { marked.clone() } else { plain.clone() });
        rest = after;
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_at_the_cursor_is_completed_and_not_the_last_one() {
        assert_eq!(word_before("a moun over a lake", 6), (2, 6));
        assert_eq!(word_before("a moun over a lake", 18), (14, 18));
        assert_eq!(word_before("산 호", 3), (4, 7));
        assert_eq!(word_before("a, ", 3), (3, 3));
    }
}
