//! Stable Diffusion 3 and 3.5.

mod profile;
mod text;

use candle_core::{DType, Tensor};

use self::profile::{Configs, T5, TRANSFORMER, profile_of};
use self::text::{Embedded, TextEncoders};
use super::flow_model::{FlowFamily, FlowModel, Parts, count_parameters};
use super::token_denoiser::TokenDenoiser;
use super::{ModelFamily, Progress};
use crate::catalog::ModelProfile;
use crate::latent::LatentShape;
use crate::models::device::open_runtime_of_wide_range;
use crate::models::{Conditioning, LatentDiffusionModel, ModelError, ModelSettings};
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::sd3::{Sd3Context, Sd3Transformer};
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Runtime};
use crate::request::CancelToken;
use crate::store::Checkpoint;

/// Stable Diffusion 3 and 3.5.
pub(super) struct StableDiffusion3Family;

impl ModelFamily for StableDiffusion3Family {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        profile::matches(checkpoint)
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        let configs = Configs::read(checkpoint)?;
        let parameters = count_parameters(checkpoint.files(), &configs.parts())?;
        Ok(profile_of(checkpoint, &configs, parameters))
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
        let parameters = count_parameters(checkpoint.files(), &configs.parts())?;
        let profile = profile_of(checkpoint, &configs, parameters);
        let size = profile.defaults.size;
        let work = configs.work_bytes(profile.format.latent_shape(size.width, size.height), runtime.dtype());
        let (t5, transformer) = (configs.t5.clone(), configs.transformer.clone());
        let parts = Parts {
            profile,
            scheduler: configs.scheduler.clone(),
            vae: configs.vae.clone(),
            build_encoder: Box::new(move |vb, cancel| {
                t5.as_ref().map(|t5| T5Encoder::new(vb, t5.clone(), cancel)).transpose()
            }),
            build_denoiser: Box::new(move |vb, cancel| Sd3Transformer::new(vb, transformer.clone(), cancel)),
            has_encoder: configs.t5.is_some(),
            small: &profile::CLIP_PARTS,
            load_small: Box::new({
                let runtime = runtime.clone();
                move || {
                    let text = TextEncoders::load(checkpoint.files(), &configs, &runtime)?;
                    Ok(StableDiffusion3 { configs, text })
                }
            }),
            runtime,
            work,
        };
        Ok(Box::new(FlowModel::load(checkpoint, parts, settings, progress, cancel)?))
    }
}

/// What is Stable Diffusion 3's own.
struct StableDiffusion3 {
    configs: Configs,
    text: TextEncoders,
}

impl FlowFamily for StableDiffusion3 {
    /// `None` in models without T5.
    type Encoder = Option<T5Encoder>;
    type Denoiser = Sd3Transformer;
    type Embedded = Embedded;
    const ENCODER: &'static str = T5;

    fn embed(
        &self,
        runtime: &Runtime,
        t5: &Option<T5Encoder>,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Embedded, ModelError> {
        self.text.embed(runtime, t5.as_ref(), prompt, cancel)
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

    fn remarks_on(&self, prompt: &str) -> Vec<String> {
        self.text.remarks_on(prompt)
    }

    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        self.configs.work_bytes(latent, dtype)
    }
}

impl TokenDenoiser for Sd3Transformer {
    type Context = Sd3Context;
    type Positions = Tensor;
    const PART: &'static str = TRANSFORMER;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst, PatchOrder::ChannelsLast];

    fn positions(&self, _: &Sd3Context, grid: [usize; 2]) -> Result<Tensor, NetworkError> {
        self.positions(grid)
    }

    fn flow(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &Sd3Context,
        positions: &Tensor,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, time, context, positions, cancel)
    }
}
