//! Configurations and profile of Stable Diffusion 1.x, 2.x and XL.

use super::pipelines;
use crate::catalog::{
    GuidanceKind, ImageSize, ModelDefaults, ModelProfile, ModelSource, PredictionType, PromptFeatures,
    TimestepSpacing,
};
use crate::content::json::Json;
use crate::diffusion::SchedulerConfig;
use crate::latent::{LatentFormat, LatentShape};
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::backend::DType;
use crate::networks::clip::ClipTextConfig;
use crate::networks::unet::UNetConfig;
use crate::request::GenerationDraft;
use crate::store::Checkpoint;

/// The text encoders and their tokenizers, as folder names.
pub(super) const ENCODERS: [(&str, &str); 2] =
    [("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")];

/// Numbers in SDXL's size conditioning: original height and width, top and left of the crop, target height and width.
const SIZES: usize = 6;
/// Width of OpenCLIP ViT-H's hidden states, which SD 2.x uses.
const SD2_CONTEXT: usize = 1024;
/// The scheduler's name in the index.
const SCHEDULER: &str = "scheduler";
const UNET_FILE: &str = "unet/config.json";
const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";
/// Feature maps of the UNet's highest resolution that are in memory at once, for each of the two prompts: skip
/// connections and a block's activations. A low estimate: a run that fits must not be refused.
const FEATURE_MAPS: u64 = 8;

/// The configurations of a model's parts.
pub(super) struct Configs {
    /// One for each text encoder.
    pub(super) text: Vec<ClipTextConfig>,
    pub(super) unet: UNetConfig,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
    /// Whether the scheduler's file does not say what the UNet predicts.
    pub(super) prediction_is_open: bool,
    /// Whether the embeddings of an empty negative prompt are replaced by zeros.
    pub(super) zeros_for_empty: bool,
}

/// Input channels of an inpainting UNet: noisy latent, mask, masked-image latent.
fn inpainting_channels(latent: usize) -> usize {
    2 * latent + 1
}

impl Configs {
    /// Reads and checks each file on its own.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Self, ModelError> {
        let files = checkpoint.files();
        let mut scheduler: SchedulerConfig = files.json(SCHEDULER_FILE)?;
        if scheduler.class_name.is_empty() {
            checkpoint.part_class(SCHEDULER).unwrap_or_default().clone_into(&mut scheduler.class_name);
        }
        if let Some(prediction) = checkpoint.source().prediction() {
            scheduler.prediction_type = prediction;
            // A flow has the noise of one.
            scheduler.use_flow_sigmas |= prediction == PredictionType::Flow;
        }
        let mut unet: UNetConfig = files.json(UNET_FILE)?;
        // The only key whose null is not its default: the network has no mid block.
        if files.document(UNET_FILE)?.get("mid_block_type") == Some(&Json::Null) {
            unet.mid_block_type = None;
        }
        scheduler.is_xl = unet.addition_widths().is_some();
        let encoders = if scheduler.is_xl { &ENCODERS[..] } else { &ENCODERS[..1] };
        let mut text = Vec::new();
        for (part, _) in encoders {
            text.push(files.json::<ClipTextConfig>(&format!("{part}/config.json"))?.of_text());
        }
        let configs = Self {
            // diffusers' default for models with two encoders.
            zeros_for_empty: text.len() > 1
                && checkpoint.flag("force_zeros_for_empty_prompt").unwrap_or(true),
            text,
            unet,
            vae: files.json("vae/config.json")?,
            prediction_is_open: files.document(SCHEDULER_FILE)?.get("prediction_type").is_none(),
            scheduler: scheduler.in_pipeline(checkpoint.class_name()),
        };
        for (config, (part, _)) in configs.text.iter().zip(ENCODERS) {
            config.check().map_err(ModelError::in_part(part))?;
        }
        configs.unet.check().map_err(ModelError::in_part("unet"))?;
        let vae = &configs.vae;
        let checked = if configs.scheduler.is_xl { vae.check() } else { vae.check_without_statistics() };
        checked.map_err(ModelError::in_part("vae"))?;
        configs
            .scheduler
            .check()
            .map_err(|cause| ModelError::Scheduler { cause, path: files.path(SCHEDULER_FILE) })?;
        Ok(configs)
    }

    /// The width of each text encoder's hidden states.
    pub(super) fn text_widths(&self) -> Vec<usize> {
        self.text.iter().map(|text| text.hidden_size).collect()
    }

    /// Checks that the widths of the parts match.
    ///
    /// # Errors
    /// [`ModelError::Mismatch`].
    pub(super) fn check_together(&self) -> Result<(), ModelError> {
        let taken = self.unet.cross_attention_dim;
        let given: usize = self.text.iter().map(|text| text.hidden_size).sum();
        if taken != given {
            let whose =
                if self.text.len() == 1 { "text encoder gives" } else { "text encoders together give" };
            return Err(ModelError::Mismatch(format!(
                "the UNet reads embeddings of width {taken}, but the {whose} {given}"
            )));
        }
        if let (Some([width, each]), [_, second]) = (self.unet.addition_widths(), &self.text[..])
            && width != second.projection_dim + SIZES * each
        {
            return Err(ModelError::Mismatch(format!(
                "the UNet takes a pooled embedding and size conditioning of width {width} together, but the second text encoder gives {} \
                 and {SIZES} sizes take {each} each",
                second.projection_dim
            )));
        }
        let (taken, latent) = (self.unet.in_channels, self.vae.latent_channels);
        if taken != latent && taken != inpainting_channels(latent) {
            return Err(ModelError::Mismatch(format!(
                "the UNet takes {taken} channels where the VAE has {latent}; it should take as many, or {} for inpainting",
                inpainting_channels(latent)
            )));
        }
        Ok(())
    }

    /// Bytes of activations of one step, an estimate.
    pub(super) fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let widest = self.unet.block_out_channels.first().copied().unwrap_or_default() as u64;
        let pixels = (latent.height as u64).saturating_mul(latent.width as u64);
        let prompts = 2;
        pixels.saturating_mul(widest * FEATURE_MAPS * prompts * dtype.size_in_bytes() as u64)
    }
}

