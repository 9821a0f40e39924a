//! The model of all flow-transformer families: a large text encoder and a transformer, which are loaded one at a time
//! where memory is short, a cache of prompt embeddings, and a VAE.

use std::marker::PhantomData;
use std::sync::Arc;

use super::flow_family::{FlowConfigs, FlowFamily, ModelConfigs};
use super::flow_profile::{VAE, image_tokens};
use super::plain_prompt;
use super::token_denoiser::{Conditioned, TRANSFORMER};
use super::{ModelFamily, Progress};
use crate::catalog::ModelProfile;
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::models::in_turn::{InTurn, Loader};
use crate::models::memory::MemoryBudget;
use crate::models::runtime::{device_name, open_runtime_of_wide_range};
use crate::models::vae::Vae;
use crate::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, MemoryNeed, ModelError, ModelSettings,
    ReturnedAtOnce, budget, freed_pages,
};
use crate::networks::backend::DType;
use crate::networks::{NetworkError, Parameters, Runtime};
use crate::request::{CancelToken, DecodeChoice, Picture, PromptLength, PromptOptions, PromptTokens};
use crate::store::{Checkpoint, ModelFiles};
use crate::weights::{self, TensorMap, TensorSource};

/// Size of the cache of prompt embeddings: a prompt and a negative prompt.
const KEPT_PROMPTS: usize = 2;
/// Remark where memory is short.
const TAKES_TURNS: &str = "The text encoder and the transformer do not fit into memory together: each is loaded when \
                           it is needed, which takes time at every new prompt.";

/// What an encoded prompt depends on: its text, and the limit of its tokens.
type PromptKey = (String, Option<usize>);

/// A loaded model.
pub(super) struct FlowModel<F: FlowFamily> {
    profile: ModelProfile,
    runtime: Runtime,
    scheduler: SchedulerConfig,
    configs: Arc<F::Configs>,
    family: F,
    networks: InTurn<F::Encoder, F::Denoiser>,
    vae: Vae,
    memory: MemoryBudget,
    /// Cache of the last prompts' embeddings, so that another picture of the same prompts does not need the encoder.
    embedded: Vec<(PromptKey, F::Embedded)>,
}

/// Builds a network from its configuration and its weights.
type Build<C, N> = fn(&C, &Parameters, &CancelToken) -> Result<N, NetworkError>;

fn loader<C: Send + Sync + 'static, N: Send + 'static>(
    part: &'static str,
    source: Arc<dyn TensorSource>,
    runtime: &Runtime,
    configs: &Arc<C>,
    build: Build<C, N>,
) -> Loader<N> {
    let (parameters, configs) = (Parameters::new(source, runtime), Arc::clone(configs));
    Box::new(move |cancel| {
        // What the other network left, if it has just been freed.
        let _returned = ReturnedAtOnce::begin();
        freed_pages::release(parameters.runtime());
        parameters.runtime().run(|| build(&configs, &parameters, cancel)).map_err(ModelError::in_part(part))
    })
}

/// The weights of a model's parts.
struct Sources {
    /// The large text encoder, if the model has one.
    encoder: Option<Arc<dyn TensorSource>>,
    denoiser: Arc<dyn TensorSource>,
    vae: Arc<dyn TensorSource>,
    /// The small text encoders, which stay in memory as the VAE does.
    small: Vec<Arc<dyn TensorSource>>,
}

impl Sources {
    fn open<F: FlowFamily>(files: &ModelFiles, configs: &F::Configs) -> Result<Self, ModelError> {
        let (denoiser, vae) = (files.tensors(TRANSFORMER)?, files.tensors(VAE)?);
        let (mut encoder, mut small) = (None, Vec::new());
        for part in configs.parts() {
            if part == F::ENCODER {
                encoder = Some(files.tensors(part)?);
            } else if part != TRANSFORMER {
                small.push(files.tensors(part)?);
            }
        }
        Ok(Self { encoder, denoiser, vae, small })
    }

    /// Bytes of the weights that are loaded while the denoiser is at work. `in_turn`: the encoder is not among them.
    fn held(&self, in_turn: bool, runtime: &Runtime) -> u64 {
        let encoder = self.encoder.iter().filter(|_| !in_turn);
        let all = self.small.iter().chain([&self.denoiser, &self.vae]).chain(encoder);
        all.map(|source| budget::weight_bytes(&**source, runtime)).sum()
    }

