//! Which part of a text each of its tokens stands for.

use std::ops::Range;

use crate::request::PromptToken;

/// The tokens of a text from their places in it, first and last byte, as a tokenizer gives them. Blanks around a token
/// are no part of it. Of several tokens for one character the first has it. Outside of `prompt` they are added ones.
pub(super) fn prompt_tokens(
    text: &str,
    places: &[(usize, usize)],
    prompt: &Range<usize>,
) -> Vec<PromptToken> {
    let mut before = 0;
    let mut tokens = Vec::with_capacity(places.len());
    for (first, last) in places {
        if *last <= prompt.start || *first >= prompt.end {
            tokens.push(PromptToken::added());
            continue;
        }
        let first = (*first).max(before).min(text.len());
        let last = (*last).max(first).min(text.len());
        let part =
            text.get(text.floor_char_boundary(first)..text.ceil_char_boundary(last)).unwrap_or_default();
        before = text.ceil_char_boundary(last);
        let word = part.trim();
        let after = &text[..text.floor_char_boundary(first)];
        let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_joined = touches(after.chars().next_back())
            && !part.starts_with(char::is_whitespace)
            && (word.is_empty() || touches(word.chars().next()));
        tokens.push(PromptToken {
            text: word.to_owned(),
            weight: 1.0,
            begins_word: !is_joined,
            is_of_prompt: true,
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, places: &[(usize, usize)]) -> Vec<(String, bool)> {
        prompt_tokens(text, places, &(0..text.len()))
            .into_iter()
            .map(|token| (token.text, token.begins_word))
            .collect()
    }

    #[test]
    fn blanks_and_punctuation_part_words() {
        let tokens = of("a lighthouse, red", &[(0, 1), (1, 7), (7, 12), (12, 13), (13, 17)]);
        let token = |text: &str, begins| (text.to_owned(), begins);
        let wanted = [
            token("a", true),
            token("light", true),
            token("house", false),
            token(",", true),
            token("red", true),
        ];
        assert_eq!(tokens, wanted);
    }

    #[test]
    fn several_tokens_of_one_character_and_places_within_it_are_no_trouble() {
        let tokens = of("한 달", &[(0, 3), (0, 3), (1, 2), (3, 7), (7, 99)]);
        let texts: Vec<&str> = tokens.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["한", "", "", "달", ""]);
        assert_eq!(
            tokens.iter().map(|(_, begins)| *begins).collect::<Vec<_>>()[..4],
            [true, false, false, true]
        );
    }
}
