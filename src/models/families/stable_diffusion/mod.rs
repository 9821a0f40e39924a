//! Stable Diffusion 1.x, 2.x and XL, and all models of their architecture.

mod denoiser;
mod pipelines;
mod probe;
mod profile;
mod text;

use std::sync::Arc;

use self::denoiser::Conditioned;
use self::profile::{Configs, ENCODERS, profile_of};
use self::text::{TextEncoders, added_words};
use super::word_watch::WordWatch;
use super::{ModelFamily, Progress};
use crate::catalog::{ImageSize, ModelProfile};
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::models::embeddings;
use crate::models::memory::MemoryBudget;
use crate::models::runtime::{device_name, open_runtime};
use crate::models::vae::Vae;
use crate::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, MemoryNeed, ModelError, ModelSettings,
    budget, freed_pages,
};
use crate::networks::backend::DType;
use crate::networks::unet::UNet;
use crate::networks::{Parameters, Runtime};
use crate::request::{CancelToken, DecodeChoice, Picture, PromptLength, PromptOptions, PromptTokens};
use crate::store::{Checkpoint, ModelFiles};
use crate::weights::{self, TensorSource};

#[cfg(test)]
pub(in crate::models) use self::pipelines::remarks;
pub(in crate::models) use self::probe::{Probe, ProbedText};

const UNET: &str = "unet";
const VAE: &str = "vae";

/// A loaded model.
pub(super) struct StableDiffusion {
    profile: ModelProfile,
    runtime: Runtime,
    configs: Configs,
    text: TextEncoders,
    unet: UNet,
    vae: Vae,
    memory: MemoryBudget,
}

/// Stable Diffusion 1.x, 2.x and XL.
pub(super) struct StableDiffusionFamily;

impl ModelFamily for StableDiffusionFamily {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        pipelines::matches(checkpoint)
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        read_profile(checkpoint)
    }

    fn memory_need(&self, checkpoint: &Checkpoint) -> Result<MemoryNeed, ModelError> {
        let configs = Configs::read(checkpoint)?;
        let sources = sources(checkpoint.files(), &configs)?;
        let profile = profile_of(checkpoint, &configs, 0);
        Ok(need(&sources, &configs, &profile, &Runtime::processor(Some(1))))
    }

    fn load(
        &self,
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Box<dyn LatentDiffusionModel>, ModelError> {
        Ok(Box::new(StableDiffusion::load(checkpoint, settings, progress, cancel)?))
    }
}

/// The parts of a model, in loading order.
fn parts(configs: &Configs) -> Vec<&'static str> {
    ENCODERS.iter().take(configs.text.len()).map(|(part, _)| *part).chain([UNET, VAE]).collect()
}

/// The weights of the parts.
fn sources(files: &ModelFiles, configs: &Configs) -> Result<Vec<Arc<dyn TensorSource>>, ModelError> {
    parts(configs).into_iter().map(|part| Ok(files.tensors(part)?)).collect()
}

/// Bytes of the parts' weights.
fn held(sources: &[Arc<dyn TensorSource>], runtime: &Runtime) -> u64 {
    sources.iter().map(|source| budget::weight_bytes(&**source, runtime)).sum()
}

/// The memory that the parts need together.
fn need(
    sources: &[Arc<dyn TensorSource>],
    configs: &Configs,
    profile: &ModelProfile,
    runtime: &Runtime,
) -> MemoryNeed {
    let ImageSize { width, height } = profile.defaults.size;
    let work = configs.work_bytes(profile.format.latent_shape(width, height), runtime.dtype());
    MemoryNeed { together: held(sources, runtime) + work, in_turn: None }
}

/// The profile of a model from its configuration files and the headers of its weights.
fn read_profile(checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
    let files = checkpoint.files();
    pipelines::check(checkpoint)?;
    let configs = Configs::read(checkpoint)?;
    configs.check_together()?;
    let mut parameters = 0;
    for part in parts(&configs) {
        parameters += weights::parameters(&*files.tensors(part)?);
    }
    let mut profile = profile_of(checkpoint, &configs, parameters);
    let (words, left_out) = embeddings::read(files, &configs.text_widths())?;
    profile.added_tokens = added_words(files, &words)?;
    profile.remarks.extend(left_out);
    Ok(profile)
}

