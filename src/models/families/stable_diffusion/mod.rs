//! Stable Diffusion 1.x and 2.x, and every model of their design.

mod denoiser;
mod pipelines;
mod profile;

use candle_core::{DType, Tensor};

use self::denoiser::Conditioned;
use self::profile::{Configs, profile_of};
use super::{ModelFamily, Progress};
use crate::catalog::{ImageSize, ModelProfile};
use crate::diffusion::{DenoisingNetwork, SchedulerConfig};
use crate::latent::{Latent, LatentShape};
use crate::models::added_tokens::AddedTokens;
use crate::models::device::{device_name, open_runtime};
use crate::models::embeddings::{self, LearnedWord};
use crate::models::prompt::{Chunk, chunks, empty_chunk, weighted};
use crate::models::tokenizer::guarded;
use crate::models::vae::Vae;
use crate::models::{
    Conditioning, DecodedPicture, Encoded, LatentDiffusionModel, ModelError, ModelSettings, PromptTokenizer,
    budget, memory,
};
use crate::networks::clip::ClipText;
use crate::networks::unet::UNet;
use crate::networks::{Parameters, Runtime};
use crate::request::{CancelToken, DecodeChoice, Picture};
use crate::store::{Checkpoint, ModelFiles};
use crate::weights;

#[cfg(test)]
pub(in crate::models) use self::pipelines::remarks;

/// Parts of a model that are loaded one after another.
const PARTS: [&str; 3] = ["text_encoder", "unet", "vae"];

/// A loaded model.
pub(super) struct StableDiffusion {
    profile: ModelProfile,
    runtime: Runtime,
    configs: Configs,
    tokenizer: PromptTokenizer,
    text: ClipText,
    unet: UNet,
    vae: Vae,
    files: ModelFiles,
}

/// Stable Diffusion 1.x and 2.x.
pub(super) struct StableDiffusionFamily;

impl ModelFamily for StableDiffusionFamily {
    fn matches(&self, checkpoint: &Checkpoint) -> bool {
        pipelines::matches(checkpoint)
    }

