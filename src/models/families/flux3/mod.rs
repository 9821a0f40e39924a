//! FLUX.3 Image Klein and Klein Base, text to image.

mod profile;

use self::profile::{Configs, MAX_TOKENS, TEXT, TEXT_LAYERS, TOKENIZER, WINDOW};
use super::flow_family::FlowFamily;
use super::qwen3_reader::{MAY_THINK, Qwen3Reader};
use super::token_denoiser::{At, TokenDenoiser};
use crate::models::finite::finite;
use crate::models::{Conditioning, ModelError};
use crate::networks::backend::Tensor;
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::flux3::{Flux3Context, Flux3Positions, Flux3Transformer};
use crate::networks::qwen3::{Padding, Qwen3Encoder};
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// The position of every padding token, as in the version of transformers that the model was trained with.
const PAD_POSITION: usize = 1;

/// FLUX.3 Image Klein.
pub(super) struct Flux3(Qwen3Reader);

impl FlowFamily for Flux3 {
    type Configs = Configs;
    type Encoder = Qwen3Encoder;
    type Denoiser = Flux3Transformer;
    /// The hidden states of a prompt, `[1, M, 8·C]`.
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
    ) -> Result<Flux3Transformer, NetworkError> {
        Flux3Transformer::new(parameters, configs.transformer.clone(), cancel)
    }

    fn load(files: &ModelFiles, _: &Configs, _: &Runtime) -> Result<Self, ModelError> {
        Ok(Self(Qwen3Reader::open(files, TOKENIZER, MAY_THINK, MAX_TOKENS)?))
    }

    /// Padding tokens share their position and attend to the prompt alone: their hidden states are equal, and one is
    /// computed for all.
    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Qwen3Encoder,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let (mut ids, pad, count) = self.0.ids_and_padding(prompt, encoder.rows(), WINDOW, max_tokens)?;
        let tokens = ids.len();
        let padding = Padding { count: count.min(1), position: Some(PAD_POSITION) };
        ids.extend(std::iter::repeat_n(pad, padding.count));
        let states = runtime
            .run(|| encoder.forward(&ids, padding, &TEXT_LAYERS, cancel))
            .map_err(ModelError::in_part(Self::ENCODER))
            .and_then(finite(Self::ENCODER))?;
        if count < 2 {
            return Ok(states);
        }
        let padded = states.narrow(1, tokens, 1)?.repeat((1, count - 1, 1))?;
        Ok(Tensor::cat(&[states, padded], 1)?)
    }

    fn context(
        &self,
        transformer: &Flux3Transformer,
        states: &Tensor,
        _: &Conditioning,
        _: &CancelToken,
    ) -> Result<Flux3Context, NetworkError> {
        transformer.context(states)
    }

    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        Ok(PromptTokens { chunks: vec![self.0.tokens(prompt, max_tokens)?] })
    }

    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.0.count(prompt, max_tokens)
    }
}

impl TokenDenoiser for Flux3Transformer {
    type Context = Flux3Context;
    type Positions = Flux3Positions;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst; 2];

    fn positions(&self, context: &Flux3Context, grid: [usize; 2]) -> Result<Flux3Positions, NetworkError> {
        self.positions(context, grid)
    }

    fn text_tokens(context: &Flux3Context) -> &Tensor {
        context.text_tokens()
    }

    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &Flux3Context,
        positions: &Flux3Positions,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, [at.time, at.target], context, positions, cancel)
    }
}