impl StableDiffusion {
    fn load(
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let files = checkpoint.files();
        pipelines::check(checkpoint)?;
        let configs = Configs::read(checkpoint)?;
        configs.check_together()?;
        let runtime = open_runtime(settings)?;
        let parts = parts(&configs);
        // Opened once, so that the files checked here are the ones read below.
        let sources = sources(files, &configs)?;
        let parameters = sources.iter().map(|source| weights::parameters(&**source)).sum();
        let mut profile = profile_of(checkpoint, &configs, parameters);
        let mut memory = MemoryBudget::new(settings.memory);
        if runtime.is_on_processor() {
            memory.check("the model", need(&sources, &configs, &profile, &runtime).together)?;
            memory = memory.holding(held(&sources, &runtime));
        }
        let mut sources = sources.into_iter();
        let mut done = 0;
        let mut begin = || {
            progress(parts[done], done, parts.len());
            done += 1;
            if cancel.is_stopped() { Err(ModelError::Cancelled) } else { Ok(()) }
        };
        let (text, added, remarks) = TextEncoders::load(files, &configs, &runtime, &mut begin, &mut sources)?;
        profile.added_tokens = added;
        profile.remarks.extend(remarks);
        begin()?;
        let [Some(unet_source), Some(vae_source)] = [sources.next(), sources.next()] else {
            unreachable!("a source was opened for each part");
        };
        let parameters = Parameters::new(unet_source, &runtime);
        let unet = runtime
            .run(|| UNet::new(&parameters, configs.unet.clone(), cancel))
            .map_err(ModelError::in_part(UNET))?;
        begin()?;
        profile.vae_hash = weights::hash(&*vae_source)?;
        let vae =
            Vae::load(vae_source, configs.vae.clone(), profile.format, &runtime, settings.tiles, memory)?;
        Ok(Self { profile, runtime, configs, text, unet, vae, memory })
    }
}

impl LatentDiffusionModel for StableDiffusion {
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
        &self.configs.scheduler
    }

    fn prompt_length(&self, prompt: &str) -> Option<PromptLength> {
        self.text.prompt_length(prompt)
    }

    fn prompt_tokens(&self, prompt: &str, _: &PromptOptions) -> Option<PromptTokens> {
        self.text.prompt_tokens(prompt)
    }

    fn check_memory(&self, latent: LatentShape, batch: usize) -> Result<(), ModelError> {
        let (width, height) = self.profile.format.image_size_px(latent);
        let what = format!("a picture of {width}×{height} pixels");
        self.memory.check(&what, budget::picture_bytes(width, height))?;
        if self.runtime.is_on_processor() {
            // A GPU reports an error when it runs out of memory.
            self.memory
                .check(&what, budget::skip_bytes(&self.configs.unet, latent, batch, self.runtime.dtype()))?;
        }
        Ok(())
    }

    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        let Conditioning { prompt, negative_prompt, size, options, .. } = conditioning;
        let embedded = self.text.embed(&self.runtime, negative_prompt, prompt, options.clip_skip, cancel)?;
        // By default the whole of a picture of the size that is drawn.
        let [original, target] = [options.original_size, options.target_size].map(|of| of.unwrap_or(*size));
        let [left, top] = options.crop;
        let sizes = [original.height, original.width, top, left, target.height, target.width];
        let sizes = sizes.map(|edge| edge as f64);
        let words = WordWatch::new(self.text.prompt_tokens(prompt).unwrap_or_default());
        Ok(Box::new(Conditioned {
            model: self,
            embedded,
            sizes,
            cache: None,
            inpainting: None,
            words,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ModelSource, PredictionType, SamplerKind};
    use crate::models::tokenizer::guarded;

    fn fixture(name: &str) -> Checkpoint {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        Checkpoint::open(&ModelSource::Folder(folder)).unwrap()
    }

    #[test]
    fn a_profile_is_read_from_a_folder() {
        let profile = read_profile(&fixture("sd2")).unwrap();
        assert_eq!(profile.prediction, PredictionType::V);
        assert_eq!(profile.defaults.size, ImageSize::new(16, 16));
        assert_eq!((profile.format.downscale, profile.size_multiple), (2, 2));
        assert_eq!(profile.defaults.sampler, SamplerKind::Ddim);
    }

    #[test]
    fn a_tokenizer_that_panics_is_an_error() {
        let files = fixture("sd2").files().clone();
        assert_eq!(guarded(&files, || Ok(7)).unwrap(), 7);
        let error = guarded::<()>(&files, || panic!("a part of the library failed")).unwrap_err();
        assert!(
            error.to_string().starts_with("the tokenizer cannot be used: its files are damaged"),
            "{error}"
        );
    }

    #[test]
    fn loading_reports_each_part_and_can_be_cancelled() {
        let cancel = CancelToken::new();
        let mut parts = Vec::new();
        let settings = ModelSettings::default();
        let model = StableDiffusion::load(
            &fixture("sd2"),
            settings,
            &mut |part, done, total| parts.push((part.to_owned(), done, total)),
            &cancel,
        )
        .unwrap();
        assert_eq!(model.profile().prediction, PredictionType::V);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1], ("unet".to_owned(), 1, 3));
        cancel.stop();
        let stopped = StableDiffusion::load(&fixture("sd2"), settings, &mut |_, _, _| {}, &cancel);
        assert!(matches!(stopped, Err(ModelError::Cancelled)));
    }
}
