//! Chroma: FLUX.1 schnell's architecture, de-distilled, with classifier-free guidance.

mod profile;

use self::profile::{Configs, MAX_TOKENS, TEXT, TOKENIZER};
use super::flow_family::FlowFamily;
use super::t5_reader::T5Reader;
use super::token_denoiser::{At, TokenDenoiser};
use crate::models::finite::finite;
use crate::models::{Conditioning, ModelError};
use crate::networks::backend::Tensor;
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::chroma::{ChromaContext, ChromaTransformer};
use crate::networks::ops::RotaryEmbedding;
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// Chroma.
pub(super) struct Chroma(T5Reader);

impl FlowFamily for Chroma {
    type Configs = Configs;
    type Encoder = T5Encoder;
    type Denoiser = ChromaTransformer;
    /// T5's hidden states of a prompt, `[1, M, K]`.
    type Embedded = Tensor;
    const ENCODER: &'static str = TEXT;

    fn build_encoder(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<T5Encoder, NetworkError> {
        T5Encoder::new(parameters, configs.t5.clone(), cancel)
    }

    fn build_denoiser(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<ChromaTransformer, NetworkError> {
        ChromaTransformer::new(parameters, configs.transformer.clone(), cancel)
    }

    fn load(files: &ModelFiles, _: &Configs, _: &Runtime) -> Result<Self, ModelError> {
        Ok(Self(T5Reader::open(files, TOKENIZER, MAX_TOKENS)?))
    }

    /// T5 masks all padding tokens, the transformer all but the first. The tokens that both mask are left out.
    fn embed(
        &self,
        runtime: &Runtime,
        t5: &T5Encoder,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let (ids, masked) = self.0.ids_with_one_pad(prompt, t5.rows(), max_tokens)?;
        runtime
            .run(|| t5.forward(&ids, masked, cancel))
            .map_err(ModelError::in_part(Self::ENCODER))
            .and_then(finite(Self::ENCODER))
    }

    fn context(
        &self,
        transformer: &ChromaTransformer,
        states: &Tensor,
        _: &Conditioning,
        _: &CancelToken,
    ) -> Result<ChromaContext, NetworkError> {
        transformer.context(states)
    }

    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        Ok(PromptTokens { chunks: vec![self.0.tokens(prompt, max_tokens)?] })
    }

    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.0.count(prompt, max_tokens)
    }
}

impl TokenDenoiser for ChromaTransformer {
    type Context = ChromaContext;
    type Positions = RotaryEmbedding;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst; 2];

    fn positions(&self, context: &ChromaContext, grid: [usize; 2]) -> Result<RotaryEmbedding, NetworkError> {
        self.positions(context, grid)
    }

    fn text_tokens(context: &ChromaContext) -> &Tensor {
        context.text_tokens()
    }

    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &ChromaContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, at.time, context, positions, cancel)
    }
}
