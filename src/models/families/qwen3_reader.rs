//! Qwen3's tokenization of prompts as in diffusers' pipelines: the only user message of a chat, in the chat template
//! with a generation prompt.

use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::request::PromptToken;
use crate::store::ModelFiles;

/// The part of Qwen3's chat template before the user message.
const BEFORE: &str = "<|im_start|>user\n";
/// The part after the message, with thinking enabled.
pub(super) const MAY_THINK: &str = "<|im_end|>\n<|im_start|>assistant\n";
/// The part after the message, with thinking disabled.
pub(super) const DOES_NOT_THINK: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
/// The padding token.
const PAD: &str = "<|endoftext|>";

/// Qwen3's tokenizer and chat template.
pub(super) struct Qwen3Reader {
    tokenizer: TextTokenizer,
    after: &'static str,
    length: usize,
}

impl Qwen3Reader {
    /// Reads the tokenizer in a model's folder. `after`: the part of the template after the message; `length`: most
    /// tokens, those of the template included.
    pub(super) fn open(
        files: &ModelFiles,
        folder: &str,
        after: &'static str,
        length: usize,
    ) -> Result<Self, ModelError> {
        let tokenizer = TextTokenizer::open(files, folder)?;
        // Without these special tokens the template would be tokenized as plain text.
        for token in ["<|im_start|>", "<|im_end|>"] {
            tokenizer.id(token)?;
        }
        Ok(Self { tokenizer, after, length })
    }

    fn message(&self, prompt: &str) -> String {
        format!("{BEFORE}{prompt}{}", self.after)
    }

    /// The ids of a prompt in the template, truncated to the length. `rows`: of the encoder's embedding table.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::TokenWithoutRow`].
    pub(super) fn ids(
        &self,
        prompt: &str,
        rows: usize,
        length: Option<usize>,
    ) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.tokenizer.ids(&self.message(prompt))?;
        ids.truncate(length.unwrap_or(self.length));
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    /// The same, padded to the full length, and the number of padding tokens.
    pub(super) fn padded_ids(
        &self,
        prompt: &str,
        rows: usize,
        length: Option<usize>,
    ) -> Result<(Vec<u32>, usize), ModelError> {
        let pad = self.tokenizer.id(PAD)?;
        let mut ids = self.ids(prompt, rows, length)?;
        let length = length.unwrap_or(self.length);
        let padding = length - ids.len();
        ids.resize(length, pad);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok((ids, padding))
    }

    /// The ids of a prompt without padding, the padding token, and how many of it fill the sequence up to a multiple of
    /// `multiple`, [`Self::open`]'s length at most.
    ///
    /// # Errors
    /// As [`Self::ids`].
    pub(super) fn ids_and_padding(
        &self,
        prompt: &str,
        rows: usize,
        multiple: usize,
        length: Option<usize>,
    ) -> Result<(Vec<u32>, u32, usize), ModelError> {
        let pad = self.tokenizer.id(PAD)?;
        let ids = self.ids(prompt, rows, length)?;
        check_rows(&[pad], rows, |id| self.tokenizer.token(id))?;
        let whole = ids.len().next_multiple_of(multiple).min(length.unwrap_or(self.length));
        let count = whole.saturating_sub(ids.len());
        Ok((ids, pad, count))
    }

    /// What the ids of a prompt in the template stand for.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`].
    pub(super) fn tokens(&self, prompt: &str, length: Option<usize>) -> Result<Vec<PromptToken>, ModelError> {
        let message = self.message(prompt);
        let of_prompt = BEFORE.len()..BEFORE.len() + prompt.len();
        let mut tokens = self.tokenizer.tokens_within(&message, of_prompt)?;
        tokens.truncate(length.unwrap_or(self.length));
        Ok(tokens)
    }

    /// The tokens that a prompt has, and the most that are used. A prompt that cannot be tokenized counts as 0 here and
    /// is an error when it is encoded.
    pub(super) fn count(&self, prompt: &str, length: Option<usize>) -> [usize; 2] {
        let count = |text: &str| self.tokenizer.ids(text).map_or(0, |ids| ids.len());
        let template = count(&self.message(""));
        let tokens = count(&self.message(prompt)).saturating_sub(template);
        [tokens, length.unwrap_or(self.length).saturating_sub(template)]
    }
}
