//! What models of all families of flow transformers do alike: a large text encoder and a transformer that take turns
//! where memory is short, embeddings that are kept, a VAE.

use std::sync::Arc;

use candle_core::DType;

use super::Progress;
use super::token_denoiser::{Conditioned, TokenDenoiser};
use crate::catalog::ModelProfile;
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::models::device::device_name;
use crate::models::in_turn::{InTurn, Loader};
use crate::models::vae::Vae;
use crate::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, ModelError, ModelSettings, budget, memory,
};
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, DecodeChoice, Picture};
use crate::store::{Checkpoint, ModelFiles};
use crate::weights::{self, TensorMap, TensorSource};

/// Prompts whose embeddings are kept: a prompt and a negative one.
const KEPT_PROMPTS: usize = 2;
/// What a person should know where memory is short.
const TAKES_TURNS: &str = "The text encoder and the transformer do not fit into memory together: each is loaded when \
                           it is needed, which takes time at every new prompt.";

/// What is special about a family.
pub(super) trait FlowFamily: Send + Sync {
    /// The large text encoder.
    type Encoder: Send + Sync + 'static;
    /// The transformer.
    type Denoiser: TokenDenoiser + 'static;
    /// What the text encoders make of a prompt.
    type Embedded: Clone + Send + Sync;
    /// The large text encoder's name in diffusers' layout.
    const ENCODER: &'static str;

    /// What the text encoders make of a prompt.
    fn embed(
        &self,
        runtime: &Runtime,
        encoder: &Self::Encoder,
        prompt: &str,
        cancel: &CancelToken,
    ) -> Result<Self::Embedded, ModelError>;

    /// What the transformer makes of it.
    fn context(
        &self,
        denoiser: &Self::Denoiser,
        embedded: &Self::Embedded,
        conditioning: &Conditioning,
        cancel: &CancelToken,
    ) -> Result<<Self::Denoiser as TokenDenoiser>::Context, NetworkError>;

    /// What of a prompt is not done, one sentence each.
    fn remarks_on(&self, prompt: &str) -> Vec<String>;

    /// Bytes that a step takes beside the weights, an estimate: rather too few than too many, what fits is not refused.
    fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64;
}

/// The VAE's name in diffusers' layout.
pub(super) const VAE: &str = "vae";

/// Parameters of all the parts of these names.
pub(super) fn count_parameters(files: &ModelFiles, parts: &[&str]) -> Result<u64, ModelError> {
    let mut sum = 0;
    for part in parts {
        sum += weights::parameters(&*files.tensors(part)?);
    }
    Ok(sum)
}

/// Tokens of a latent's picture.
pub(super) fn image_tokens(latent: LatentShape) -> usize {
    (latent.height / 2) * (latent.width / 2)
}

/// A loaded model.
pub(super) struct FlowModel<F: FlowFamily> {
    profile: ModelProfile,
    runtime: Runtime,
    scheduler: SchedulerConfig,
    family: F,
    networks: InTurn<F::Encoder, F::Denoiser>,
    vae: Vae,
    /// The last prompts: another picture of them needs no encoder.
    embedded: Vec<(String, F::Embedded)>,
}

/// How a network is built from its weights.
pub(super) type Build<N> = Box<dyn Fn(&Parameters, &CancelToken) -> Result<N, NetworkError> + Send + Sync>;

/// What a model is loaded from.
pub(super) struct Parts<'a, F: FlowFamily> {
    /// What is known of it, but for the VAE's hash.
    pub(super) profile: ModelProfile,
    pub(super) scheduler: SchedulerConfig,
    pub(super) vae: AutoencoderConfig,
    pub(super) runtime: Runtime,
    pub(super) build_encoder: Build<F::Encoder>,
    pub(super) build_denoiser: Build<F::Denoiser>,
    /// Whether there is a large text encoder.
    pub(super) has_encoder: bool,
    /// The names of further parts with weights, which stay in memory, and what is made of them.
    pub(super) small: &'a [&'static str],
    pub(super) load_small: Box<dyn FnOnce() -> Result<F, ModelError> + 'a>,
    /// [`FlowFamily::work_bytes`] for the profile's default size.
    pub(super) work: u64,
}

fn loader<N: Send + 'static>(
    part: &'static str,
    source: Arc<dyn TensorSource>,
    runtime: &Runtime,
    build: Build<N>,
) -> Loader<N> {
    let parameters = Parameters::new(source, runtime);
    Box::new(move |cancel| {
        parameters.runtime().run(|| build(&parameters, cancel)).map_err(ModelError::in_part(part))
    })
}

