//! The profile of a FLUX.3 Image Klein model from its configuration.

use super::super::flow_family::FlowConfigs;
use super::super::flow_profile::{LATENT_EDGE, Special, check_text_layers, check_width, read_part};
use super::super::token_denoiser::TRANSFORMER;
use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::mmdit::flux3::Flux3Config;
use crate::networks::qwen3::Qwen3Config;
use crate::store::Checkpoint;

pub(super) const TEXT: &str = "text_encoder";
pub(super) const TOKENIZER: &str = "tokenizer";

/// The longest sequence of a prompt, the chat template included.
pub(super) const MAX_TOKENS: usize = 8192;
/// A sequence is padded to a multiple of this many tokens, which the transformer sees.
pub(super) const WINDOW: usize = 80;
/// The layers of Qwen3-VL whose hidden states are used.
pub(super) const TEXT_LAYERS: [usize; 8] = [4, 8, 12, 16, 20, 24, 28, 32];
/// The shift of a flow's times.
const SHIFT: f64 = 6.93;
/// A prompt of 100 to 350 words, as the model was trained on, has about this many tokens.
const USUAL_TOKENS: usize = 400;

/// The configuration of a vision-language model, whose text half alone is used.
#[derive(serde::Deserialize)]
struct VisionLanguageConfig {
    text_config: Qwen3Config,
}

/// The configurations of a model's text encoder and transformer.
pub(in super::super) struct Configs {
    pub(super) text: Qwen3Config,
    pub(super) transformer: Flux3Config,
}

impl FlowConfigs for Configs {
    const FAMILY: &'static str = "FLUX.3 Image Klein";
    const PIPELINES: &'static [&'static str] = &["Flux3ModularPipeline", "Flux3DistilledModularPipeline"];
    const ROWS_OF_A_BLOCK: u64 = 12;

    fn has_parts(checkpoint: &Checkpoint) -> bool {
        checkpoint.part_class(TRANSFORMER) == Some("Flux3Transformer2DModel")
    }

    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError> {
        let whole: VisionLanguageConfig = read_part(checkpoint, TEXT, |_| Ok(()))?;
        let text = whole.text_config;
        text.check().map_err(ModelError::in_part(TEXT))?;
        let transformer: Flux3Config = read_part(checkpoint, TRANSFORMER, Flux3Config::check)?;
        let states = TEXT_LAYERS.len() * text.hidden_size;
        check_width("states", transformer.joint_attention_dim, "the text encoder", states)?;
        check_width("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        check_text_layers(&TEXT_LAYERS, text.num_hidden_layers)?;
        Ok(Self { text, transformer })
    }

    /// The pipelines make it in code.
    fn scheduler_without_file() -> Option<SchedulerConfig> {
        let class_name = "FlowMatchEulerDiscreteScheduler".to_owned();
        Some(SchedulerConfig { class_name, shift: SHIFT, ..SchedulerConfig::default() })
    }

    fn scheduler_as_used(scheduler: SchedulerConfig, _: &str) -> SchedulerConfig {
        SchedulerConfig { noise_in_patches: true, ..scheduler.with_even_flow_times() }
    }

    fn parts(&self) -> Vec<&'static str> {
        vec![TEXT, TRANSFORMER]
    }

    fn special(&self, _: &str, _: &SchedulerConfig) -> Special {
        let (guidance, steps, guidance_scale) = if self.transformer.flow_map {
            (GuidanceKind::None, 16, 1.0)
        } else {
            (GuidanceKind::ClassifierFree, 50, 4.0)
        };
        Special { guidance, steps, guidance_scale, latent_edge: LATENT_EDGE, remarks: Vec::new() }
    }

    fn prompt_tokens(&self) -> usize {
        USUAL_TOKENS
    }

    fn max_tokens(&self) -> Option<usize> {
        Some(MAX_TOKENS)
    }

    fn width(&self) -> usize {
        self.transformer.width()
    }
}
