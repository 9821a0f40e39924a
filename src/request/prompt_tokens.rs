//! A prompt as a model's tokenizer splits it.

/// A token of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptToken {
    /// The part of the prompt that it stands for; may be empty, as for a part of a character.
    pub text: String,
    /// Factor of its hidden state; 1 is neutral.
    pub weight: f32,
    /// Whether a word begins with it.
    pub begins_word: bool,
    /// Whether it stands for a part of the prompt, and was not added by the model.
    pub is_of_prompt: bool,
}

impl PromptToken {
    /// A token that the model adds: start, end, padding, or of a template.
    pub fn added() -> Self {
        Self { text: String::new(), weight: 1.0, begins_word: true, is_of_prompt: false }
    }
}

/// The tokens that a denoiser attends to, in chunks as the text encoders take them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptTokens {
    /// The tokens of each chunk, in the order in which the denoiser has them.
    pub chunks: Vec<Vec<PromptToken>>,
}

/// A word of a prompt, or what its tokenizer takes for one.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptWord {
    /// The word.
    pub text: String,
    /// Factor of its tokens' hidden states.
    pub weight: f32,
    /// Its chunk.
    pub chunk: usize,
    /// Places of its tokens among all.
    pub tokens: Vec<usize>,
}

impl PromptTokens {
    /// The number of tokens up to the last one of the prompt.
    pub fn used(&self) -> usize {
        let all: Vec<&PromptToken> = self.chunks.iter().flatten().collect();
        all.iter().rposition(|token| token.is_of_prompt).map_or(0, |last| last + 1)
    }

    /// The number of tokens of the prompt itself in a chunk.
    pub fn of_prompt(&self, chunk: usize) -> usize {
        self.chunks.get(chunk).map_or(0, |tokens| tokens.iter().filter(|token| token.is_of_prompt).count())
    }

    /// The words of the prompt; tokens of blanks alone are in none.
    pub fn words(&self) -> Vec<PromptWord> {
        let mut words: Vec<PromptWord> = Vec::new();
        let chunks = self.chunks.iter().enumerate();
        let tokens = chunks.flat_map(|(chunk, tokens)| tokens.iter().map(move |token| (chunk, token)));
        for (place, (chunk, token)) in tokens.enumerate().filter(|(_, (_, token))| token.is_of_prompt) {
            match words.last_mut() {
                Some(word)
                    if !token.begins_word
                        && word.chunk == chunk
                        && word.tokens.last() == Some(&(place - 1)) =>
                {
                    word.text.push_str(&token.text);
                    word.tokens.push(place);
                }
                _ => words.push(PromptWord {
                    text: token.text.clone(),
                    weight: token.weight,
                    chunk,
                    tokens: vec![place],
                }),
            }
        }
        words.retain(|word| !word.text.is_empty());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, begins_word: bool) -> PromptToken {
        PromptToken { text: text.to_owned(), weight: 1.0, begins_word, is_of_prompt: true }
    }

    #[test]
    fn tokens_make_words_that_keep_their_places() {
        let added = PromptToken::added;
        let tokens = PromptTokens {
            chunks: vec![
                vec![added(), token("light", true), token("house", false), token("at", true), added()],
                vec![added(), token("s", false), token("ea", false), token("", true), added()],
            ],
        };
        let words: Vec<_> =
            tokens.words().into_iter().map(|word| (word.text, word.chunk, word.tokens)).collect();
        let word = |text: &str, chunk, tokens: &[usize]| (text.to_owned(), chunk, tokens.to_vec());
        assert_eq!(words, [word("lighthouse", 0, &[1, 2]), word("at", 0, &[3]), word("sea", 1, &[6, 7])]);
        assert_eq!((tokens.used(), tokens.of_prompt(0), tokens.of_prompt(1)), (9, 3, 3));
        assert_eq!((PromptTokens::default().used(), PromptTokens::default().words().len()), (0, 0));
    }
}
