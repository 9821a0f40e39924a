//! Tokenization of prompts for Z-Image: Qwen3's chat template, as in diffusers' pipeline.

use super::super::flow_family::FlowConfigs as _;
use super::super::plain_prompt;
use super::profile::{Configs, MAX_TOKENS, TOKENIZER};
use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::store::ModelFiles;

/// Qwen3's tokenizer and chat template.
pub(super) struct TextReader {
    tokenizer: TextTokenizer,
}

/// A prompt as the only user message of a chat, in Qwen3's template with generation prompt and thinking enabled.
fn message(prompt: &str) -> String {
    format!("<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n")
}

impl TextReader {
    pub(super) fn open(files: &ModelFiles) -> Result<Self, ModelError> {
        let tokenizer = TextTokenizer::open(files, TOKENIZER)?;
        // Without these special tokens the template would be tokenized as plain text.
        for token in ["<|im_start|>", "<|im_end|>"] {
            tokenizer.id(token)?;
        }
        Ok(Self { tokenizer })
    }

    /// The ids of a prompt in its template, truncated to [`MAX_TOKENS`]. `rows`: of the encoder's embedding table.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::TokenWithoutRow`].
    pub(super) fn ids(&self, prompt: &str, rows: usize) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.tokenizer.ids(&message(prompt))?;
        ids.truncate(MAX_TOKENS);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    /// Remarks on parts of a prompt that have no effect, one sentence each.
    pub(super) fn remarks_on(&self, prompt: &str) -> Vec<String> {
        // A prompt that cannot be tokenized is an error when it is encoded.
        let count = |text: &str| self.tokenizer.ids(text).map_or(0, |ids| ids.len());
        let template = count(&message(""));
        let tokens = count(&message(prompt)).saturating_sub(template);
        plain_prompt::remarks_on(prompt, Configs::FAMILY, tokens, MAX_TOKENS - template.min(MAX_TOKENS))
    }
}
