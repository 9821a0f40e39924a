//! FLUX.1: dev, schnell, and what was made of them.

mod profile;
mod text;

use candle_core::{DType, Tensor};

use self::profile::{Configs, PARTS, TEXT_PARTS, TRANSFORMER, profile_of};
use self::text::{Embedded, TextEncoders};
use super::flow_model::{FlowFamily, FlowModel, Parts, count_parameters};
use super::token_denoiser::TokenDenoiser;
use super::{ModelFamily, Progress};
use crate::catalog::ModelProfile;
use crate::latent::LatentShape;
use crate::models::device::open_runtime_of_wide_range;
use crate::models::{Conditioning, LatentDiffusionModel, ModelError, ModelSettings};
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::flux::{FluxContext, FluxTransformer};
use crate::networks::ops::RotaryEmbedding;
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Runtime};
use crate::request::CancelToken;
use crate::store::Checkpoint;

/// FLUX.1.
pub(super) struct FluxFamily;

impl ModelFamily for FluxFamily {
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
        let (t5, transformer) = (configs.t5.clone(), configs.transformer.clone());
        let parts = Parts {
            profile,
            scheduler: configs.scheduler.clone(),
            vae: configs.vae.clone(),
            build_encoder: Box::new(move |vb, cancel| T5Encoder::new(vb, t5.clone(), cancel)),
            build_denoiser: Box::new(move |vb, cancel| FluxTransformer::new(vb, transformer.clone(), cancel)),
            has_encoder: true,
            small: &[TEXT_PARTS[0]],
            load_small: Box::new({
                let runtime = runtime.clone();
                move || {
                    Ok(Flux { text: TextEncoders::load(checkpoint.files(), &configs, &runtime)?, configs })
                }
            }),
            runtime,
            work,
        };
        Ok(Box::new(FlowModel::load(checkpoint, parts, settings, progress, cancel)?))
    }
}

/// What is FLUX.1's own.
struct Flux {
    configs: Configs,
    text: TextEncoders,
}

impl FlowFamily for Flux {
    type Encoder = T5Encoder;
    type Denoiser = FluxTransformer;
    type Embedded = Embedded;
    const ENCODER: &'static str = TEXT_PARTS[1];

    fn embed(
        &self,
        runtime: &Runtime,
        t5: &T5Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Embedded, ModelError> {
        let (_, pooled) = self.text.clip.read(prompt, runtime)?;
        let ids = self.text.t5.ids(prompt, t5.rows())?;
        let states =
            runtime.run(|| t5.forward(&ids, 0, cancel)).map_err(ModelError::in_part(Self::ENCODER))?;
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

    fn remarks_on(&self, prompt: &str) -> Vec<String> {
        self.text.remarks_on(prompt)
    }

    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        self.configs.work_bytes(latent, dtype)
    }
}

impl TokenDenoiser for FluxTransformer {
    type Context = FluxContext;
    type Positions = RotaryEmbedding;
    const PART: &'static str = TRANSFORMER;
    const ORDERS: [PatchOrder; 2] = [PatchOrder::ChannelsFirst; 2];

    fn positions(&self, context: &FluxContext, grid: [usize; 2]) -> Result<RotaryEmbedding, NetworkError> {
        self.positions(context.words()?, grid)
    }

    fn flow(
        &self,
        tokens: &Tensor,
        time: f64,
        context: &FluxContext,
        positions: &RotaryEmbedding,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError> {
        self.forward(tokens, time, context, positions, cancel)
    }
}
