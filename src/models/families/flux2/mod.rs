//! FLUX.2 klein, distilled and base.

mod profile;

use self::profile::{Configs, TEXT, TEXT_LAYERS, TOKENIZER, TOKENS};
use super::flow_family::FlowFamily;
use super::qwen3_reader::{DOES_NOT_THINK, Qwen3Reader};
use super::token_denoiser::{At, TokenDenoiser};
use crate::models::finite::finite;
use crate::models::{Conditioning, ModelError};
use crate::networks::backend::Tensor;
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::flux2::{Flux2Context, Flux2Transformer};
use crate::networks::ops::RotaryEmbedding;
use crate::networks::qwen3::{Padding, Qwen3Encoder};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// FLUX.2 klein.
pub(super) struct Flux2(Qwen3Reader);

impl FlowFamily for Flux2 {
    type Configs = Configs;
    type Encoder = Qwen3Encoder;
    type Denoiser = Flux2Transformer;
    /// The hidden states of a prompt, `[1, 512, 3·C]`.
    type Embedded = Tensor;
    const ENCODER: &'static str = TEXT;

    fn build_encoder(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Qwen3Encoder, NetworkError> {
        let layers = TEXT_LAYERS[TEXT_LAYERS.len() - 1];
        Qwen3Encoder::new(parameters, configs.text.clone(), layers, cancel)
    }

    fn build_denoiser(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Flux2Transformer, NetworkError> {
        Flux2Transformer::new(parameters, configs.transformer.clone(), cancel)
    }

    fn load(files: &ModelFiles, _: &Configs, _: &Runtime) -> Result<Self, ModelError> {
        Ok(Self(Qwen3Reader::open(files, TOKENIZER, DOES_NOT_THINK, TOKENS)?))
    }

    /// The transformer attends to padding tokens too, so that their hidden states are needed.
    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Qwen3Encoder,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let (ids, count) = self.0.padded_ids(prompt, encoder.rows(), max_tokens)?;
        let states =
            runtime.run(|| encoder.forward(&ids, Padding { count, position: None }, &TEXT_LAYERS, cancel));
        states.map_err(ModelError::in_part(Self::ENCODER)).and_then(finite(Self::ENCODER))
    }

    fn context(
        &self,
        transformer: &Flux2Transformer,
        states: &Tensor,
        conditioning: &Conditioning,
        _: &CancelToken,
    ) -> Result<Flux2Context, NetworkError> {
        transformer.context(states, conditioning.guidance_scale)
    }

    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        Ok(PromptTokens { chunks: vec![self.0.tokens(prompt, max_tokens)?] })
    }

    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.0.count(prompt, max_tokens)
    }
}

impl TokenDenoiser for Flux2Transformer {
    type Context = Flux2Context;
    type Positions = RotaryEmbedding;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst; 2];

    fn positions(&self, context: &Flux2Context, grid: [usize; 2]) -> Result<RotaryEmbedding, NetworkError> {
        self.positions(context, grid)
    }

    fn text_tokens(context: &Flux2Context) -> &Tensor {
        context.text_tokens()
    }

    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &Flux2Context,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, at.time, context, positions, cancel)
    }
}
