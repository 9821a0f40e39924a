//! Prompts as T5 reads them in diffusers' pipelines: as they are written, cut and filled up to one length.

use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::store::ModelFiles;

/// The token after a prompt, and the one that fills it up.
const END: &str = "</s>";
const PAD: &str = "<pad>";

/// T5's tokenizer and the length of a prompt.
pub(super) struct T5Reader {
    tokenizer: TextTokenizer,
    length: usize,
    end: u32,
    pad: u32,
}

impl T5Reader {
    /// Reads the tokenizer in a model's folder; prompts have `length` tokens.
    pub(super) fn open(files: &ModelFiles, folder: &str, length: usize) -> Result<Self, ModelError> {
        let tokenizer = TextTokenizer::open(files, folder)?;
        let (end, pad) = (tokenizer.id(END)?, tokenizer.id(PAD)?);
        Ok(Self { tokenizer, length, end, pad })
    }

    /// The ids of a prompt, its end and what fills it up, for an encoder with vectors for `rows` tokens.
    pub(super) fn ids(&self, prompt: &str, rows: usize) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.tokenizer.ids(prompt)?;
        ids.truncate(self.length - 1);
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        check_rows(&ids, rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    /// The ids of a prompt and its end, and the first of what would fill it up where there is room.
    ///
    /// Gives with them how many are not of the prompt: 1, or 0 where there is no room.
    pub(super) fn ids_and_one(&self, prompt: &str, rows: usize) -> Result<(Vec<u32>, usize), ModelError> {
        let mut ids = self.ids(prompt, rows)?;
        // The end is the last id that does not fill up.
        let words = ids.iter().rposition(|id| *id != self.pad).map_or(0, |last| last + 1);
        let unseen = usize::from(words < self.length);
        ids.truncate(words + unseen);
        Ok((ids, unseen))
    }

    /// Tokens that a prompt has, and how many of them are read. One that cannot be read is an error later.
    pub(super) fn count(&self, prompt: &str) -> [usize; 2] {
        [self.tokenizer.ids(prompt).map_or(0, |ids| ids.len()), self.length - 1]
    }
}
