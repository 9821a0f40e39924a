//! Stable Diffusion 1.x and 2.x, and every model of their design.

use candle_core::{DType, Device, Tensor};

use super::device::{choose_dtype, device_name, open_device};
use super::memory::{in_tiles_if_short, limits};
use super::prompt::{Chunk, chunks, empty_chunk, weighted};
use super::weights::Weights;
use super::{DecodedPicture, Encoded, LatentDiffusionModel, ModelError, ModelSettings, PromptTokenizer};
use crate::diffusion::{Branch, DiffusionError, NoisePredictor, SchedulerConfig};
use crate::latent::{Latent, LatentFormat, LatentShape};
use crate::networks::autoencoder::{Autoencoder, AutoencoderConfig};
use crate::networks::clip::{ClipText, ClipTextConfig};
use crate::networks::ops::threads;
use crate::networks::unet::{PerLevel, Prompts, UNet, UNetConfig};
use crate::request::{
    CancelToken, DecodeChoice, ImageSize, ModelChoice, ModelDefaults, ModelFamily, ModelProfile, Picture,
    TileChoice,
};
use crate::store::{ModelFiles, detect};

/// The width of OpenCLIP-H's embeddings, which SD 2.x reads.
const SD2_CONTEXT: usize = 1024;
/// Parts of a model that are loaded one after another.
const PARTS: [&str; 3] = ["text_encoder", "unet", "vae"];

struct Configs {
    text: ClipTextConfig,
    unet: UNetConfig,
    vae: AutoencoderConfig,
    scheduler: SchedulerConfig,
}

/// A loaded model.
pub(super) struct StableDiffusion {
    profile: ModelProfile,
    device: Device,
    dtype: DType,
    configs: Configs,
    tokenizer: PromptTokenizer,
    text: ClipText,
    unet: UNet,
    vae: Autoencoder,
    tiles: TileChoice,
    files: ModelFiles,
}

fn read_configs(files: &ModelFiles) -> Result<Configs, ModelError> {
    let configs = Configs {
        text: files.json("text_encoder/config.json")?,
        unet: files.json("unet/config.json")?,
        vae: files.json("vae/config.json")?,
        scheduler: files.json("scheduler/scheduler_config.json")?,
    };
    configs.text.check().map_err(ModelError::in_part("text_encoder"))?;
    configs.unet.check().map_err(ModelError::in_part("unet"))?;
    configs.vae.check().map_err(ModelError::in_part("vae"))?;
    if !(2..=100_000).contains(&configs.scheduler.num_train_timesteps) {
        let found = configs.scheduler.num_train_timesteps;
        return Err(ModelError::Mismatch(format!(
            "the scheduler was configured with {found} training timesteps"
        )));
    }
    Ok(configs)
}

/// A distilled model needs few steps and no guidance; files do not say so, names do.
fn is_distilled(name: &str, scheduler: &SchedulerConfig) -> bool {
    let name = name.to_lowercase();
    let by_name = ["turbo", "lcm", "lightning", "hyper"].iter().any(|word| name.contains(word));
    by_name || scheduler.class_name == "LCMScheduler"
}

fn profile_of(choice: &ModelChoice, configs: &Configs, index_name: &str, parameters: u64) -> ModelProfile {
    let Configs { unet, vae, scheduler, .. } = configs;
    let downscale = vae.downscale();
    let format = LatentFormat {
        channels: vae.latent_channels,
        downscale,
        scale: vae.scaling_factor,
        shift: vae.shift_factor.unwrap_or(0.0),
    };
    let native = match &unet.sample_size {
        PerLevel::One(edge) => *edge,
        PerLevel::Each(edges) => edges.first().copied().unwrap_or(64),
    } * downscale;
    let name = choice.short_name();
    let distilled = is_distilled(&name, scheduler) || is_distilled(index_name, scheduler);
    let builtin = *choice == ModelChoice::Builtin;
    ModelProfile {
        choice: choice.clone(),
        name,
        family: if unet.cross_attention_dim == SD2_CONTEXT {
            ModelFamily::StableDiffusion2
        } else {
            ModelFamily::StableDiffusion1
        },
        format,
        prediction: scheduler.prediction_type,
        size_multiple: downscale * unet.latent_multiple(),
        defaults: ModelDefaults {
            size: ImageSize::new(native, native),
            steps: if distilled {
                4
            } else if builtin {
                20
            } else {
                25
            },
            guidance_scale: if distilled {
                1.0
            } else if builtin {
                3.0
            } else {
                7.5
            },
            sampler: scheduler.suggested_sampler(),
        },
        uses_guidance: !distilled,
        parameters,
        vae_hash: String::new(),
    }
}

