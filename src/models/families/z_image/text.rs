//! Prompts as Qwen3 reads them for Z-Image: a message of a chat, as diffusers' pipeline writes it.

use super::profile::{MAX_TOKENS, TOKENIZER};
use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::store::ModelFiles;

/// The tokenizer and the template of a prompt.
pub(super) struct TextReader {
    tokenizer: TextTokenizer,
}

/// A prompt as the one message of a chat that is to be answered (Qwen3's template, thinking allowed).
fn message(prompt: &str) -> String {
    format!("<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n")
}

impl TextReader {
    pub(super) fn open(files: &ModelFiles) -> Result<Self, ModelError> {
        let tokenizer = TextTokenizer::open(files, TOKENIZER)?;
        // Without them the template would be read as letters.
        for token in ["<|im_start|>", "<|im_end|>"] {
            tokenizer.id(token)?;
        }
        Ok(Self { tokenizer })
    }

    /// The ids of a prompt for an encoder with vectors for `rows` tokens.
    pub(super) fn ids(&self, prompt: &str, rows: usize) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.tokenizer.ids(&message(prompt))?;
        ids.truncate(MAX_TOKENS);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    /// Tokens of a prompt, and how many of them are read.
    pub(super) fn count(&self, prompt: &str) -> [usize; 2] {
        // A prompt that cannot be read is an error later.
        let count = |text: &str| self.tokenizer.ids(text).map_or(0, |ids| ids.len());
        let around = count(&message(""));
        let tokens = count(&message(prompt)).saturating_sub(around);
        [tokens, MAX_TOKENS - around.min(MAX_TOKENS)]
    }
}
