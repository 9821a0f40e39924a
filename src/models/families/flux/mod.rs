//! FLUX.1: dev, schnell, and what was made of them.

mod denoiser;
mod profile;
mod text;

use candle_core::DType;

use self::denoiser::Conditioned;
use self::profile::{Configs, PARTS, TEXT_PARTS, profile_of};
use self::text::{Embedded, TextEncoders};
use super::{ModelFamily, Progress};
use crate::catalog::ModelProfile;
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::models::device::{device_name, open_runtime_of_wide_range};
use crate::models::in_turn::InTurn;
use crate::models::vae::Vae;
use crate::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, ModelError, ModelSettings, budget, memory,
};
use crate::networks::mmdit::flux::FluxTransformer;
use crate::networks::t5::T5Encoder;
use crate::networks::{Parameters, Runtime};
use crate::request::{CancelToken, DecodeChoice, Picture};
use crate::store::Checkpoint;
use crate::weights;

/// FLUX.1.
pub(super) struct FluxFamily;

/// A loaded model.
struct Flux {
    profile: ModelProfile,
    runtime: Runtime,
    configs: Configs,
    text: TextEncoders,
    networks: InTurn<T5Encoder, FluxTransformer>,
    vae: Vae,
    /// The last prompt and what the encoders made of it: another picture of it needs no encoder.
    embedded: Option<(String, Embedded)>,
}

impl ModelFamily for FluxFamily {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        profile::matches(checkpoint)
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        let configs = Configs::read(checkpoint)?;
        let mut parameters = 0;
        for part in PARTS {
            parameters += weights::parameters(&*checkpoint.files().tensors(part)?);
        }
        Ok(profile_of(checkpoint, &configs, parameters))
    }

    fn load(
        &self,
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        Ok(Box::new(Flux::load(checkpoint, settings, progress, cancel)?))
    }
}

impl Flux {
    fn load(
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let files = checkpoint.files();
        let configs = Configs::read(checkpoint)?;
        let runtime = open_runtime_of_wide_range(settings)?;
        let [clip_part, t5_part, transformer_part, vae_part] = PARTS;
        let [clip, t5] = [files.tensors(clip_part)?, files.tensors(t5_part)?];
        let [transformer, vae] = [files.tensors(transformer_part)?, files.tensors(vae_part)?];
        let all = [&clip, &t5, &transformer, &vae];
        let parameters = all.iter().map(|source| weights::parameters(&***source)).sum();
        let mut profile = profile_of(checkpoint, &configs, parameters);
        let size = profile.defaults.size;
        let work = configs.work_bytes(profile.format.latent_shape(size.width, size.height), runtime.dtype());
        let [clip_bytes, t5_bytes, transformer_bytes, vae_bytes] =
            all.map(|source| budget::weight_bytes(&**source, &runtime));
        let always = clip_bytes + vae_bytes;
        let is_short = runtime.device().is_cpu()
            && memory::check("the model", always + t5_bytes + transformer_bytes + work).is_err();
        if is_short {
            memory::check("the model", always + t5_bytes.max(transformer_bytes + work))?;
            profile.remarks.push(TAKES_TURNS.to_owned());
        }
        let mut begin = |done: usize| {
            progress(PARTS[done], done, PARTS.len());
            if cancel.is_stopped() { Err(ModelError::Cancelled) } else { Ok(()) }
        };
        begin(0)?;
        let text = TextEncoders::load(files, &configs, clip, &runtime)?;
        let t5_config = configs.t5.clone();
        let parameters = Parameters::new(t5, &runtime);
        let load_t5 = move |cancel: &CancelToken| {
            let build = || T5Encoder::new(&parameters, t5_config.clone(), cancel);
            parameters.runtime().run(build).map_err(ModelError::in_part(t5_part))
        };
        let transformer_config = configs.transformer.clone();
        let parameters = Parameters::new(transformer, &runtime);
        let load_transformer = move |cancel: &CancelToken| {
            let build = || FluxTransformer::new(&parameters, transformer_config.clone(), cancel);
            parameters.runtime().run(build).map_err(ModelError::in_part(transformer_part))
        };
        let mut networks = InTurn::new(Box::new(load_t5), Box::new(load_transformer), is_short);
        if !is_short {
            begin(1)?;
            networks.encoder(cancel)?;
            begin(2)?;
            networks.denoiser(cancel)?;
        }
        begin(3)?;
        profile.vae_hash = weights::hash(&*vae)?;
        let vae = Vae::load(vae, configs.vae.clone(), profile.format, &runtime, settings.tiles)?;
        Ok(Self { profile, runtime, configs, text, networks, vae, embedded: None })
    }

    /// What the encoders make of a prompt.
    fn embed(&mut self, prompt: &str, cancel: &CancelToken) -> Result<Embedded, ModelError> {
        if let Some((of, embedded)) = &self.embedded
            && of == prompt
        {
            return Ok(embedded.clone());
        }
        let pooled = self.text.pooled(prompt, &self.runtime)?;
        let ids = self.text.t5_ids(prompt)?;
        let t5 = self.networks.encoder(cancel)?;
        self.text.check(&ids, t5)?;
        let states =
            self.runtime.run(|| t5.forward(&ids, cancel)).map_err(ModelError::in_part(TEXT_PARTS[1]))?;
        let embedded = Embedded { states, pooled };
        self.embedded = Some((prompt.to_owned(), embedded.clone()));
        Ok(embedded)
    }
}

/// What a person should know where memory is short.
const TAKES_TURNS: &str = "The text encoder and the transformer do not fit into memory together: each is loaded when \
                           it is needed, which takes time at every new prompt.";

impl LatentDiffusionModel for Flux {
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
        &self.configs.scheduler
    }

    fn scheduler_config_for(&self, latent: LatentShape, _: usize) -> SchedulerConfig {
        self.configs.scheduler.for_image_tokens(profile::tokens(latent))
    }

    fn remarks_on(&self, conditioning: &Conditioning) -> Vec<String> {
        let mut remarks = self.text.remarks_on(&conditioning.prompt);
        remarks.extend(conditioning.unused(self.profile.guidance));
        remarks
    }

    fn check_memory(&self, latent: LatentShape, _: usize) -> Result<(), ModelError> {
        let (width, height) = self.profile.format.image_size_px(latent);
        let what = format!("a picture of {width}×{height} pixels");
        memory::check(&what, budget::picture_bytes(width, height))?;
        if self.runtime.device().is_cpu() {
            memory::check(&what, self.configs.work_bytes(latent, self.runtime.dtype()))?;
        }
        Ok(())
    }

    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        let Embedded { states, pooled } = self.embed(&conditioning.prompt, cancel)?;
        let transformer = self.networks.denoiser(cancel)?;
        let context = self
            .runtime
            .run(|| transformer.context(&states, &pooled, conditioning.guidance_scale))
            .map_err(ModelError::in_part(profile::TRANSFORMER))?;
        let train = self.configs.scheduler.num_train_timesteps;
        Ok(Box::new(Conditioned {
            runtime: &self.runtime,
            transformer,
            context,
            words: states.dim(1)?,
            train: train as f64,
            positions: None,
            cancel,
        }))
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
