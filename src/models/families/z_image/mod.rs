//! Z-Image and Z-Image Turbo.

mod profile;

use self::profile::{Configs, MAX_TOKENS, TEXT, TOKENIZER};
use super::flow_family::FlowFamily;
use super::qwen3_reader::{MAY_THINK, Qwen3Reader};
use super::token_denoiser::{At, TokenDenoiser};
use crate::models::finite::finite;
use crate::models::{Conditioning, ModelError};
use crate::networks::backend::Tensor;
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::z_image::{ZImageContext, ZImagePositions, ZImageTransformer};
use crate::networks::qwen3::{Padding, Qwen3Encoder};
use crate::networks::{JointTokens, NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, PromptTokens};
use crate::store::ModelFiles;

/// Z-Image.
pub(super) struct ZImage {
    reader: Qwen3Reader,
    /// The layer of the language model whose hidden states are used.
    layer: usize,
}

impl FlowFamily for ZImage {
    type Configs = Configs;
    type Encoder = Qwen3Encoder;
    type Denoiser = ZImageTransformer;
    /// Qwen3's hidden states of a prompt, `[1, M, K]`.
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

    fn load(files: &ModelFiles, configs: &Configs, _: &Runtime) -> Result<Self, ModelError> {
        let reader = Qwen3Reader::open(files, TOKENIZER, MAY_THINK, MAX_TOKENS)?;
        Ok(Self { reader, layer: configs.text_layers() })
    }

    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Qwen3Encoder,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let ids = self.reader.ids(prompt, encoder.rows(), max_tokens)?;
        runtime
            .run(|| encoder.forward(&ids, Padding::default(), &[self.layer], cancel))
            .map_err(ModelError::in_part(Self::ENCODER))
            .and_then(finite(Self::ENCODER))
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

    fn tokens(&self, prompt: &str, max_tokens: Option<usize>) -> Result<PromptTokens, ModelError> {
        Ok(PromptTokens { chunks: vec![self.reader.tokens(prompt, max_tokens)?] })
    }

    fn count(&self, prompt: &str, max_tokens: Option<usize>) -> [usize; 2] {
        self.reader.count(prompt, max_tokens)
    }
}

impl TokenDenoiser for ZImageTransformer {
    type Context = ZImageContext;
    type Positions = ZImagePositions;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsLast; 2];

    fn positions(&self, context: &ZImageContext, grid: [usize; 2]) -> Result<ZImagePositions, NetworkError> {
        self.positions(context, grid)
    }

    fn text_tokens(context: &ZImageContext) -> &Tensor {
        context.text_tokens()
    }

    /// The image tokens are padded, and the text follows them.
    fn joint_tokens(context: &ZImageContext, grid: [usize; 2]) -> Result<JointTokens, NetworkError> {
        let text = ZImageTransformer::padded_tokens(grid[0] * grid[1]);
        Ok(JointTokens { all: text + context.text_tokens().dim(1)?, text, image: 0 })
    }

    /// The network's time goes from 0 (noise) to 1 (data), and its flow is data − noise.
    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &ZImageContext,
        positions: &ZImagePositions,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        Ok(self.forward(tokens, 1.0 - at.time, context, positions, cancel)?.affine(-1.0, 0.0)?)
    }
}
