//! Stable Diffusion 3 and 3.5.

mod profile;
mod text;

use self::profile::{Configs, T5};
use self::text::{Embedded, TextEncoders};
use super::flow_family::FlowFamily;
use super::token_denoiser::{At, TokenDenoiser};
use crate::models::{Conditioning, ModelError};
use crate::networks::backend::Tensor;
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::sd3::{Sd3Context, Sd3Transformer};
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// Stable Diffusion 3 and 3.5.
pub(super) struct StableDiffusion3(TextEncoders);

impl FlowFamily for StableDiffusion3 {
    type Configs = Configs;
    /// `None` in models without T5.
    type Encoder = Option<T5Encoder>;
    type Denoiser = Sd3Transformer;
    type Embedded = Embedded;
    const ENCODER: &'static str = T5;

    fn build_encoder(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Option<T5Encoder>, NetworkError> {
        configs.t5.as_ref().map(|t5| T5Encoder::new(parameters, t5.clone(), cancel)).transpose()
    }

    fn build_denoiser(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Sd3Transformer, NetworkError> {
        Sd3Transformer::new(parameters, configs.transformer.clone(), cancel)
    }

    fn load(files: &ModelFiles, configs: &Configs, runtime: &Runtime) -> Result<Self, ModelError> {
        Ok(Self(TextEncoders::load(files, configs, runtime)?))
    }

    fn embed(
        &self,
        runtime: &Runtime,
        t5: &Option<T5Encoder>,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Embedded, ModelError> {
        self.0.embed(runtime, t5.as_ref(), prompt, max_tokens, cancel)
    }

    fn context(
        &self,
        transformer: &Sd3Transformer,
        Embedded { states, pooled }: &Embedded,
        _: &Conditioning,
        _: &CancelToken,
    ) -> Result<Sd3Context, NetworkError> {
        transformer.context(states, pooled)
    }

    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        self.0.tokens(prompt, max_tokens)
    }

    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.0.count(prompt, max_tokens)
    }
}

impl TokenDenoiser for Sd3Transformer {
    type Context = Sd3Context;
    type Positions = Tensor;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst, PatchOrder::ChannelsLast];

    fn positions(&self, _: &Sd3Context, grid: [usize; 2]) -> Result<Tensor, NetworkError> {
        self.positions(grid)
    }

    fn text_tokens(context: &Sd3Context) -> &Tensor {
        context.text_tokens()
    }

    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &Sd3Context,
        positions: &Tensor,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, at.time, at.skipped, context, positions, cancel)
    }
}