/// What is known of a model from its configuration files.
pub(super) fn read_profile(choice: &ModelChoice) -> Result<ModelProfile, ModelError> {
    let files = ModelFiles::open(choice)?;
    let index = detect(&files)?;
    let configs = read_configs(&files)?;
    let mut parameters = 0;
    for part in PARTS {
        parameters += Weights::open(files.weights(part)?)?.parameters();
    }
    Ok(profile_of(choice, &configs, &index.name_or_path, parameters))
}

impl StableDiffusion {
    pub(super) fn load(
        choice: &ModelChoice,
        settings: ModelSettings,
        progress: &mut dyn FnMut(&str, usize, usize),
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let files = ModelFiles::open(choice)?;
        let index = detect(&files)?;
        let configs = read_configs(&files)?;
        if configs.unet.cross_attention_dim != configs.text.hidden_size {
            return Err(ModelError::Mismatch(format!(
                "the UNet reads embeddings of width {}, but the text encoder gives {}",
                configs.unet.cross_attention_dim, configs.text.hidden_size
            )));
        }
        let (taken, latent) = (configs.unet.in_channels, configs.vae.latent_channels);
        if taken != latent && taken != inpainting_channels(latent) {
            return Err(ModelError::Mismatch(format!(
                "the UNet takes {taken} channels where the VAE has {latent}; it should take as many, or {} for inpainting",
                inpainting_channels(latent)
            )));
        }
        let device = open_device(settings.device)?;
        let dtype = choose_dtype(settings, &device)?;
        let tokenizer = PromptTokenizer::open(&files)?;
        let mut parameters = 0;
        let mut open = |part: &'static str, done: usize| -> Result<Weights, ModelError> {
            if cancel.is_stopped() {
                return Err(ModelError::Cancelled);
            }
            progress(part, done, PARTS.len());
            let weights = Weights::open(files.weights(part)?)?;
            parameters += weights.parameters();
            Ok(weights)
        };
        let builder = open(PARTS[0], 0)?.into_var_builder(dtype, &device);
        let text = threads::run(|| ClipText::new(&builder, configs.text.clone()))
            .map_err(ModelError::in_part(PARTS[0]))?;
        let builder = open(PARTS[1], 1)?.into_var_builder(dtype, &device);
        let unet = threads::run(|| UNet::new(&builder, configs.unet.clone(), cancel))
            .map_err(ModelError::in_part(PARTS[1]))?;
        let weights = open(PARTS[2], 2)?;
        let vae_hash = weights.hash();
        let builder = weights.into_var_builder(dtype, &device);
        let vae = threads::run(|| Autoencoder::new(&builder, &configs.vae))
            .map_err(ModelError::in_part(PARTS[2]))?;
        let mut profile = profile_of(choice, &configs, &index.name_or_path, parameters);
        profile.vae_hash = vae_hash;
        Ok(Self { profile, device, dtype, configs, tokenizer, text, unet, vae, tiles: settings.tiles, files })
    }

    /// The embeddings of several prompts of as many chunks each, `[prompts, chunks · N, C]`, weights applied.
    ///
    /// All chunks go through the encoder together: its weights are read once.
    fn embed(&self, prompts: &[Vec<Chunk>]) -> candle_core::Result<Tensor> {
        let chunks: Vec<&Chunk> = prompts.iter().flatten().collect();
        let length = self.configs.text.max_position_embeddings;
        let ids: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.ids.iter().copied()).collect();
        let hidden = self.text.forward(&Tensor::from_vec(ids, (chunks.len(), length), &self.device)?)?;
        weighted(hidden, &chunks)?.reshape((prompts.len(), (), self.configs.text.hidden_size))
    }

    fn latent_tensor(&self, latent: &Latent) -> Result<Tensor, ModelError> {
        let format = self.profile.format;
        let LatentShape { channels, height, width } = latent.shape();
        if channels != format.channels {
            return Err(ModelError::Mismatch(format!(
                "a latent of {channels} channels does not fit this model's VAE, which has {}",
                format.channels
            )));
        }
        let vae = format.vae_from_model(latent);
        Ok(Tensor::from_slice(vae.values(), (1, channels, height, width), &Device::Cpu)?
            .to_device(&self.device)?)
    }

    /// Rows of pixels, about −1..=1, and whether memory was short.
    fn decoded(
        &self,
        vae: &Autoencoder,
        latent: &Tensor,
        tiles: TileChoice,
        cancel: &CancelToken,
    ) -> Result<(Vec<f32>, bool), ModelError> {
        let (decoded, was_short) = in_tiles_if_short(limits(tiles, &self.device), |limits| {
            threads::run(|| vae.decode(latent, limits, cancel))
        })
        .map_err(ModelError::in_part("vae"))?;
        // `[1, 3, H, W]` to rows of pixels.
        let rows = decoded.squeeze(0)?.permute((1, 2, 0))?.to_dtype(DType::F32)?.flatten_all()?;
        Ok((rows.to_vec1()?, was_short))
    }
}

