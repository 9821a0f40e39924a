//! Chroma: FLUX.1 schnell's design with guidance that is not distilled away.

mod profile;

use candle_core::{DType, Tensor};

use self::profile::{Configs, FAMILY, MAX_TOKENS, PARTS, TEXT, TOKENIZER, TRANSFORMER, profile_of};
use super::flow_model::{FlowFamily, FlowModel, Parts, count_parameters};
use super::plain_prompt;
use super::t5_reader::T5Reader;
use super::token_denoiser::TokenDenoiser;
use super::{ModelFamily, Progress};
use crate::catalog::ModelProfile;
use crate::latent::LatentShape;
use crate::models::device::open_runtime_of_wide_range;
use crate::models::{Conditioning, LatentDiffusionModel, ModelError, ModelSettings};
use crate::networks::mmdit::PatchOrder;
use crate::networks::mmdit::chroma::{ChromaContext, ChromaTransformer};
use crate::networks::ops::RotaryEmbedding;
use crate::networks::t5::T5Encoder;
use crate::networks::{NetworkError, Runtime};
use crate::request::CancelToken;
use crate::store::Checkpoint;

/// Chroma.
pub(super) struct ChromaFamily;

impl ModelFamily for ChromaFamily {
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
        let (scheduler, vae) = (configs.scheduler.clone(), configs.vae.clone());
        let open_text = move || {
            let text = T5Reader::open(checkpoint.files(), TOKENIZER, MAX_TOKENS)?;
            Ok(Chroma { configs, text })
        };
        let parts = Parts {
            profile,
            scheduler,
            vae,
            runtime,
            build_encoder: Box::new(move |vb, cancel| T5Encoder::new(vb, t5.clone(), cancel)),
            build_denoiser: Box::new(move |vb, cancel| {
                ChromaTransformer::new(vb, transformer.clone(), cancel)
            }),
            has_encoder: true,
            small: &[],
            load_small: Box::new(open_text),
            work,
        };
        Ok(Box::new(FlowModel::load(checkpoint, parts, settings, progress, cancel)?))
    }
}

/// What is Chroma's own.
struct Chroma {
    configs: Configs,
    text: T5Reader,
}

impl FlowFamily for Chroma {
    type Encoder = T5Encoder;
    type Denoiser = ChromaTransformer;
    /// The states of a prompt, `[1, M, K]`.
    type Embedded = Tensor;
    const ENCODER: &'static str = TEXT;

    /// What fills a prompt up is hidden from T5 and from the transformer, all but the first of it, which the transformer
    /// sees: what nobody sees is left out here.
    fn embed(
        &self,
        runtime: &Runtime,
        t5: &T5Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Tensor, ModelError> {
        let (ids, unseen) = self.text.ids_and_one(prompt, t5.rows())?;
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

    fn remarks_on(&self, prompt: &str) -> Vec<String> {
        let [tokens, room] = self.text.count(prompt);
        plain_prompt::remarks_on(prompt, FAMILY, tokens, room)
    }

    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        self.configs.work_bytes(latent, dtype)
    }
}

impl TokenDenoiser for ChromaTransformer {
    type Context = ChromaContext;
    type Positions = RotaryEmbedding;
    const PART: &'static str = TRANSFORMER;
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
