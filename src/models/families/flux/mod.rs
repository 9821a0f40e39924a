//! FLUX.1 dev and schnell, and models derived from them.

mod profile;
mod text;

use self::profile::{Configs, TEXT_PARTS};
use self::text::{Embedded, TextEncoders};
use super::flow_family::FlowFamily;
use super::token_denoiser::{At, TokenDenoiser};
use crate::models::finite::finite;
use crate::models::{Conditioning, ModelError};
use crate::networks::backend::Tensor;
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::flux::{FluxContext, FluxTransformer};
use crate::networks::ops::RotaryEmbedding;
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// FLUX.1.
pub(super) struct Flux(TextEncoders);

impl FlowFamily for Flux {
    type Configs = Configs;
    type Encoder = T5Encoder;
    type Denoiser = FluxTransformer;
    type Embedded = Embedded;
    const ENCODER: &'static str = TEXT_PARTS[1];

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
    ) -> Result<FluxTransformer, NetworkError> {
        FluxTransformer::new(parameters, configs.transformer.clone(), cancel)
    }

    fn load(files: &ModelFiles, configs: &Configs, runtime: &Runtime) -> Result<Self, ModelError> {
        Ok(Self(TextEncoders::load(files, configs, runtime)?))
    }

    fn embed(
        &self,
        runtime: &Runtime,
        t5: &T5Encoder,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Embedded, ModelError> {
        let (_, pooled) = self.0.clip.read(prompt, runtime)?;
        let ids = self.0.t5.ids(prompt, t5.rows(), max_tokens)?;
        let states = runtime
            .run(|| t5.forward(&ids, 0, cancel))
            .map_err(ModelError::in_part(Self::ENCODER))
            .and_then(finite(Self::ENCODER))?;
        Ok(Embedded { states, pooled })
    }

    fn context(
        &self,
        transformer: &FluxTransformer,
        Embedded { states, pooled }: &Embedded,
        conditioning: &Conditioning,
        _: &CancelToken,
    ) -> Result<FluxContext, NetworkError> {
        transformer.context(states, pooled, conditioning.guidance_scale)
    }

    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        Ok(PromptTokens { chunks: vec![self.0.t5.tokens(prompt, max_tokens)?] })
    }

    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.0.count(prompt, max_tokens)
    }
}

impl TokenDenoiser for FluxTransformer {
    type Context = FluxContext;
    type Positions = RotaryEmbedding;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst; 2];

    fn positions(&self, context: &FluxContext, grid: [usize; 2]) -> Result<RotaryEmbedding, NetworkError> {
        self.positions(context.text_tokens().dim(1)?, grid)
    }

    fn text_tokens(context: &FluxContext) -> &Tensor {
        context.text_tokens()
    }

    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &FluxContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, at.time, context, positions, cancel)
    }
}
