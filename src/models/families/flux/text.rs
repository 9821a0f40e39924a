//! Prompt encoding: CLIP's pooled embedding and T5's hidden states.

use candle_core::Tensor;

use super::super::clip_reader::ClipReader;
use super::super::flow_family::FlowConfigs as _;
use super::super::plain_prompt;
use super::super::t5_reader::T5Reader;
use super::profile::{Configs, TEXT_PARTS, TOKENIZERS};
use crate::models::ModelError;
use crate::networks::Runtime;
use crate::store::ModelFiles;

/// The text encoders' output for a prompt.
#[derive(Clone)]
pub(in super::super) struct Embedded {
    /// T5's hidden states, `[1, M, K]`.
    pub(super) states: Tensor,
    /// CLIP's pooled embedding, `[1, P]`.
    pub(super) pooled: Tensor,
}

/// The CLIP text encoder, and the tokenizer of T5.
pub(super) struct TextEncoders {
    pub(super) clip: ClipReader,
    pub(super) t5: T5Reader,
}

impl TextEncoders {
    pub(super) fn load(files: &ModelFiles, configs: &Configs, runtime: &Runtime) -> Result<Self, ModelError> {
        let clip = ClipReader::load(files, [TEXT_PARTS[0], TOKENIZERS[0]], &configs.clip, runtime)?;
        Ok(Self { clip, t5: T5Reader::open(files, TOKENIZERS[1], configs.prompt_tokens())? })
    }

    /// Remarks on parts of a prompt that have no effect, one sentence each.
    pub(super) fn remarks_on(&self, prompt: &str, max_tokens: Option<usize>) -> Vec<String> {
        let [tokens, room] = self.t5.count(prompt, max_tokens);
        plain_prompt::remarks_on(prompt, Configs::FAMILY, tokens, room)
    }
}
