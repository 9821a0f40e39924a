//! Prompt encoding: CLIP's pooled embedding and T5's hidden states.

use super::super::clip_reader::ClipReader;
use super::super::flow_family::FlowConfigs as _;
use super::super::t5_reader::T5Reader;
use super::profile::{Configs, TEXT_PARTS, TOKENIZERS};
use crate::models::ModelError;
use crate::networks::Runtime;
use crate::networks::backend::Tensor;
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

    /// The tokens of a prompt, and how many of them are used.
    pub(super) fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.t5.count(prompt, max_tokens)
    }
}
