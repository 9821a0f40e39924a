//! T5's tokenization of prompts as in diffusers' pipelines: without weight syntax, truncated and padded to a fixed
//! length.

use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::request::PromptToken;
use crate::store::ModelFiles;

/// The end token and the padding token.
const END: &str = "</s>";
const PAD: &str = "<pad>";

/// T5's tokenizer with a fixed sequence length.
pub(super) struct T5Reader {
    tokenizer: TextTokenizer,
    length: usize,
    end: u32,
    pad: u32,
}

impl T5Reader {
    /// Reads the tokenizer in a model's folder. `length`: tokens of a sequence, the end token included.
    pub(super) fn open(files: &ModelFiles, folder: &str, length: usize) -> Result<Self, ModelError> {
        let tokenizer = TextTokenizer::open(files, folder)?;
        let (end, pad) = (tokenizer.id(END)?, tokenizer.id(PAD)?);
        Ok(Self { tokenizer, length, end, pad })
    }

    /// The ids of a prompt, its end token and padding. `rows`: of the encoder's embedding table; `length`: the sequence
    /// length, if another one is chosen.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::TokenWithoutRow`].
    pub(super) fn ids(
        &self,
        prompt: &str,
        rows: usize,
        length: Option<usize>,
    ) -> Result<Vec<u32>, ModelError> {
        let length = length.unwrap_or(self.length);
        let mut ids = self.tokenizer.ids(prompt)?;
        ids.truncate(length.saturating_sub(1));
        ids.push(self.end);
        ids.resize(length, self.pad);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    /// The ids of a prompt, its end token, and one padding token if there is room for it.
    ///
    /// The second value is the number of padding tokens, 1 or 0.
    pub(super) fn ids_with_one_pad(
        &self,
        prompt: &str,
        rows: usize,
        length: Option<usize>,
    ) -> Result<(Vec<u32>, usize), ModelError> {
        let mut ids = self.ids(prompt, rows, length)?;
        // The end token is the last one that is not padding.
        let used = ids.iter().rposition(|id| *id != self.pad).map_or(0, |last| last + 1);
        let padding = usize::from(used < ids.len());
        ids.truncate(used + padding);
        Ok((ids, padding))
    }

    /// What the ids of a prompt stand for, up to the end token.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`].
    pub(super) fn tokens(&self, prompt: &str, length: Option<usize>) -> Result<Vec<PromptToken>, ModelError> {
        let mut tokens = self.tokenizer.tokens(prompt)?;
        tokens.truncate(length.unwrap_or(self.length).saturating_sub(1));
        tokens.push(PromptToken::added());
        Ok(tokens)
    }

    /// The tokens that a prompt has, and the most that are used. A prompt that cannot be tokenized counts as 0 here and
    /// is an error when it is encoded.
    pub(super) fn count(&self, prompt: &str, length: Option<usize>) -> [usize; 2] {
        let length = length.unwrap_or(self.length);
        [self.tokenizer.ids(prompt).map_or(0, |ids| ids.len()), length.saturating_sub(1)]
    }
}