/// The words of a name in lower case. A word ends at a character other than a letter or digit, and before a capital
/// after a lower-case letter. `SDXL_LightningV2` → `sdxl`, `lightning`, `v2`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && last.is_lowercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().unwrap_or(&mut String::new()).extend(c.to_lowercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a word says nothing of a model's kind: a version, a dtype, a number of steps.
fn is_marker(word: &str) -> bool {
    let plain =
        ["step", "steps", "fp16", "fp32", "bf16", "diffusers", "unet", "vae", "baked", "inpainting", "final"];
    let digits = word.strip_prefix('v').unwrap_or(word);
    let digits = digits.strip_suffix("steps").or_else(|| digits.strip_suffix("step")).unwrap_or(digits);
    plain.contains(&word) || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a word names a family of models: `sd`, `sd15`, `sdxl`, `xl`.
fn is_family(word: &str) -> bool {
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(name, "sd" | "sdxl" | "xl" | "ssd" | "stable" | "diffusion")
}

/// Whether a name says that the model is distilled for few steps.
///
/// Only whole words count (not `hyperrealism`, `vilcmodern`). `lcm` is enough; `turbo`, `lightning` and `hyper` are
/// also ordinary words and count only next to the family's name (`sd-turbo`, `Hyper-SD15`) or, except `hyper`, as the
/// last word before versions and step counts (`dreamshaper-turbo-v2`, `epic_lightning_4step`), not between other words
/// (`photo-lightning-storms`).
fn name_is_distilled(name: &str) -> bool {
    let words = words(name);
    let ends = words.iter().rposition(|word| !is_marker(word));
    words.iter().enumerate().any(|(i, word)| {
        let beside_family = i.checked_sub(1).and_then(|i| words.get(i)).is_some_and(|word| is_family(word))
            || words.get(i + 1).is_some_and(|word| is_family(word));
        match word.as_str() {
            "lcm" | "hypersd" | "sdturbo" | "sdxlturbo" => true,
            "turbo" | "lightning" => beside_family || (words.len() > 1 && ends == Some(i)),
            "hyper" => beside_family,
            _ => false,
        }
    })
}

/// How a model is distilled, by its configuration and, where that does not tell, by its names.
struct Distillation {
    /// Whether the defaults are few steps without guidance.
    few_steps: bool,
    /// Whether guidance was distilled into the network, so that the scale has no effect.
    guidance_built_in: bool,
}

/// `names`: the folder's, and that of the model it came from.
fn distillation(names: [&str; 2], configs: &Configs) -> Distillation {
    let by_scheduler = matches!(configs.scheduler.class_name.as_str(), "LCMScheduler" | "TCDScheduler");
    let guidance_built_in = configs.unet.time_cond_proj_dim.is_some();
    // Distilled models use trailing timestep spacing, but so do models with zero terminal SNR.
    let trailing = configs.scheduler.timestep_spacing == Some(TimestepSpacing::Trailing)
        && !configs.scheduler.rescale_betas_zero_snr;
    let by_name = names.iter().any(|name| {
        let distilled = ["turbo", "lightning", "hyper", "lcm"];
        name_is_distilled(name)
            || (trailing && words(name).iter().any(|word| distilled.contains(&word.as_str())))
    });
    Distillation { few_steps: by_scheduler || guidance_built_in || by_name, guidance_built_in }
}

/// The model's default size in pixels, clamped to the sizes that a request may have.
fn default_size(unet: &UNetConfig, downscale: usize) -> ImageSize {
    let most = GenerationDraft::MAX_EDGE_PX / downscale;
    let [height, width] = unet.default_latent_size().map(|edge| edge.clamp(1, most.max(1)) * downscale);
    ImageSize::new(width, height)
}

/// A remark where index and configuration name different scheduler classes. diffusers takes the index's; here the
/// configuration's is used, as its values were written for that class.
fn other_scheduler(checkpoint: &Checkpoint, scheduler: &SchedulerConfig) -> Option<String> {
    let (listed, used) = (checkpoint.part_class(SCHEDULER)?, &scheduler.class_name);
    (listed != used).then(|| {
        format!("The folder's index lists the scheduler {listed}, and its configuration is of {used}, which is used.")
    })
}

/// The profile of a model, without the VAE's hash.
pub(super) fn profile_of(checkpoint: &Checkpoint, configs: &Configs, parameters: u64) -> ModelProfile {
    let Configs { unet, vae, scheduler, .. } = configs;
    let downscale = vae.downscale();
    let [scale, shift] = vae.scale_and_shift();
    let format = LatentFormat { channels: vae.latent_channels, downscale, scale, shift };
    let name = checkpoint.files().name();
    let distilled = distillation([&name, checkpoint.origin()], configs);
    let (steps, guidance_scale) = match checkpoint.source() {
        _ if distilled.few_steps => (4, 1.0),
        ModelSource::Builtin => (20, 3.0),
        _ if unet.addition_embed_type.is_some() => (30, 5.0),
        _ => (25, 7.5),
    };
    ModelProfile {
        source: checkpoint.source().clone(),
        name,
        family: match unet.cross_attention_dim {
            _ if unet.addition_embed_type.is_some() => "Stable Diffusion XL",
            SD2_CONTEXT => "Stable Diffusion 2",
            _ => "Stable Diffusion 1",
        },
        format,
        prediction: scheduler.prediction_type,
        prediction_is_open: configs.prediction_is_open,
        size_multiple: downscale,
        defaults: ModelDefaults {
            size: default_size(unet, downscale),
            steps,
            guidance_scale,
            sampler: scheduler.suggested_sampler(),
        },
        guidance: if distilled.guidance_built_in { GuidanceKind::None } else { GuidanceKind::ClassifierFree },
        prompt_features: PromptFeatures {
            clip_layers: configs.text.iter().map(|clip| clip.num_hidden_layers).min().unwrap_or_default(),
            size_conditions: unet.addition_embed_type.is_some(),
            ..PromptFeatures::default()
        },
        step_limits: scheduler.step_limits(),
        remarks: pipelines::remarks(checkpoint)
            .into_iter()
            .chain(other_scheduler(checkpoint, scheduler))
            .chain(scheduler.remarks())
            .collect(),
        added_tokens: Vec::new(),
        parameters,
        vae_hash: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SamplerKind;

    fn configs(scheduler: SchedulerConfig) -> Configs {
        Configs {
            text: vec![ClipTextConfig::default()],
            unet: UNetConfig::default(),
            vae: AutoencoderConfig::default(),
            scheduler,
            prediction_is_open: false,
            zeros_for_empty: false,
        }
    }

    #[test]
    fn distilled_models_are_recognised_by_whole_words() {
        for name in [
            "sd-turbo",
            "SDXL_Lightning",
            "hyper-sd",
            "Hyper-SD15-8steps",
            "HyperSD",
            "LCM_Dreamshaper_v7",
            "dreamshaper-8-lcm",
            "DreamShaperTurbo_v2",
            "epic_lightning_4step_fp16",
            "sdTurbo",
        ] {
            assert!(name_is_distilled(name), "{name}");
        }
        for name in [
            "hyperrealism_v3",
            "hyper-realistic",
            "HyperRealism",
            "vilcmodern",
            "photo-lightning-storms",
            "turbosquid-style",
            "turbocharged",
            "enlightning",
            "turbo",
            "stable-diffusion-v1-5",
            "",
            "...",
        ] {
            assert!(!name_is_distilled(name), "{name}");
        }
    }

    #[test]
    fn configuration_counts_more_than_names() {
        let plain = || configs(SchedulerConfig::default());
        let few = |names, configs: &Configs| distillation(names, configs).few_steps;
        assert!(!few(["model", ""], &plain()));
        assert!(few(["b261bac6", "sd-turbo"], &plain()));
        let lcm = SchedulerConfig { class_name: "LCMScheduler".into(), ..SchedulerConfig::default() };
        assert!(few(["model", ""], &configs(lcm)));
        let trailing = SchedulerConfig {
            timestep_spacing: Some(TimestepSpacing::Trailing),
            ..SchedulerConfig::default()
        };
        assert!(few(["turbo", ""], &configs(trailing.clone())));
        assert!(!few(["model", ""], &configs(trailing.clone())));
        let zero_snr = SchedulerConfig { rescale_betas_zero_snr: true, ..trailing };
        assert!(!few(["turbo", ""], &configs(zero_snr)));
        assert!(!distillation(["sd-turbo", ""], &plain()).guidance_built_in, "a person may still ask for it");
    }

    #[test]
    fn the_index_names_a_scheduler_whose_file_does_not() {
        let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sd1");
        let folder = tempfile::tempdir().unwrap();
        for part in ["text_encoder", "unet", "vae", "scheduler"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
        }
        for file in ["text_encoder/config.json", "unet/config.json", "vae/config.json"] {
            std::fs::copy(fixture.join(file), folder.path().join(file)).unwrap();
        }
        let index = r#"{"_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "EulerDiscreteScheduler"]}"#;
        std::fs::write(folder.path().join("model_index.json"), index).unwrap();
        let profile = |scheduler: &str| {
            std::fs::write(folder.path().join(SCHEDULER_FILE), scheduler).unwrap();
            let checkpoint = Checkpoint::open(&ModelSource::Folder(folder.path().to_owned())).unwrap();
            profile_of(&checkpoint, &Configs::read(&checkpoint).unwrap(), 0)
        };
        for silent in ["{}", r#"{"_class_name": null}"#, r#"{"_class_name": "EulerDiscreteScheduler"}"#] {
            let profile = profile(silent);
            assert_eq!(
                (profile.defaults.sampler, profile.remarks.len()),
                (SamplerKind::Euler, 0),
                "{silent}"
            );
        }
        let other = profile(r#"{"_class_name": "DDIMScheduler"}"#);
        assert_eq!(other.defaults.sampler, SamplerKind::Ddim);
        assert!(
            matches!(&other.remarks[..], [one] if one.contains("EulerDiscreteScheduler")),
            "{:?}",
            other.remarks
        );
    }

    #[test]
    fn a_default_size_can_always_be_drawn() {
        use crate::networks::unet::PerLevel;
        let size = |sample_size| default_size(&UNetConfig { sample_size, ..UNetConfig::default() }, 8);
        assert_eq!(size(PerLevel::One(9)), ImageSize::new(72, 72));
        assert_eq!(size(PerLevel::Each(vec![8, 16])), ImageSize::new(128, 64));
        assert_eq!(size(PerLevel::One(0)), ImageSize::new(8, 8));
        assert_eq!(size(PerLevel::One(usize::MAX)), ImageSize::new(8192, 8192));
    }
}
