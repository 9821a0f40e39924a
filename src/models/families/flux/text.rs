//! Prompts to embeddings: CLIP's pooled one and T5's states.
//!
//! A prompt is read as it is written, as in diffusers: weights in brackets are words.

use std::sync::Arc;

use candle_core::Tensor;

use super::profile::{Configs, TEXT_PARTS, TOKENIZERS};
use crate::models::prompt::plain_chunk;
use crate::models::text_tokenizer::check_rows;
use crate::models::tokenizer::guarded;
use crate::models::{ModelError, PromptTokenizer, TextTokenizer};
use crate::networks::clip::ClipText;
use crate::networks::t5::T5Encoder;
use crate::networks::{Parameters, Runtime};
use crate::store::ModelFiles;
use crate::weights::TensorSource;

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
    pub(super) fn load(
        files: &ModelFiles,
        configs: &Configs,
        clip: Arc<dyn TensorSource>,
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        let parameters = Parameters::new(clip, runtime);
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
        let mut remarks = Vec::new();
        if has_weights(prompt) {
            remarks.push(
                "FLUX.1 reads a prompt as it is written: weights in brackets are words to it.".to_owned(),
            );
        }
        // A prompt that cannot be read is an error later.
        let tokens = self.t5_tokenizer.ids(prompt).map_or(0, |ids| ids.len());
        let room = self.t5_length - 1;
        if tokens > room {
            remarks.push(format!(
                "The prompt has {tokens} tokens, and this model reads {room}: what is beyond them is left out."
            ));
        }
        remarks
    }
}

/// Whether a prompt has weights that AUTOMATIC1111 and others would follow, `(words:1.3)`.
fn has_weights(prompt: &str) -> bool {
    let mut before_brackets = prompt.split(')').rev().skip(1);
    before_brackets
        .any(|text| text.rsplit_once(':').is_some_and(|(_, weight)| weight.trim().parse::<f32>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::has_weights;

    #[test]
    fn weights_are_told_from_other_brackets() {
        assert!(has_weights("a (red: 1.3) fox"));
        for plain in ["a (red) fox", "at 10:30", "(two: three) foxes", ")", ""] {
            assert!(!has_weights(plain), "{plain}");
        }
    }
}
