//! Configurations and profile of FLUX.2 klein.

use super::super::flow_family::FlowConfigs;
use super::super::flow_profile::{LATENT_EDGE, Special, check_text_layers, check_width, read_part};
use super::super::token_denoiser::TRANSFORMER;
use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::mmdit::flux2::Flux2Config;
use crate::networks::qwen3::Qwen3Config;
use crate::store::Checkpoint;

pub(super) const TEXT: &str = "text_encoder";
pub(super) const TOKENIZER: &str = "tokenizer";

/// Tokens of a prompt, those of the chat template and the padding included.
pub(super) const TOKENS: usize = 512;
/// Layers of Qwen3 whose hidden states are used.
pub(super) const TEXT_LAYERS: [usize; 3] = [9, 18, 27];

/// The configurations of a model's text encoder and transformer.
pub(in super::super) struct Configs {
    pub(super) text: Qwen3Config,
    pub(super) transformer: Flux2Config,
    /// Whether the model is distilled for few steps without guidance, by its index or its name.
    is_distilled: bool,
}

/// The logarithm of the timestep shift for this many image tokens and steps.
///
/// Source: diffusers' `compute_empirical_mu` (Black Forest Labs): interpolated linearly in the steps between fits for
/// 10 and 200 steps.
fn empirical_mu(tokens: usize, steps: usize) -> f64 {
    let (tokens, steps) = (tokens as f64, steps as f64);
    let of_10 = 8.738_095_24e-5 * tokens + 1.898_333_33;
    let of_200 = 0.000_169_27 * tokens + 0.456_666_66;
    if tokens > 4300.0 {
        return of_200;
    }
    let slope = (of_200 - of_10) / 190.0;
    slope * steps + of_200 - 200.0 * slope
}

impl FlowConfigs for Configs {
    const FAMILY: &'static str = "FLUX.2 klein";
    const PIPELINES: &'static [&'static str] =
        &["Flux2KleinPipeline", "Flux2KleinInpaintPipeline", "Flux2KleinKVPipeline"];
    const ROWS_OF_A_BLOCK: u64 = 12;

    fn has_parts(checkpoint: &Checkpoint) -> bool {
        let is_qwen3 = checkpoint.part_class(TEXT).is_some_and(|class| class.starts_with("Qwen3For"));
        checkpoint.part_class(TRANSFORMER) == Some("Flux2Transformer2DModel") && is_qwen3
    }

    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError> {
        let text: Qwen3Config = read_part(checkpoint, TEXT, Qwen3Config::check)?;
        let transformer: Flux2Config = read_part(checkpoint, TRANSFORMER, Flux2Config::check)?;
        let states = TEXT_LAYERS.len() * text.hidden_size;
        check_width("states", transformer.joint_attention_dim, "the text encoder", states)?;
        check_width("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        check_text_layers(&TEXT_LAYERS, text.num_hidden_layers)?;
        let is_base = checkpoint.files().name().to_lowercase().contains("base");
        let is_distilled = checkpoint.flag("is_distilled").unwrap_or(!is_base);
        Ok(Self { text, transformer, is_distilled })
    }

    fn scheduler_as_used(scheduler: SchedulerConfig, _: &str) -> SchedulerConfig {
        SchedulerConfig { noise_in_patches: true, ..scheduler.with_even_flow_times() }
    }

    fn scheduler_for(scheduler: &SchedulerConfig, tokens: usize, steps: usize) -> SchedulerConfig {
        scheduler.with_dynamic_shift(empirical_mu(tokens, steps))
    }

    fn parts(&self) -> Vec<&'static str> {
        vec![TEXT, TRANSFORMER]
    }

    fn special(&self, _: &str, _: &SchedulerConfig) -> Special {
        let (guidance, steps, guidance_scale) = if self.transformer.guidance_embeds {
            (GuidanceKind::Embedded, 28, 4.0)
        } else if self.is_distilled {
            (GuidanceKind::None, 4, 1.0)
        } else {
            (GuidanceKind::ClassifierFree, 50, 4.0)
        };
        Special { guidance, steps, guidance_scale, latent_edge: LATENT_EDGE, remarks: Vec::new() }
    }

    fn prompt_tokens(&self) -> usize {
        TOKENS
    }

    fn width(&self) -> usize {
        self.transformer.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of diffusers' function.
    #[test]
    fn the_shift_follows_the_size_and_the_steps() {
        for (tokens, steps, mu) in
            [(4096, 4, 2.291_18), (4096, 50, 2.023_35), (1024, 4, 2.030_69), (4301, 20, 1.184_697)]
        {
            let found = empirical_mu(tokens, steps);
            assert!((found - mu).abs() < 1e-5, "{tokens} tokens, {steps} steps: {found}");
        }
    }
}
