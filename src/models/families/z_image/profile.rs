//! Configurations and profile of Z-Image.

use super::super::flow_family::FlowConfigs;
use super::super::flow_profile::{LATENT_EDGE, Special, check_width, read_part};
use super::super::token_denoiser::TRANSFORMER;
use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::mmdit::z_image::ZImageConfig;
use crate::networks::qwen3::Qwen3Config;
use crate::store::Checkpoint;

pub(super) const TEXT: &str = "text_encoder";
pub(super) const TOKENIZER: &str = "tokenizer";

/// Most tokens of a prompt, those of the chat template included.
pub(super) const MAX_TOKENS: usize = 512;
/// The timestep shift of the distilled model.
const TURBO_SHIFT: f64 = 3.0;

/// The configurations of a model's text encoder and transformer.
pub(in super::super) struct Configs {
    pub(super) text: Qwen3Config,
    pub(super) transformer: ZImageConfig,
}

impl Configs {
    /// Layers of the language model that are run: all but the last, as its penultimate hidden states are used.
    pub(super) fn text_layers(&self) -> usize {
        self.text.num_hidden_layers - 1
    }
}

impl FlowConfigs for Configs {
    const FAMILY: &'static str = "Z-Image";
    const PIPELINES: &'static [&'static str] = &[
        "ZImagePipeline",
        "ZImageImg2ImgPipeline",
        "ZImageInpaintPipeline",
        "ZImageControlNetPipeline",
        "ZImageControlNetInpaintPipeline",
    ];
    const ROWS_OF_A_BLOCK: u64 = 10;

    fn has_parts(checkpoint: &Checkpoint) -> bool {
        checkpoint.part_class(TRANSFORMER) == Some("ZImageTransformer2DModel")
    }

    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError> {
        let text = read_part(checkpoint, TEXT, Qwen3Config::check)?;
        let transformer = read_part(checkpoint, TRANSFORMER, ZImageConfig::check)?;
        check_width("states", transformer.cap_feat_dim, "the text encoder", text.hidden_size)?;
        check_width("latents", transformer.in_channels, "the VAE", vae.latent_channels)?;
        Ok(Self { text, transformer })
    }

    fn parts(&self) -> Vec<&'static str> {
        vec![TEXT, TRANSFORMER]
    }

    fn special(&self, names: &str, scheduler: &SchedulerConfig) -> Special {
        let (steps, guidance_scale) = suggestions(names, scheduler.shift);
        Special {
            guidance: GuidanceKind::ClassifierFree,
            steps,
            guidance_scale,
            latent_edge: LATENT_EDGE,
            remarks: Vec::new(),
        }
    }

    fn prompt_tokens(&self) -> usize {
        MAX_TOKENS
    }

    fn width(&self) -> usize {
        self.transformer.dim
    }
}

/// Number of steps and guidance scale that a model's authors suggest: 8 steps without guidance for Turbo, which is
/// recognised by its name or, unless the name says “base”, by its shift. `names`: the model's, in lower case.
///
/// In diffusers' pipeline a scale of 0 means no guidance: the same guidance has a scale smaller by 1 there.
fn suggestions(names: &str, shift: f64) -> (usize, f64) {
    let is_turbo = names.contains("turbo") || (shift == TURBO_SHIFT && !names.contains("base"));
    if is_turbo { (8, 1.0) } else { (50, 5.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        assert_eq!(suggestions("z-image-turbo", 3.0), (8, 1.0));
        assert_eq!(suggestions("my-finetune", 3.0), (8, 1.0));
        assert_eq!(suggestions("z-image", 6.0), (50, 5.0));
        assert_eq!(suggestions("z-image-base", 3.0), (50, 5.0));
    }
}
