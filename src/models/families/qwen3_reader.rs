//! Prompts as Qwen3 reads them in diffusers' pipelines: as the one message of a chat that is to be answered.

use super::plain_prompt;
use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::store::ModelFiles;

/// The beginning of Qwen3's chat template, before a user's message.
const BEFORE: &str = "<|im_start|>user\n";
/// What follows the message where the answer may begin with a thought.
pub(super) const MAY_THINK: &str = "<|im_end|>\n<|im_start|>assistant\n";
/// What follows it where the thought is left out.
pub(super) const DOES_NOT_THINK: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
/// The token that fills a prompt up to a length.
const PAD: &str = "<|endoftext|>";

/// Qwen3's tokenizer and the template of a prompt.
pub(super) struct Qwen3Reader {
    tokenizer: TextTokenizer,
    after: &'static str,
    length: usize,
}

impl Qwen3Reader {
    /// Reads the tokenizer in a model's folder. `after`: the end of the template; `length`: tokens at most, those of the
    /// template included.
    pub(super) fn open(
        files: &ModelFiles,
        folder: &str,
        after: &'static str,
        length: usize,
    ) -> Result<Self, ModelError> {
        let tokenizer = TextTokenizer::open(files, folder)?;
        // Without them the template would be read as letters.
        for token in ["<|im_start|>", "<|im_end|>"] {
            tokenizer.id(token)?;
        }
        Ok(Self { tokenizer, after, length })
    }

    fn message(&self, prompt: &str) -> String {
        format!("{BEFORE}{prompt}{}", self.after)
    }

    /// The ids of a prompt for an encoder with vectors for `rows` tokens.
    pub(super) fn ids(&self, prompt: &str, rows: usize) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.tokenizer.ids(&self.message(prompt))?;
        ids.truncate(self.length);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    /// The same, padded to the full length, and the number of padding tokens.
    pub(super) fn padded_ids(&self, prompt: &str, rows: usize) -> Result<(Vec<u32>, usize), ModelError> {
        let pad = self.tokenizer.id(PAD)?;
        let mut ids = self.ids(prompt, rows)?;
        let padding = self.length - ids.len();
        ids.resize(self.length, pad);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok((ids, padding))
    }

    /// Remarks on parts of a prompt that have no effect, one sentence each.
    pub(super) fn remarks_on(&self, prompt: &str, family: &str) -> Vec<String> {
        // A prompt that cannot be read is an error later.
        let count = |text: &str| self.tokenizer.ids(text).map_or(0, |ids| ids.len());
        let around = count(&self.message(""));
        let tokens = count(&self.message(prompt)).saturating_sub(around);
        plain_prompt::remarks_on(prompt, family, tokens, self.length - around.min(self.length))
    }
}
