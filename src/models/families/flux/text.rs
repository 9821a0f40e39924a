//! Prompts to embeddings: CLIP's pooled one and T5's states.
//!
//! A prompt is read as it is written, as in diffusers: weights in brackets are words.

use candle_core::Tensor;

use super::super::plain_prompt;
use super::profile::{Configs, FAMILY, TEXT_PARTS, TOKENIZERS};
use crate::models::prompt::plain_chunk;
use crate::models::text_tokenizer::check_rows;
use crate::models::tokenizer::guarded;
use crate::models::{ModelError, PromptTokenizer, TextTokenizer};
use crate::networks::clip::ClipText;
use crate::networks::t5::T5Encoder;
use crate::networks::{Parameters, Runtime};
use crate::store::ModelFiles;

/// The token after a prompt, and the one that fills it up.
const END: &str = "</s>";
const PAD: &str = "<pad>";

/// What the encoders make of a prompt.
#[derive(Clone)]
pub(super) struct Embedded {
    /// T5's states, `[1, M, K]`.
    pub(super) states: Tensor,
    /// CLIP's pooled state, `[1, P]`.
    pub(super) pooled: Tensor,
}

/// The small encoder, and the tokenizers of both.
pub(super) struct TextEncoders {
    clip: ClipText,
    clip_tokenizer: PromptTokenizer,
    clip_length: usize,
    t5_tokenizer: TextTokenizer,
    /// Tokens that T5 reads.
    t5_length: usize,
    end: u32,
    pad: u32,
    files: ModelFiles,
}

impl TextEncoders {
    pub(super) fn load(files: &ModelFiles, configs: &Configs, runtime: &Runtime) -> Result<Self, ModelError> {
        let parameters = Parameters::new(files.tensors(TEXT_PARTS[0])?, runtime);
        let clip = runtime
            .run(|| ClipText::new(&parameters, configs.clip.clone()))
            .map_err(ModelError::in_part(TEXT_PARTS[0]))?;
        let t5_tokenizer = TextTokenizer::open(files, TOKENIZERS[1])?;
        Ok(Self {
            clip,
            clip_tokenizer: guarded(files, || PromptTokenizer::open(files, "tokenizer"))?,
            clip_length: configs.clip.max_position_embeddings,
            end: t5_tokenizer.id(END)?,
            pad: t5_tokenizer.id(PAD)?,
            t5_tokenizer,
            t5_length: configs.max_tokens(),
            files: files.clone(),
        })
    }

    /// CLIP's state of the end of a prompt, `[1, P]`.
    pub(super) fn pooled(&self, prompt: &str, runtime: &Runtime) -> Result<Tensor, ModelError> {
        let tokenizer = &self.clip_tokenizer;
        let ids = guarded(&self.files, || plain_chunk(prompt, tokenizer, self.clip_length))?.ids;
        check_rows(&ids, self.clip.rows(), |id| tokenizer.word(id))?;
        let end = ids.iter().position(|id| *id == tokenizer.end).unwrap_or_default();
        let pooled = || self.clip.pooled(&self.clip.forward(&ids, self.clip_length)?.last, &[end]);
        Ok(runtime.run(pooled)?)
    }

    /// T5's ids of a prompt, its end and what fills it up.
    pub(super) fn t5_ids(&self, prompt: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.t5_tokenizer.ids(prompt)?;
        ids.truncate(self.t5_length - 1);
        ids.push(self.end);
        ids.resize(self.t5_length, self.pad);
        Ok(ids)
    }

    /// Whether T5 has a vector for each of its ids.
    ///
    /// # Errors
    /// [`ModelError::TokenWithoutRow`].
    pub(super) fn check(&self, ids: &[u32], t5: &T5Encoder) -> Result<(), ModelError> {
        check_rows(ids, t5.rows(), |id| self.t5_tokenizer.token(id))
    }

    /// What of a prompt is not done, one sentence each.
    pub(super) fn remarks_on(&self, prompt: &str) -> Vec<String> {
        // A prompt that cannot be read is an error later.
        let tokens = self.t5_tokenizer.ids(prompt).map_or(0, |ids| ids.len());
        plain_prompt::remarks_on(prompt, FAMILY, tokens, self.t5_length - 1)
    }
}
