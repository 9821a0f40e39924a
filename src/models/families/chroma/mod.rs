//! Chroma: FLUX.1 schnell's design with guidance that is not distilled away.

mod profile;

use candle_core::Tensor;

use self::profile::{Configs, MAX_TOKENS, TEXT, TOKENIZER};
use super::flow_family::FlowFamily;
use super::t5_reader::T5Reader;
use super::token_denoiser::TokenDenoiser;
use crate::models::{Conditioning, ModelError};
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::chroma::{ChromaContext, ChromaTransformer};
use crate::networks::ops::RotaryEmbedding;
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;
use crate::store::ModelFiles;

/// Chroma.
pub(super) struct Chroma(T5Reader);

impl FlowFamily for Chroma {
    type Configs = Configs;
    type Encoder = T5Encoder;
    type Denoiser = ChromaTransformer;
    /// The states of a prompt, `[1, M, K]`.
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

    /// What fills a prompt up is hidden from T5 and from the transformer, all but the first of it, which the transformer
    /// sees: what nobody sees is left out here.
    fn embed(
        &self,
        runtime: &Runtime,
        t5: &T5Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let (ids, unseen) = self.0.ids_and_one(prompt, t5.rows())?;
        runtime.run(|| t5.forward(&ids, unseen, cancel)).map_err(ModelError::in_part(Self::ENCODER))
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

    fn count(&self, prompt: &str) -> [usize; 2] {
        self.0.count(prompt)
    }
}

impl TokenDenoiser for ChromaTransformer {
    type Context = ChromaContext;
    type Positions = RotaryEmbedding;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst; 2];

    fn positions(&self, context: &ChromaContext, grid: [usize; 2]) -> Result<RotaryEmbedding, NetworkError> {
        self.positions(context, grid)
    }

    fn flow(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &ChromaContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, time, context, positions, cancel)
    }
}
