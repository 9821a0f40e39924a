//! Tokenizers of language models (T5, Qwen), from `tokenizer.json`.

use std::ops::Range;
use std::path::PathBuf;

use tokenizers::Tokenizer;

use super::ModelError;
use super::prompt_tokens::prompt_tokens;
use super::tokenizer::guarded;
use crate::request::PromptToken;
use crate::store::ModelFiles;

/// The file in the tokenizer's folder.
const FILE: &str = "tokenizer.json";

/// A language model's tokenizer.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    files: ModelFiles,
    path: PathBuf,
}

impl TextTokenizer {
    /// Reads `tokenizer.json` in one of a model's folders; an empty name is the model's own.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if it is not there or damaged.
    pub fn open(files: &ModelFiles, folder: &str) -> Result<Self, ModelError> {
        let name = if folder.is_empty() { FILE.to_owned() } else { format!("{folder}/{FILE}") };
        let path = files.path(&name);
        let failed = |reason: String| ModelError::Tokenizer { reason, path: path.clone() };
        let Some(bytes) = files.read(&name)? else {
            return Err(failed(format!(
                "{name} is missing; it is in the model's repository. Name a folder that has it (--config), or take a GGUF \
                 file of the text encoder, which has its tokenizer inside"
            )));
        };
        let mut tokenizer =
            guarded(files, || Tokenizer::from_bytes(&bytes).map_err(|error| failed(error.to_string())))?;
        // Truncation and padding are done by each family.
        tokenizer.with_truncation(None).map_err(|error| failed(error.to_string()))?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, files: files.clone(), path })
    }

    fn failed(&self, reason: String) -> ModelError {
        ModelError::Tokenizer { reason, path: self.path.clone() }
    }

    /// The token ids of a text, without special tokens before or after it. Special tokens written in the text are
    /// recognised.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer fails.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        guarded(&self.files, || {
            let encoding = self.tokenizer.encode(text, false);
            encoding
                .map(|encoding| encoding.get_ids().to_vec())
                .map_err(|error| self.failed(error.to_string()))
        })
    }

    /// The parts of a text that its tokens stand for, as in [`Self::ids`].
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer fails.
    pub(super) fn tokens(&self, text: &str) -> Result<Vec<PromptToken>, ModelError> {
        self.tokens_within(text, 0..text.len())
    }

    /// The same of a text in which only these bytes are of the prompt.
    ///
    /// # Errors
    /// As [`Self::tokens`].
    pub(super) fn tokens_within(
        &self,
        text: &str,
        prompt: Range<usize>,
    ) -> Result<Vec<PromptToken>, ModelError> {
        guarded(&self.files, || {
            let encoding = self.tokenizer.encode(text, false);
            encoding
                .map(|encoding| prompt_tokens(text, encoding.get_offsets(), &prompt))
                .map_err(|error| self.failed(error.to_string()))
        })
    }

    /// The text of token ids. Special tokens and ids that it does not know are left out.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer fails.
    pub fn text(&self, ids: &[u32]) -> Result<String, ModelError> {
        guarded(&self.files, || {
            self.tokenizer.decode(ids, true).map_err(|error| self.failed(error.to_string()))
        })
    }

    /// The id of a token.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if there is no such token.
    pub fn id(&self, token: &str) -> Result<u32, ModelError> {
        self.tokenizer.token_to_id(token).ok_or_else(|| self.failed(format!("it has no token {token}")))
    }

    /// The token of an id, for messages.
    pub(super) fn token(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }
}

/// Checks that all ids are within an embedding table of `rows` rows. `token` gives the token of an id, for the message.
///
/// # Errors
/// [`ModelError::TokenWithoutRow`] for the first id that is not.
pub(super) fn check_rows(
    ids: &[u32],
    rows: usize,
    token: impl Fn(u32) -> Option<String>,
) -> Result<(), ModelError> {
    match ids.iter().find(|id| **id as usize >= rows) {
        Some(id) => Err(ModelError::TokenWithoutRow { word: token(*id).unwrap_or_default(), id: *id, rows }),
        None => Ok(()),
    }
}