/// −1..=1 to bytes, as diffusers: halved, shifted, clamped, rounded.
fn picture_from_values(values: &[f32], width: usize, height: usize) -> Result<Picture, ModelError> {
    let bytes: Vec<u8> =
        values.iter().map(|v| ((v / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8).collect();
    Picture::new(width, height, bytes).map_err(|error| ModelError::Mismatch(error.to_string()))
}

impl LatentDiffusionModel for StableDiffusion {
    fn profile(&self) -> &ModelProfile {
        &self.profile
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn device_name(&self) -> String {
        device_name(&self.device, self.dtype)
    }

    fn computes_in_halves(&self) -> bool {
        self.dtype != DType::F32
    }

    fn scheduler_config(&self) -> &SchedulerConfig {
        &self.configs.scheduler
    }

    fn condition<'a>(
        &'a mut self,
        prompt: &str,
        negative_prompt: &str,
        cancel: &'a CancelToken,
    ) -> Result<Box<dyn NoisePredictor + 'a>, ModelError> {
        let length = self.configs.text.max_position_embeddings;
        let mut prompts = [negative_prompt, prompt]
            .into_iter()
            .map(|text| chunks(text, &self.tokenizer, length))
            .collect::<Result<Vec<_>, _>>()?;
        let most = prompts.iter().map(Vec::len).max().unwrap_or_default();
        for prompt in &mut prompts {
            prompt.resize_with(most, || empty_chunk(&self.tokenizer, length));
        }
        let context = threads::run(|| self.embed(&prompts))?;
        Ok(Box::new(Conditioned { model: self, context, prompts: None, covered: None, cancel }))
    }

    fn decode(
        &self,
        latent: &Latent,
        how: DecodeChoice,
        cancel: &CancelToken,
    ) -> Result<DecodedPicture, ModelError> {
        let tensor = self.latent_tensor(latent)?;
        let (width, height) = self.profile.format.image_size_px(latent.shape());
        let tiles = how.tiles.unwrap_or(self.tiles);
        let is_finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        let mut notices = Vec::new();
        let (mut values, mut was_short) = (Vec::new(), false);
        let mut in_f32 = how.in_f32 && self.dtype != DType::F32;
        if !in_f32 {
            (values, was_short) = self.decoded(&self.vae, &tensor.to_dtype(self.dtype)?, tiles, cancel)?;
            if !is_finite(&values) && self.dtype != DType::F32 {
                // Some VAEs overflow f16 (SDXL's is known for it): once more in f32.
                in_f32 = true;
                notices.push(format!(
                    "The decoder's values overflowed in {}, so the picture was decoded again in f32.",
                    self.dtype.as_str()
                ));
            }
        }
        if in_f32 {
            let builder =
                Weights::open(self.files.weights("vae")?)?.into_var_builder(DType::F32, &self.device);
            let wide = Autoencoder::new(&builder, &self.configs.vae).map_err(ModelError::in_part("vae"))?;
            (values, was_short) = self.decoded(&wide, &tensor, tiles, cancel)?;
        }
        if !is_finite(&values) {
            return Err(ModelError::NotANumber);
        }
        if was_short {
            notices.push(
                "The device's memory was too short for the whole picture, so it was decoded in tiles."
                    .to_owned(),
            );
        }
        let notice = (!notices.is_empty()).then(|| notices.join(" "));
        Ok(DecodedPicture { picture: picture_from_values(&values, width, height)?, notice })
    }

    fn encode(&self, picture: &Picture, cancel: &CancelToken) -> Result<Encoded, ModelError> {
        let (width, height) = (picture.width(), picture.height());
        let format = self.profile.format;
        if width == 0 || height == 0 || !(width % format.downscale == 0 && height % format.downscale == 0) {
            return Err(ModelError::Mismatch(format!(
                "a picture of {width}×{height} pixels cannot be encoded: both edges must be multiples of {}",
                format.downscale
            )));
        }
        let values: Vec<f32> = picture.rgb().iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
        let pixels = Tensor::from_vec(values, (1, height, width, 3), &Device::Cpu)?.permute((0, 3, 1, 2))?;
        let pixels = pixels.to_device(&self.device)?.to_dtype(self.dtype)?;
        let ([mean, log_variance], _) = in_tiles_if_short(limits(self.tiles, &self.device), |limits| {
            threads::run(|| self.vae.encode(&pixels, limits, cancel))
        })
        .map_err(ModelError::in_part("vae"))?;
        let shape = format.latent_shape(width, height);
        let plain = |t: &Tensor| -> Result<Latent, ModelError> {
            let values: Vec<f32> = t.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Latent::new(shape, values).map_err(|error| ModelError::Mismatch(error.to_string()))
        };
        Ok(Encoded { mean: format.model_from_vae(&plain(&mean)?), log_variance: plain(&log_variance)? })
    }
}

/// The network with a prompt's embeddings.
struct Conditioned<'a> {
    model: &'a StableDiffusion,
    /// `[2, M, C]`: negative, prompt.
    context: Tensor,
    /// What the network attends to, made at the first step.
    prompts: Option<AllPrompts>,
    /// What an inpainting network takes beside the latent, `[1, 1 + C, H, W]`, made at the first step.
    covered: Option<Tensor>,
    cancel: &'a CancelToken,
}

