//! Z-Image and Z-Image Turbo.

mod profile;
mod text;

use candle_core::{DType, Tensor};

use self::profile::{Configs, PARTS, TEXT, TRANSFORMER, profile_of};
use self::text::TextReader;
use super::flow_model::{FlowFamily, FlowModel, Parts, count_parameters};
use super::token_denoiser::TokenDenoiser;
use super::{ModelFamily, Progress};
use crate::catalog::ModelProfile;
use crate::latent::LatentShape;
use crate::models::device::open_runtime_of_wide_range;
use crate::models::{Conditioning, LatentDiffusionModel, ModelError, ModelSettings};
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::z_image::{ZImageContext, ZImagePositions, ZImageTransformer};
use crate::networks::qwen3::Qwen3Encoder;
use crate::networks::{NetworkError, Runtime};
use crate::request::CancelToken;
use crate::store::Checkpoint;

/// Z-Image.
pub(super) struct ZImageFamily;

impl ModelFamily for ZImageFamily {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        profile::matches(checkpoint)
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        let configs = Configs::read(checkpoint)?;
        Ok(profile_of(checkpoint, &configs, count_parameters(checkpoint.files(), &PARTS)?))
    }

    fn load(
        &self,
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        let configs = Configs::read(checkpoint)?;
        let runtime = open_runtime_of_wide_range(settings)?;
        let parameters = count_parameters(checkpoint.files(), &PARTS)?;
        let profile = profile_of(checkpoint, &configs, parameters);
        let size = profile.defaults.size;
        let work = configs.work_bytes(profile.format.latent_shape(size.width, size.height), runtime.dtype());
        let (text, transformer, layers) =
            (configs.text.clone(), configs.transformer.clone(), configs.text_layers());
        let parts = Parts {
            profile,
            scheduler: configs.scheduler.clone(),
            vae: configs.vae.clone(),
            runtime,
            build_encoder: Box::new(move |vb, cancel| Qwen3Encoder::new(vb, text.clone(), layers, cancel)),
            build_denoiser: Box::new(move |vb, cancel| {
                ZImageTransformer::new(vb, transformer.clone(), cancel)
            }),
            has_encoder: true,
            small: &[],
            load_small: Box::new(move || Ok(ZImage { text: TextReader::open(checkpoint.files())?, configs })),
            work,
        };
        Ok(Box::new(FlowModel::load(checkpoint, parts, settings, progress, cancel)?))
    }
}

/// What is Z-Image's own.
struct ZImage {
    configs: Configs,
    text: TextReader,
}

impl FlowFamily for ZImage {
    type Encoder = Qwen3Encoder;
    type Denoiser = ZImageTransformer;
    /// The states of a prompt, `[1, M, K]`.
    type Embedded = Tensor;
    const ENCODER: &'static str = TEXT;

    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Qwen3Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let ids = self.text.ids(prompt, encoder.rows())?;
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

    fn remarks_on(&self, prompt: &str) -> Vec<String> {
        self.text.remarks_on(prompt)
    }

    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        self.configs.work_bytes(latent, dtype)
    }
}

impl TokenDenoiser for ZImageTransformer {
    type Context = ZImageContext;
    type Positions = ZImagePositions;
    const PART: &'static str = TRANSFORMER;
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
