//! Configurations and profile of Chroma.

use super::super::flow_family::FlowConfigs;
use super::super::flow_profile::{LATENT_EDGE, Special, check_width, read_part};
use super::super::token_denoiser::TRANSFORMER;
use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::mmdit::chroma::ChromaConfig;
use crate::networks::t5::T5Config;
use crate::store::Checkpoint;

pub(super) const TEXT: &str = "text_encoder";
pub(super) const TOKENIZER: &str = "tokenizer";

/// Most tokens of a prompt.
pub(super) const MAX_TOKENS: usize = 512;

/// The configurations of a model's text encoder and transformer.
pub(in super::super) struct Configs {
    pub(super) t5: T5Config,
    pub(super) transformer: ChromaConfig,
}

impl FlowConfigs for Configs {
    const FAMILY: &'static str = "Chroma";
    const PIPELINES: &'static [&'static str] =
        &["ChromaPipeline", "ChromaImg2ImgPipeline", "ChromaInpaintPipeline"];
    const ROWS_OF_A_BLOCK: u64 = 12;

    fn has_parts(checkpoint: &Checkpoint) -> bool {
        checkpoint.part_class(TRANSFORMER) == Some("ChromaTransformer2DModel")
    }

    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError> {
        let t5 = read_part(checkpoint, TEXT, T5Config::check)?;
        let transformer = read_part(checkpoint, TRANSFORMER, ChromaConfig::check)?;
        check_width("states", transformer.joint_attention_dim, "the text encoder", t5.d_model)?;
        check_width("patches", transformer.in_channels, "the VAE", 4 * vae.latent_channels)?;
        Ok(Self { t5, transformer })
    }

    fn parts(&self) -> Vec<&'static str> {
        vec![TEXT, TRANSFORMER]
    }

    fn special(&self, names: &str, _: &SchedulerConfig) -> Special {
        let (steps, guidance_scale) = suggestions(names);
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
        self.transformer.width()
    }
}

/// Number of steps and guidance scale that a model's authors suggest; Flash is distilled. `names`: the model's, in
/// lower case.
fn suggestions(names: &str) -> (usize, f64) {
    if names.contains("flash") { (8, 1.0) } else { (40, 3.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        assert_eq!(suggestions("chroma1-hd"), (40, 3.0));
        assert_eq!(suggestions("chroma1-flash"), (8, 1.0));
    }
}
