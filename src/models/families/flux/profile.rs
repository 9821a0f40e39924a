//! Configurations and profile of FLUX.1.

use super::super::flow_family::FlowConfigs;
use super::super::flow_profile::{LATENT_EDGE, Special, check_width, read_clip, read_part};
use super::super::token_denoiser::TRANSFORMER;
use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::clip::ClipTextConfig;
use crate::networks::mmdit::flux::FluxConfig;
use crate::networks::t5::T5Config;
use crate::store::Checkpoint;

/// The text encoders, CLIP and T5, and their tokenizers.
pub(super) const TEXT_PARTS: [&str; 2] = ["text_encoder", "text_encoder_2"];
pub(super) const TOKENIZERS: [&str; 2] = ["tokenizer", "tokenizer_2"];

/// Most tokens of a prompt: for networks with a guidance embedding (dev), and for those without (schnell).
const MAX_TOKENS: [usize; 2] = [512, 256];

/// The configurations of a model's text encoders and transformer.
pub(in super::super) struct Configs {
    pub(super) clip: ClipTextConfig,
    pub(super) t5: T5Config,
    pub(super) transformer: FluxConfig,
}

impl FlowConfigs for Configs {
    const FAMILY: &'static str = "FLUX.1";
    const PIPELINES: &'static [&'static str] = &[
        "FluxPipeline",
        "FluxImg2ImgPipeline",
        "FluxInpaintPipeline",
        "FluxControlNetPipeline",
        "FluxControlNetImg2ImgPipeline",
        "FluxControlNetInpaintPipeline",
        "FluxKontextPipeline",
        "FluxKontextInpaintPipeline",
        "FluxFillPipeline",
        "FluxControlPipeline",
    ];
    const ROWS_OF_A_BLOCK: u64 = 12;
    const HAS_TRUE_GUIDANCE: bool = true;

    fn has_parts(checkpoint: &Checkpoint) -> bool {
        let is = |part: &str, class: &str| checkpoint.part_class(part) == Some(class);
        is(TRANSFORMER, "FluxTransformer2DModel") && is(TEXT_PARTS[1], "T5EncoderModel")
    }

    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError> {
        let clip = read_clip(checkpoint, TEXT_PARTS[0])?;
        let t5 = read_part(checkpoint, TEXT_PARTS[1], T5Config::check)?;
        let transformer = read_part(checkpoint, TRANSFORMER, FluxConfig::check)?;
        check_width("states", transformer.joint_attention_dim, "the second text encoder", t5.d_model)?;
        let pooled = transformer.pooled_projection_dim;
        check_width("pooled text", pooled, "the first text encoder", clip.hidden_size)?;
        check_width("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        Ok(Self { clip, t5, transformer })
    }

    fn parts(&self) -> Vec<&'static str> {
        TEXT_PARTS.into_iter().chain([TRANSFORMER]).collect()
    }

    fn special(&self, names: &str, _: &SchedulerConfig) -> Special {
        let has_guidance_embedding = self.transformer.guidance_embeds;
        let (steps, guidance_scale) = suggestions(names, has_guidance_embedding);
        let kontext = "Input pictures are not supported yet: FLUX.1 Kontext uses the prompt alone.";
        Special {
            guidance: if has_guidance_embedding { GuidanceKind::Embedded } else { GuidanceKind::None },
            steps,
            guidance_scale,
            latent_edge: LATENT_EDGE,
            remarks: names.contains("kontext").then(|| kontext.to_owned()).into_iter().collect(),
        }
    }

    fn prompt_tokens(&self) -> usize {
        MAX_TOKENS[usize::from(!self.transformer.guidance_embeds)]
    }

    fn width(&self) -> usize {
        self.transformer.width()
    }
}

/// Number of steps and guidance scale that a model's authors suggest. `name`: the model's, in lower case.
fn suggestions(name: &str, has_guidance_embedding: bool) -> (usize, f64) {
    match () {
        () if !has_guidance_embedding => (4, 1.0),
        () if name.contains("krea") => (28, 4.5),
        () if name.contains("kontext") => (28, 2.5),
        () => (28, 3.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        assert_eq!(suggestions("flux.1-schnell", false), (4, 1.0));
        assert_eq!(suggestions("flux.1-dev", true), (28, 3.5));
        assert_eq!(suggestions("flux.1-krea-dev", true), (28, 4.5));
        assert_eq!(suggestions("x fluxkontextpipeline", true), (28, 2.5));
    }
}
