//! Z-Image and Z-Image Turbo.

mod profile;
mod text;

use candle_core::Tensor;

use self::profile::{Configs, TEXT};
use self::text::TextReader;
use super::flow_family::FlowFamily;
use super::token_denoiser::TokenDenoiser;
use crate::models::{Conditioning, ModelError};
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::z_image::{ZImageContext, ZImagePositions, ZImageTransformer};
use crate::networks::qwen3::Qwen3Encoder;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::CancelToken;
use crate::store::ModelFiles;

/// Z-Image.
pub(super) struct ZImage(TextReader);

impl FlowFamily for ZImage {
    type Configs = Configs;
    type Encoder = Qwen3Encoder;
    type Denoiser = ZImageTransformer;
    /// The states of a prompt, `[1, M, K]`.
    type Embedded = Tensor;
    const ENCODER: &'static str = TEXT;

    fn build_encoder(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<Qwen3Encoder, NetworkError> {
        Qwen3Encoder::new(parameters, configs.text.clone(), configs.text_layers(), cancel)
    }

    fn build_denoiser(
        configs: &Configs,
        parameters: &Parameters,
        cancel: &CancelToken,
    ) -> Result<ZImageTransformer, NetworkError> {
        ZImageTransformer::new(parameters, configs.transformer.clone(), cancel)
    }

    fn load(files: &ModelFiles, _: &Configs, _: &Runtime) -> Result<Self, ModelError> {
        Ok(Self(TextReader::open(files)?))
    }

    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Qwen3Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let ids = self.0.ids(prompt, encoder.rows())?;
        runtime.run(|| encoder.forward(&ids, cancel)).map_err(ModelError::in_part(Self::ENCODER))
    }

    fn context(
        &self,
        transformer: &ZImageTransformer,
        states: &Tensor,
        _: &Conditioning,
        cancel: &CancelToken,
    ) -> Result<ZImageContext, NetworkError> {
        transformer.context(states, cancel)
    }

    fn count(&self, prompt: &str) -> [usize; 2] {
        self.0.count(prompt)
    }
}

impl TokenDenoiser for ZImageTransformer {
    type Context = ZImageContext;
    type Positions = ZImagePositions;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsLast; 2];

    fn positions(&self, context: &ZImageContext, grid: [usize; 2]) -> Result<ZImagePositions, NetworkError> {
        self.positions(context, grid)
    }

    /// The network's time is the share of data, and its flow goes from noise to data.
    fn flow(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &ZImageContext,
        positions: &ZImagePositions,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        Ok(self.forward(tokens, 1.0 - time, context, positions, cancel)?.neg()?)
    }
}
