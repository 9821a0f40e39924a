//! Prompt encoding: the hidden states of two CLIP encoders, concatenated by channel and zero-padded, and after them
//! T5's.
//!
//! Source: Esser et al. 2024, section 4.1, and diffusers' pipeline.

use super::super::clip_reader::ClipReader;
use super::super::t5_reader::T5Reader;
use super::profile::{CLIP_PARTS, Configs, T5, T5_LENGTH, TOKENIZERS};
use crate::models::ModelError;
use crate::models::finite::finite;
use crate::networks::Runtime;
use crate::networks::backend::{D, Tensor};
use crate::networks::t5::T5Encoder;
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// The text encoders' output for a prompt.
#[derive(Clone)]
pub(in super::super) struct Embedded {
    /// Hidden states, `[1, 77 + 256, K]`.
    pub(super) states: Tensor,
    /// The pooled embeddings of both CLIP encoders, concatenated, `[1, P]`.
    pub(super) pooled: Tensor,
}

/// The CLIP text encoders, and the tokenizer of T5.
pub(super) struct TextEncoders {
    clips: [ClipReader; 2],
    t5: Option<T5Reader>,
    /// Width K of the hidden states.
    width: usize,
}

impl TextEncoders {
    pub(super) fn load(files: &ModelFiles, configs: &Configs, runtime: &Runtime) -> Result<Self, ModelError> {
        let [first, second] = &configs.clips;
        let clip = |number: usize, config| {
            ClipReader::load(files, [CLIP_PARTS[number], TOKENIZERS[number]], config, runtime)
        };
        let clips = [clip(0, first)?, clip(1, second)?];
        let t5 = configs.t5.as_ref().map(|_| T5Reader::open(files, TOKENIZERS[2], T5_LENGTH)).transpose()?;
        Ok(Self { clips, t5, width: configs.transformer.joint_attention_dim })
    }

    /// Encodes a prompt. Without T5 its hidden states are zeros.
    pub(super) fn embed(
        &self,
        runtime: &Runtime,
        t5: Option<&T5Encoder>,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Embedded, ModelError> {
        let (first, first_pooled) = self.clips[0].read(prompt, runtime)?;
        let (second, second_pooled) = self.clips[1].read(prompt, runtime)?;
        let clip_states = Tensor::cat(&[first.hidden, second.hidden], D::Minus1)?;
        let missing = self.width.saturating_sub(clip_states.dim(2)?);
        let clip_states = clip_states.pad_with_zeros(D::Minus1, 0, missing)?;
        let t5_states = match (&self.t5, t5) {
            (Some(reader), Some(t5)) => {
                let ids = reader.ids(prompt, t5.rows(), max_tokens)?;
                runtime
                    .run(|| t5.forward(&ids, 0, cancel))
                    .map_err(ModelError::in_part(T5))
                    .and_then(finite(T5))?
            }
            _ => Tensor::zeros(
                (1, max_tokens.unwrap_or(T5_LENGTH), self.width),
                clip_states.dtype(),
                clip_states.device(),
            )?,
        };
        let pooled = Tensor::cat(&[first_pooled, second_pooled], D::Minus1)?;
        Ok(Embedded { states: Tensor::cat(&[clip_states, t5_states], 1)?, pooled })
    }

    /// The tokens of CLIP and after them those of T5.
    pub(super) fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        let mut chunks = vec![self.clips[0].tokens(prompt)?];
        if let Some(t5) = &self.t5 {
            chunks.push(t5.tokens(prompt, max_tokens)?);
        }
        Ok(PromptTokens { chunks })
    }

    /// The tokens of a prompt, and how many of them T5 uses; 0 and 0 without T5.
    pub(super) fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.t5.as_ref().map_or([0, 0], |t5| t5.count(prompt, max_tokens))
    }
}
