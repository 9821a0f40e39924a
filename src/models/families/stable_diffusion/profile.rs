//! What is known of a Stable Diffusion model from its configuration.

use candle_core::DType;

use super::pipelines;
use crate::catalog::{GuidanceKind, ImageSize, ModelDefaults, ModelProfile, ModelSource, TimestepSpacing};
use crate::content::json::Json;
use crate::diffusion::SchedulerConfig;
use crate::latent::{LatentFormat, LatentShape};
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::clip::ClipTextConfig;
use crate::networks::unet::UNetConfig;
use crate::request::GenerationDraft;
use crate::store::Checkpoint;

/// The parts of a folder that hold text encoders and their tokenizers, the first one's before the second one's.
pub(super) const ENCODERS: [(&str, &str); 2] =
    [("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")];

/// The numbers that a UNet with further conditioning is told: the original picture's height and width, the crop's top and
/// left, and the picture's height and width.
const SIZES: usize = 6;
/// The width of OpenCLIP-H's embeddings, which SD 2.x reads.
const SD2_CONTEXT: usize = 1024;
/// The scheduler's name in the index.
const SCHEDULER: &str = "scheduler";
const UNET_FILE: &str = "unet/config.json";
const SCHEDULER_FILE: &str = "scheduler/scheduler_config.json";
/// Feature maps of the UNet's largest size that are in memory together, for each of the two prompts: those that are
/// kept for the way up, and those that a block works on. Rather too few than too many: what fits is not refused.
const FEATURE_MAPS: u64 = 8;

/// The configurations of a model's parts.
pub(super) struct Configs {
    /// One for each text encoder.
    pub(super) text: Vec<ClipTextConfig>,
    pub(super) unet: UNetConfig,
    pub(super) vae: AutoencoderConfig,
    pub(super) scheduler: SchedulerConfig,
    /// Whether an empty negative prompt stands for zeros instead of its embedding.
    pub(super) zeros_for_empty: bool,
}

/// Channels that an inpainting network takes: the noisy latent, the mask, the latent of what the mask leaves.
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
        }
        let mut unet: UNetConfig = files.json(UNET_FILE)?;
        // The one key where null is not the default: the network has no middle.
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
            scheduler: scheduler.in_pipeline(checkpoint.class_name()),
        };
        for (config, (part, _)) in configs.text.iter().zip(ENCODERS) {
            config.check().map_err(ModelError::in_part(part))?;
        }
        configs.unet.check().map_err(ModelError::in_part("unet"))?;
        configs.vae.check().map_err(ModelError::in_part("vae"))?;
        configs
            .scheduler
            .check()
            .map_err(|cause| ModelError::Scheduler { cause, path: files.path(SCHEDULER_FILE) })?;
        Ok(configs)
    }

    /// The width of each text encoder's embeddings.
    pub(super) fn text_widths(&self) -> Vec<usize> {
        self.text.iter().map(|text| text.hidden_size).collect()
    }

    /// Whether the parts go together.
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
                "the UNet takes a pooled prompt and sizes of width {width} together, but the second text encoder gives {} \
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

    /// Bytes that a step takes beside the weights, an estimate.
    pub(super) fn work_bytes(&self, latent: LatentShape, dtype: DType) -> u64 {
        let widest = self.unet.block_out_channels.first().copied().unwrap_or_default() as u64;
        let pixels = (latent.height as u64).saturating_mul(latent.width as u64);
        let prompts = 2;
        pixels.saturating_mul(widest * FEATURE_MAPS * prompts * dtype.size_in_bytes() as u64)
    }
}

/// The words of a name: what stands between other signs than letters and digits, and what begins with a capital after a
/// small letter. `SDXL_LightningV2` → `sdxl`, `lightning`, `v2`.
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

/// Whether a word says nothing of a model's kind: a version, a number format, a number of steps.
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

/// Whether a name says that the model is distilled to few steps.
///
/// A part of a word says nothing (`hyperrealism`, `vilcmodern`). `lcm` alone does; `turbo`, `lightning` and `hyper` are
/// ordinary words, too, and count where a distilled model's name has them: beside the family's name (`sd-turbo`,
/// `Hyper-SD15`), or, but for `hyper`, as the last word but for versions and steps (`dreamshaper-turbo-v2`,
/// `epic_lightning_4step`) and not in the middle of others (`photo-lightning-storms`).
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

/// What a model's files say of its distillation. A configuration is evidence; where it is silent, names are.
struct Distillation {
    /// Few steps without guidance are suggested.
    few_steps: bool,
    /// Guidance was trained into the network: another scale changes nothing.
    guidance_built_in: bool,
}

/// `names`: the folder's, and that of the model it came from.
fn distillation(names: [&str; 2], configs: &Configs) -> Distillation {
    let by_scheduler = matches!(configs.scheduler.class_name.as_str(), "LCMScheduler" | "TCDScheduler");
    let guidance_built_in = configs.unet.time_cond_proj_dim.is_some();
    // Distilled models are sampled from the last timestep on; so are those whose last timestep is pure noise.
    let trailing = configs.scheduler.timestep_spacing == Some(TimestepSpacing::Trailing)
        && !configs.scheduler.rescale_betas_zero_snr;
    let by_name = names.iter().any(|name| {
        let distilled = ["turbo", "lightning", "hyper", "lcm"];
        name_is_distilled(name)
            || (trailing && words(name).iter().any(|word| distilled.contains(&word.as_str())))
    });
    Distillation { few_steps: by_scheduler || guidance_built_in || by_name, guidance_built_in }
}

/// The size in pixels of a latent that the model suggests, within what can be drawn.
fn default_size(unet: &UNetConfig, downscale: usize) -> ImageSize {
    let most = GenerationDraft::MAX_EDGE_PX / downscale;
    let [height, width] = unet.default_latent_size().map(|edge| edge.clamp(1, most.max(1)) * downscale);
    ImageSize::new(width, height)
}

/// A remark where the index lists another scheduler than its configuration says. diffusers takes the index's; here the
/// configuration's counts, as its values were written for that.
fn other_scheduler(checkpoint: &Checkpoint, scheduler: &SchedulerConfig) -> Option<String> {
    let (listed, used) = (checkpoint.part_class(SCHEDULER)?, &scheduler.class_name);
    (listed != used).then(|| {
        format!("The folder's index lists the scheduler {listed}, and its configuration is of {used}, which is used.")
    })
}

/// What the configuration says of a model; the VAE's hash is not known yet.
pub(super) fn profile_of(checkpoint: &Checkpoint, configs: &Configs, parameters: u64) -> ModelProfile {
    let Configs { unet, vae, scheduler, .. } = configs;
    let downscale = vae.downscale();
    let format = LatentFormat {
        channels: vae.latent_channels,
        downscale,
        scale: vae.scaling_factor,
        shift: vae.shift_factor.unwrap_or(0.0),
    };
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
        size_multiple: downscale,
        defaults: ModelDefaults {
            size: default_size(unet, downscale),
            steps,
            guidance_scale,
            sampler: scheduler.suggested_sampler(),
        },
        guidance: if distilled.guidance_built_in { GuidanceKind::None } else { GuidanceKind::ClassifierFree },
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
            zeros_for_empty: false,
        }
    }

    #[test]
    fn a_distilled_model_is_told_by_whole_words() {
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