/// The prompts of each [`Branch`].
struct AllPrompts {
    conditional: Prompts,
    both: Prompts,
}

/// Channels that an inpainting network takes: the noisy latent, the mask, the latent of what the mask leaves.
fn inpainting_channels(latent: usize) -> usize {
    2 * latent + 1
}

impl Conditioned<'_> {
    /// The noisy latent as the network takes it.
    ///
    /// An inpainting network also takes a mask and what the mask leaves of a picture. Here the whole is to
    /// be drawn: a mask of ones, and a picture that is grey all over (so do diffusers' inpainting pipeline
    /// with a white mask and AUTOMATIC1111's text-to-image).
    fn input(&mut self, noisy: &Tensor) -> Result<Tensor, ModelError> {
        let StableDiffusion { configs, dtype, device, vae, tiles, .. } = self.model;
        if configs.unet.in_channels == configs.vae.latent_channels {
            return Ok(noisy.clone());
        }
        let covered = if let Some(covered) = &self.covered {
            covered.clone()
        } else {
            let (_, _, height, width) = noisy.dims4()?;
            let downscale = configs.vae.downscale();
            let grey = Tensor::zeros((1, 3, height * downscale, width * downscale), *dtype, device)?;
            let ([mean, _], _) = in_tiles_if_short(limits(*tiles, device), |limits| {
                threads::run(|| vae.encode(&grey, limits, self.cancel))
            })
            .map_err(ModelError::in_part("vae"))?;
            let (scale, shift) = (configs.vae.scaling_factor, configs.vae.shift_factor.unwrap_or(0.0));
            let mask = Tensor::ones((1, 1, height, width), *dtype, device)?;
            Tensor::cat(&[mask, mean.affine(scale, -shift * scale)?], 1)?
        };
        let input = Tensor::cat(&[noisy, &covered], 1)?;
        self.covered = Some(covered);
        Ok(input)
    }
}

impl NoisePredictor for Conditioned<'_> {
    fn predict(&mut self, noisy: &Tensor, timestep: f64, branch: Branch) -> Result<Tensor, DiffusionError> {
        let input = self.input(&noisy.to_dtype(self.model.dtype)?)?;
        let (unet, context) = (&self.model.unet, &self.context);
        let predict = |prompts: &mut Option<AllPrompts>| {
            let made = if let Some(made) = prompts.take() {
                made
            } else {
                let both = unet.prompts(context)?;
                AllPrompts { conditional: both.one(1)?, both }
            };
            let AllPrompts { conditional, both } = prompts.insert(made);
            let prompts = if branch == Branch::Both { both } else { conditional };
            unet.forward(&input, timestep, prompts, self.cancel)
        };
        let output = threads::run(|| predict(&mut self.prompts)).map_err(ModelError::in_part("unet"))?;
        Ok(output.to_dtype(DType::F32)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{PredictionType, SamplerKind};

    fn fixture(name: &str) -> ModelChoice {
        ModelChoice::Folder(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name),
        )
    }

    #[test]
    fn a_folder_says_what_it_holds() {
        let profile = read_profile(&fixture("sd2")).unwrap();
        assert_eq!(profile.prediction, PredictionType::V);
        assert_eq!(profile.defaults.size, ImageSize::new(16, 16));
        assert_eq!((profile.format.downscale, profile.size_multiple), (2, 4));
        assert_eq!(profile.defaults.sampler, SamplerKind::Ddim);
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
