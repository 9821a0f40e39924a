//! The words whose activity is looked at.

use std::collections::BTreeSet;

use super::InsideView;
use crate::request::{PromptTokens, PromptWord};
use crate::session::Session;

/// The chosen words, by their numbers.
#[derive(Default)]
pub(super) struct ChosenWords {
    chosen: BTreeSet<usize>,
}

/// A word of the prompt, and whether its activity is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownWord {
    /// The word.
    pub word: PromptWord,
    /// Whether it is shown.
    pub is_chosen: bool,
}

impl ChosenWords {
    pub(super) fn choose(&mut self, word: usize, alone: bool) {
        if alone {
            self.chosen.clear();
            self.chosen.insert(word);
        } else if !self.chosen.remove(&word) {
            self.chosen.insert(word);
        }
    }

    /// The chosen ones of these words; without any the longest, which most probably is something to see.
    fn of(&self, words: &[PromptWord]) -> BTreeSet<usize> {
        let known: BTreeSet<usize> = self.chosen.iter().copied().filter(|word| *word < words.len()).collect();
        if !known.is_empty() {
            return known;
        }
        let length = |word: &PromptWord| word.text.chars().filter(|c| c.is_alphanumeric()).count();
        let longest = (0..words.len()).rev().max_by_key(|index| length(&words[*index]));
        longest.into_iter().collect()
    }

    /// The places of their tokens.
    pub(super) fn tokens(&self, tokens: &PromptTokens) -> Vec<usize> {
        let words = tokens.words();
        self.of(&words).into_iter().flat_map(|word| words[word].tokens.clone()).collect()
    }
}

impl Session {
    /// The words of the prompt of the document on the easel.
    pub fn inside_words(&self) -> Vec<ShownWord> {
        let words = self.inside_tokens().map(PromptTokens::words).unwrap_or_default();
        let chosen = self.inside.words.of(&words);
        let looks = self.inside.view == Some(InsideView::Words);
        let shown = |(index, word)| ShownWord { word, is_chosen: looks && chosen.contains(&index) };
        words.into_iter().enumerate().map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, place: usize) -> PromptWord {
        PromptWord { text: text.into(), weight: 1.0, chunk: 0, tokens: vec![place] }
    }

    #[test]
    fn the_longest_word_is_shown_until_one_is_chosen() {
        let words = [word("a", 1), word("lighthouse", 2), word("...........", 3), word("in", 4)];
        let mut chosen = ChosenWords::default();
        assert_eq!(chosen.of(&words), [1].into());
        chosen.choose(3, true);
        chosen.choose(0, false);
        assert_eq!(chosen.of(&words), [0, 3].into());
        chosen.choose(3, false);
        assert_eq!(chosen.of(&words), [0].into());
        chosen.choose(2, true);
        assert_eq!(chosen.of(&words[..2]), [1].into(), "another prompt, which has no such word");
        assert!(chosen.of(&[]).is_empty());
    }
}