    /// The memory that they need.
    fn need(&self, configs: &impl FlowConfigs, profile: &ModelProfile, runtime: &Runtime) -> MemoryNeed {
        let bytes = |source: &Arc<dyn TensorSource>| budget::weight_bytes(&**source, runtime);
        let size = profile.defaults.size;
        let latent = profile.format.latent_shape(size.width, size.height);
        let always = bytes(&self.vae) + self.small.iter().map(bytes).sum::<u64>();
        let at_work = bytes(&self.denoiser) + configs.work_bytes(latent, runtime.dtype());
        let encoder = self.encoder.as_ref().map(bytes);
        MemoryNeed {
            together: always + at_work + encoder.unwrap_or_default(),
            in_turn: encoder.map(|encoder| always + at_work.max(encoder)),
        }
    }
}

impl<F: FlowFamily> FlowModel<F> {
    /// Loads a model. Where memory cannot hold text encoder and transformer together, each is built when it is first
    /// used. `profile`: without the VAE's hash.
    pub(super) fn load(
        files: &ModelFiles,
        mut profile: ModelProfile,
        configs: ModelConfigs<F::Configs>,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let ModelConfigs { networks, vae, scheduler } = configs;
        let (configs, runtime) = (Arc::new(networks), open_runtime_of_wide_range(settings)?);
        let sources = Sources::open::<F>(files, &configs)?;
        let need = sources.need(&*configs, &profile, &runtime);
        let mut memory = MemoryBudget::new(settings.memory);
        let is_short = runtime.is_on_processor() && memory.check("the model", need.together).is_err();
        if is_short {
            memory.check("the model", need.in_turn.unwrap_or(need.together))?;
            profile.remarks.push(TAKES_TURNS.to_owned());
        }
        if runtime.is_on_processor() {
            memory = memory.holding(sources.held(is_short, &runtime));
        }
        let mut names = configs.parts();
        // The small ones are loaded first.
        names.sort_by_key(|part| [F::ENCODER, TRANSFORMER].contains(part));
        names.push(VAE);
        let mut begin = |part: &str| {
            let done = names.iter().position(|name| *name == part).unwrap_or_default();
            progress(part, done, names.len());
            if cancel.is_stopped() { Err(ModelError::Cancelled) } else { Ok(()) }
        };
        begin(names[0])?;
        let family = F::load(files, &configs, &runtime)?;
        let Sources { encoder, denoiser, vae: vae_source, .. } = sources;
        let has_encoder = encoder.is_some();
        let encoder = encoder.unwrap_or_else(|| Arc::new(TensorMap::default()));
        let encoder = loader(F::ENCODER, encoder, &runtime, &configs, F::build_encoder);
        let denoiser = loader(TRANSFORMER, denoiser, &runtime, &configs, F::build_denoiser);
        let mut networks = InTurn::new(encoder, denoiser, is_short);
        if !is_short {
            if has_encoder {
                begin(F::ENCODER)?;
            }
            networks.encoder(cancel)?;
            begin(TRANSFORMER)?;
            networks.denoiser(cancel)?;
        }
        begin(VAE)?;
        profile.vae_hash = weights::hash(&*vae_source)?;
        let vae = Vae::load(vae_source, vae, profile.format, &runtime, settings.tiles, memory)?;
        Ok(Self { profile, runtime, scheduler, configs, family, networks, vae, memory, embedded: Vec::new() })
    }

