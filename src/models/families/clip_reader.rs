//! CLIP's encoding of prompts for flow transformers: without weight syntax, truncated to one chunk.

use crate::models::finite::finite;
use crate::models::prompt::plain_chunk;
use crate::models::text_tokenizer::check_rows;
use crate::models::tokenizer::guarded;
use crate::models::{ModelError, PromptTokenizer};
use crate::networks::backend::{self, Tensor};
use crate::networks::clip::{ClipText, ClipTextConfig, TextStates};
use crate::networks::{Parameters, Runtime};
use crate::request::PromptToken;
use crate::store::ModelFiles;

/// A CLIP text encoder with its tokenizer.
pub(super) struct ClipReader {
    part: &'static str,
    network: ClipText,
    tokenizer: PromptTokenizer,
    length: usize,
    files: ModelFiles,
}

impl ClipReader {
    /// Builds the text encoder `part` and reads the tokenizer in `folder`.
    pub(super) fn load(
        files: &ModelFiles,
        [part, folder]: [&'static str; 2],
        config: &ClipTextConfig,
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        let parameters = Parameters::new(files.tensors(part)?, runtime);
        let network =
            runtime.run(|| ClipText::new(&parameters, config.clone())).map_err(ModelError::in_part(part))?;
        let tokenizer = guarded(files, || PromptTokenizer::open(files, folder))?;
        Ok(Self { part, network, tokenizer, length: config.max_position_embeddings, files: files.clone() })
    }

    /// What the ids of a prompt stand for, padding included.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`].
    pub(super) fn tokens(&self, prompt: &str) -> Result<Vec<PromptToken>, ModelError> {
        Ok(guarded(&self.files, || plain_chunk(prompt, &self.tokenizer, self.length))?.tokens)
    }

    /// A prompt's penultimate hidden states and last ones, and its pooled embedding `[1, P]`: the hidden state of the end token (transformers'
    /// `pooler_output`), projected in encoders that have a projection.
    pub(super) fn read(&self, prompt: &str, runtime: &Runtime) -> Result<(TextStates, Tensor), ModelError> {
        let ids = guarded(&self.files, || plain_chunk(prompt, &self.tokenizer, self.length))?.ids;
        check_rows(&ids, self.network.rows(), |id| self.tokenizer.word(id))?;
        let end = ids.iter().position(|id| *id == self.tokenizer.end).unwrap_or_default();
        let read = || {
            let states = self.network.forward(&ids, self.length, 1)?;
            let pooled = self.network.pooled(&states.last, &[end])?;
            Ok::<_, backend::Error>((states, pooled))
        };
        let (states, pooled) = runtime.run(read)?;
        Ok((states, finite(self.part)(pooled)?))
    }
}