impl<F: FlowFamily> FlowModel<F> {
    /// Loads a model, as much of it as memory has room for.
    pub(super) fn load(
        checkpoint: &Checkpoint,
        parts: Parts<'_, F>,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let Parts { mut profile, scheduler, vae, runtime, build_encoder, build_denoiser, .. } = parts;
        let (files, denoiser_part) = (checkpoint.files(), F::Denoiser::PART);
        // Some models go without the large encoder: its network is built from nothing then.
        let encoder: Arc<dyn TensorSource> =
            if parts.has_encoder { files.tensors(F::ENCODER)? } else { Arc::new(TensorMap::default()) };
        let sources = [encoder, files.tensors(denoiser_part)?, files.tensors(VAE)?];
        let [encoder_bytes, denoiser_bytes, mut always] =
            sources.each_ref().map(|source| budget::weight_bytes(&**source, &runtime));
        for part in parts.small {
            always += budget::weight_bytes(&*files.tensors(part)?, &runtime);
        }
        let at_work = denoiser_bytes + parts.work;
        let is_short = runtime.device().is_cpu()
            && memory::check("the model", always + encoder_bytes + at_work).is_err();
        if is_short {
            memory::check("the model", always + encoder_bytes.max(at_work))?;
            profile.remarks.push(TAKES_TURNS.to_owned());
        }
        let encoder_part = parts.has_encoder.then_some(F::ENCODER);
        let large = encoder_part.into_iter().chain([denoiser_part, VAE]);
        let names: Vec<&str> = parts.small.iter().copied().chain(large).collect();
        let mut begin = |part: &str| {
            let done = names.iter().position(|name| *name == part).unwrap_or_default();
            progress(part, done, names.len());
            if cancel.is_stopped() { Err(ModelError::Cancelled) } else { Ok(()) }
        };
        begin(names[0])?;
        let family = (parts.load_small)()?;
        let [encoder, denoiser, vae_source] = sources;
        let encoder = loader(F::ENCODER, encoder, &runtime, build_encoder);
        let denoiser = loader(denoiser_part, denoiser, &runtime, build_denoiser);
        let mut networks = InTurn::new(encoder, denoiser, is_short);
        if !is_short {
            if parts.has_encoder {
                begin(F::ENCODER)?;
            }
            networks.encoder(cancel)?;
            begin(denoiser_part)?;
            networks.denoiser(cancel)?;
        }
        begin(VAE)?;
        profile.vae_hash = weights::hash(&*vae_source)?;
        let vae = Vae::load(vae_source, vae, profile.format, &runtime, settings.tiles)?;
        Ok(Self { profile, runtime, scheduler, family, networks, vae, embedded: Vec::new() })
    }

    /// What the text encoders make of a prompt.
    fn embed(&mut self, prompt: &str, cancel: &CancelToken) -> Result<F::Embedded, ModelError> {
        if let Some((_, embedded)) = self.embedded.iter().find(|(of, _)| of == prompt) {
            return Ok(embedded.clone());
        }
        let encoder = self.networks.encoder(cancel)?;
        let embedded = self.family.embed(&self.runtime, encoder, prompt, cancel)?;
        if self.embedded.len() == KEPT_PROMPTS {
            self.embedded.remove(0);
        }
        self.embedded.push((prompt.to_owned(), embedded.clone()));
        Ok(embedded)
    }
}

impl<F: FlowFamily> LatentDiffusionModel for FlowModel<F> {
    fn profile(&self) -> &ModelProfile {
        &self.profile
    }

    fn device_name(&self) -> String {
        device_name(&self.runtime)
    }

    fn computes_in_halves(&self) -> bool {
        self.runtime.dtype() != DType::F32
    }

    fn release_scratch(&self) {
        self.runtime.release_scratch();
    }

    fn scheduler_config(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    fn scheduler_config_for(&self, latent: LatentShape, _: usize) -> SchedulerConfig {
        self.scheduler.for_image_tokens(image_tokens(latent))
    }

    fn remarks_on(&self, conditioning: &Conditioning) -> Vec<String> {
        let guidance = self.profile.guidance;
        let mut remarks = self.family.remarks_on(&conditioning.prompt);
        if guidance.classifier_free_scale(conditioning.guidance_scale) > 1.0 {
            remarks.extend(self.family.remarks_on(&conditioning.negative_prompt));
        }
        remarks.extend(conditioning.unused(guidance));
        remarks
    }

    fn check_memory(&self, latent: LatentShape, _: usize) -> Result<(), ModelError> {
        let (width, height) = self.profile.format.image_size_px(latent);
        let what = format!("a picture of {width}×{height} pixels");
        memory::check(&what, budget::picture_bytes(width, height))?;
        if self.runtime.device().is_cpu() {
            // The prompts are answered one after the other.
            memory::check(&what, self.family.work_bytes(latent, self.runtime.dtype()))?;
        }
        Ok(())
    }

    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        let prompt = self.embed(&conditioning.prompt, cancel)?;
        let is_guided = self.profile.guidance.classifier_free_scale(conditioning.guidance_scale) > 1.0;
        let negative = is_guided.then(|| self.embed(&conditioning.negative_prompt, cancel)).transpose()?;
        let denoiser = self.networks.denoiser(cancel)?;
        let context = |embedded: &F::Embedded| {
            let family = &self.family;
            self.runtime
                .run(|| family.context(denoiser, embedded, conditioning, cancel))
                .map_err(ModelError::in_part(F::Denoiser::PART))
        };
        let contexts = (context(&prompt)?, negative.as_ref().map(context).transpose()?);
        let train = self.scheduler.num_train_timesteps;
        Ok(Box::new(Conditioned::new(&self.runtime, denoiser, contexts, train, cancel)))
    }

    fn decode(
        &self,
        latent: &Latent,
        how: DecodeChoice,
        cancel: &CancelToken,
    ) -> Result<DecodedPicture, ModelError> {
        self.vae.decode(latent, how, cancel)
    }

    fn encode(&self, picture: &Picture, cancel: &CancelToken) -> Result<Encoded, ModelError> {
        self.vae.encode(picture, cancel)
    }
}