    /// Encodes a prompt, unless its embeddings are in the cache.
    fn embed(
        &mut self,
        prompt: &str,
        max_tokens: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<F::Embedded, ModelError> {
        let key = (prompt.to_owned(), max_tokens);
        if let Some((_, embedded)) = self.embedded.iter().find(|(of, _)| *of == key) {
            return Ok(embedded.clone());
        }
        let encoder = self.networks.encoder(cancel)?;
        let embedded = self.family.embed(&self.runtime, encoder, prompt, max_tokens, cancel)?;
        if self.embedded.len() == KEPT_PROMPTS {
            self.embedded.remove(0);
        }
        self.embedded.push((key, embedded.clone()));
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
        freed_pages::release(&self.runtime);
    }

    fn scheduler_config(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    fn scheduler_config_for(&self, latent: LatentShape, steps: usize) -> SchedulerConfig {
        F::Configs::scheduler_for(&self.scheduler, image_tokens(latent), steps)
    }

    fn remarks_on(&self, conditioning: &Conditioning) -> Vec<String> {
        let guidance = self.profile.guidance;
        let remarks_on = |prompt: &str| {
            let [tokens, room] = self.family.count(prompt, conditioning.options.max_tokens);
            plain_prompt::remarks_on(prompt, F::Configs::FAMILY, tokens, room)
        };
        let mut remarks = remarks_on(&conditioning.prompt);
        if conditioning.classifier_free_scale(guidance) > 1.0 {
            remarks.extend(remarks_on(&conditioning.negative_prompt));
        }
        remarks.extend(conditioning.unused(guidance));
        remarks
    }

    fn prompt_length(&self, prompt: &str) -> Option<PromptLength> {
        let [tokens, room] = self.family.count(prompt, None);
        (room > 0).then(|| PromptLength { chunks: vec![tokens], room })
    }

    fn prompt_tokens(&self, prompt: &str, options: &PromptOptions) -> Option<PromptTokens> {
        self.family.tokens(prompt, options.max_tokens).ok()
    }

    fn check_memory(&self, latent: LatentShape, _: usize) -> Result<(), ModelError> {
        let (width, height) = self.profile.format.image_size_px(latent);
        let what = format!("a picture of {width}×{height} pixels");
        self.memory.check(&what, budget::picture_bytes(width, height))?;
        if self.runtime.is_on_processor() {
            // Prompt and negative prompt are evaluated one after the other.
            self.memory.check(&what, self.configs.work_bytes(latent, self.runtime.dtype()))?;
        }
        Ok(())
    }

    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        let Conditioning { prompt, negative_prompt, options, .. } = conditioning;
        let is_guided = conditioning.classifier_free_scale(self.profile.guidance) > 1.0;
        let tokens = self.prompt_tokens(prompt, options).unwrap_or_default();
        let prompt = self.embed(prompt, options.max_tokens, cancel)?;
        let negative =
            is_guided.then(|| self.embed(negative_prompt, options.max_tokens, cancel)).transpose()?;
        let denoiser = self.networks.denoiser(cancel)?;
        let context = |embedded: &F::Embedded| {
            let family = &self.family;
            self.runtime
                .run(|| family.context(denoiser, embedded, conditioning, cancel))
                .map_err(ModelError::in_part(TRANSFORMER))
        };
        let contexts = (context(&prompt)?, negative.as_ref().map(context).transpose()?);
        let train = self.scheduler.num_train_timesteps;
        let skipped = options.skip_layers.map(|skip| skip.layers).unwrap_or_default();
        Ok(Box::new(Conditioned::new(&self.runtime, denoiser, contexts, tokens, train, skipped, cancel)))
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

/// The [`ModelFamily`] of a flow-transformer family.
pub(super) struct FlowModels<F>(PhantomData<fn() -> F>);

impl<F> FlowModels<F> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<F: FlowFamily> ModelFamily for FlowModels<F> {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        F::Configs::PIPELINES.contains(&checkpoint.class_name()) || F::Configs::has_parts(checkpoint)
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        ModelConfigs::<F::Configs>::read(checkpoint)?.profile(checkpoint)
    }

    fn memory_need(&self, checkpoint: &Checkpoint) -> Result<MemoryNeed, ModelError> {
        let configs = ModelConfigs::<F::Configs>::read(checkpoint)?;
        let sources = Sources::open::<F>(checkpoint.files(), &configs.networks)?;
        Ok(sources.need(&configs.networks, &configs.profile(checkpoint)?, &Runtime::processor(Some(1))))
    }

    fn load(
        &self,
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        let configs = ModelConfigs::<F::Configs>::read(checkpoint)?;
        let profile = configs.profile(checkpoint)?;
        let model = FlowModel::<F>::load(checkpoint.files(), profile, configs, settings, progress, cancel)?;
        Ok(Box::new(model))
    }
}