    fn profile(&self, checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
        read_profile(checkpoint)
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

/// What is known of a model from its configuration files and the headers of its weights.
fn read_profile(checkpoint: &Checkpoint) -> Result<ModelProfile, ModelError> {
    let files = checkpoint.files();
    let configs = Configs::read(checkpoint)?;
    configs.check_together()?;
    let mut parameters = 0;
    for part in PARTS {
        parameters += weights::parameters(&*files.tensors(part)?);
    }
    let mut profile = profile_of(checkpoint, &configs, parameters);
    let (words, left_out) = embeddings::read(files, configs.text.hidden_size)?;
    profile.added_tokens = added_words(&AddedTokens::read(files, "tokenizer")?, &words);
    profile.remarks.extend(left_out);
    Ok(profile)
}

/// The words that a model's folder adds to its vocabulary.
fn added_words(added: &AddedTokens, words: &[LearnedWord]) -> Vec<String> {
    added.learned().chain(words.iter().map(|learned| learned.word.as_str())).map(str::to_owned).collect()
}

impl StableDiffusion {
    fn load(
        checkpoint: &Checkpoint,
        settings: ModelSettings,
        progress: &mut Progress<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let files = checkpoint.files().clone();
        let configs = Configs::read(checkpoint)?;
        configs.check_together()?;
        let runtime = open_runtime(settings)?;
        let mut tokenizer = guarded(&files, || PromptTokenizer::open(&files, "tokenizer"))?;
        let [text_part, unet_part, vae_part] = PARTS;
        let (text_weights, unet_weights) = (files.tensors(text_part)?, files.tensors(unet_part)?);
        let vae_weights = files.tensors(vae_part)?;
        let all = [&text_weights, &unet_weights, &vae_weights];
        let parameters = all.iter().map(|source| weights::parameters(&***source)).sum();
        let mut profile = profile_of(checkpoint, &configs, parameters);
        let held: u64 = all.iter().map(|source| budget::weight_bytes(&***source, &runtime)).sum();
        let ImageSize { width, height } = profile.defaults.size;
        let work = configs.work_bytes(profile.format.latent_shape(width, height), runtime.dtype());
        if runtime.device().is_cpu() {
            memory::check("the model", held + work)?;
        }
        let mut begin = |done: usize| {
            progress(PARTS[done], done, PARTS.len());
            if cancel.is_stopped() { Err(ModelError::Cancelled) } else { Ok(()) }
        };
        begin(0)?;
        let tensors = Parameters::new(text_weights, &runtime);
        let mut text = runtime
            .run(|| ClipText::new(&tensors, configs.text.clone()))
            .map_err(ModelError::in_part(text_part))?;
        let (words, left_out) = embeddings::read(&files, configs.text.hidden_size)?;
        profile.added_tokens = added_words(&AddedTokens::read(&files, "tokenizer")?, &words);
        profile.remarks.extend(left_out);
        profile.remarks.extend(embeddings::add(words, &mut tokenizer, &mut text)?);
        begin(1)?;
        let tensors = Parameters::new(unet_weights, &runtime);
        let unet = runtime
            .run(|| UNet::new(&tensors, configs.unet.clone(), cancel))
            .map_err(ModelError::in_part(unet_part))?;
        begin(2)?;
        profile.vae_hash = weights::hash(&*vae_weights)?;
        let vae = Vae::load(vae_weights, configs.vae.clone(), profile.format, &runtime, settings.tiles)?;
        Ok(Self { profile, runtime, configs, tokenizer, text, unet, vae, files })
    }

    /// The embeddings of several prompts of as many chunks each, `[prompts, chunks · N, C]`, weights applied.
    ///
    /// All chunks go through the encoder together: its weights are read once.
    fn embed(&self, prompts: &[Vec<Chunk>]) -> candle_core::Result<Tensor> {
        let chunks: Vec<&Chunk> = prompts.iter().flatten().collect();
        let length = self.configs.text.max_position_embeddings;
        let ids: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.ids.iter().copied()).collect();
        let hidden = self.text.forward(&ids, length)?.last;
        weighted(hidden, &chunks)?.reshape((prompts.len(), (), self.configs.text.hidden_size))
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
        self.runtime.release_scratch();
    }

    fn scheduler_config(&self) -> &SchedulerConfig {
        &self.configs.scheduler
    }

    fn check_memory(&self, latent: LatentShape, batch: usize) -> Result<(), ModelError> {
        let (width, height) = self.profile.format.image_size_px(latent);
        let what = format!("a picture of {width}×{height} pixels");
        memory::check(&what, budget::picture_bytes(width, height))?;
        if self.runtime.device().is_cpu() {
            // A GPU says so itself where its memory is short.
            memory::check(
                &what,
                budget::sampling_bytes(&self.configs.unet, latent, batch, self.runtime.dtype()),
            )?;
        }
        Ok(())
    }

    fn condition<'a>(
        &'a mut self,
        conditioning: &Conditioning,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn DenoisingNetwork + 'a>, ModelError> {
        let length = self.configs.text.max_position_embeddings;
        let mut prompts: Vec<Vec<Chunk>> = guarded(&self.files, || {
            let texts = [&conditioning.negative_prompt, &conditioning.prompt];
            texts.into_iter().map(|text| chunks(text, &self.tokenizer, length)).collect()
        })?;
        let rows = self.text.rows();
        let mut ids = prompts.iter().flatten().flat_map(|chunk| &chunk.ids);
        if let Some(id) = ids.find(|id| **id as usize >= rows) {
            let word = self.tokenizer.word(*id).unwrap_or_default();
            return Err(ModelError::TokenWithoutRow { word, id: *id, rows });
        }
        let most = prompts.iter().map(Vec::len).max().unwrap_or_default();
        for prompt in &mut prompts {
            prompt.resize_with(most, || empty_chunk(&self.tokenizer, length));
        }
        let context = self.runtime.run(|| self.embed(&prompts))?;
        Ok(Box::new(Conditioned { model: self, context, cache: None, covered: None, cancel }))
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

    fn fixture(name: &str) -> Checkpoint {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        Checkpoint::open(&ModelSource::Folder(folder)).unwrap()
    }

    #[test]
    fn a_folder_says_what_it_holds() {
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
    fn loading_tells_each_part_and_can_be_stopped() {
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
