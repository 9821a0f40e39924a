//! Configurations and profile of Stable Diffusion 3.

use super::super::flow_family::{FlowConfigs, MAX_TOKENS};
use super::super::flow_profile::{Special, check_width, read_clip, read_part};
use super::super::token_denoiser::TRANSFORMER;
use crate::catalog::GuidanceKind;
use crate::diffusion::SchedulerConfig;
use crate::models::ModelError;
use crate::networks::autoencoder::AutoencoderConfig;
use crate::networks::clip::ClipTextConfig;
use crate::networks::mmdit::sd3::Sd3Config;
use crate::networks::t5::T5Config;
use crate::request::LayerSet;
use crate::store::Checkpoint;

/// The text encoders: two CLIP encoders, and T5.
pub(super) const CLIP_PARTS: [&str; 2] = ["text_encoder", "text_encoder_2"];
pub(super) const T5: &str = "text_encoder_3";
/// The encoders' tokenizers.
pub(super) const TOKENIZERS: [&str; 3] = ["tokenizer", "tokenizer_2", "tokenizer_3"];
/// Sequence lengths of T5 and CLIP.
pub(super) const T5_LENGTH: usize = 256;
const CLIP_LENGTH: usize = 77;

/// The configurations of a model's text encoders and transformer.
pub(in super::super) struct Configs {
    pub(super) clips: [ClipTextConfig; 2],
    /// `None` in models without it.
    pub(super) t5: Option<T5Config>,
    pub(super) transformer: Sd3Config,
}

impl Configs {
    /// Checks that the widths of the parts match.
    ///
    /// # Errors
    /// [`ModelError::Mismatch`].
    fn check_together(&self, vae: &AutoencoderConfig) -> Result<(), ModelError> {
        let Self { clips, t5, transformer } = self;
        let states = transformer.joint_attention_dim;
        if let Some(t5) = t5 {
            check_width("states", states, "the third text encoder", t5.d_model)?;
        }
        let clip_width: usize = clips.iter().map(|clip| clip.hidden_size).sum();
        if clip_width > states {
            return Err(ModelError::Mismatch(format!(
                "the transformer takes states of width {states}, but the CLIP encoders together give {clip_width}"
            )));
        }
        let pooled = clips.iter().map(|clip| clip.projection_dim).sum();
        let taken = transformer.pooled_projection_dim;
        check_width("pooled text", taken, "the pair of CLIP encoders", pooled)?;
        check_width("latents", transformer.in_channels, "the VAE", vae.latent_channels)
    }
}

impl FlowConfigs for Configs {
    const FAMILY: &'static str = "Stable Diffusion 3";
    const PIPELINES: &'static [&'static str] = &[
        "StableDiffusion3Pipeline",
        "StableDiffusion3Img2ImgPipeline",
        "StableDiffusion3InpaintPipeline",
        "StableDiffusion3PAGPipeline",
        "StableDiffusion3PAGImg2ImgPipeline",
        "StableDiffusion3ControlNetPipeline",
        "StableDiffusion3ControlNetInpaintingPipeline",
    ];
    const ROWS_OF_A_BLOCK: u64 = 10;

    fn has_parts(checkpoint: &Checkpoint) -> bool {
        checkpoint.part_class(TRANSFORMER) == Some("SD3Transformer2DModel")
    }

    fn read(checkpoint: &Checkpoint, vae: &AutoencoderConfig) -> Result<Self, ModelError> {
        let has_t5 = checkpoint.part_class(T5).is_some();
        let configs = Self {
            clips: [read_clip(checkpoint, CLIP_PARTS[0])?, read_clip(checkpoint, CLIP_PARTS[1])?],
            t5: has_t5.then(|| read_part(checkpoint, T5, T5Config::check)).transpose()?,
            transformer: read_part(checkpoint, TRANSFORMER, Sd3Config::check)?,
        };
        configs.check_together(vae)?;
        Ok(configs)
    }

    fn scheduler_as_used(scheduler: SchedulerConfig, pipeline: &str) -> SchedulerConfig {
        scheduler.in_pipeline(pipeline)
    }

    fn parts(&self) -> Vec<&'static str> {
        let t5 = self.t5.as_ref().map(|_| T5);
        CLIP_PARTS.into_iter().chain(t5).chain([TRANSFORMER]).collect()
    }

    fn special(&self, names: &str, _: &SchedulerConfig) -> Special {
        let Self { transformer, t5, .. } = self;
        let (steps, guidance_scale) = suggestions(names, transformer);
        let without_t5 = "The folder has no T5: prompts are read by its CLIP encoders alone.";
        Special {
            guidance: GuidanceKind::ClassifierFree,
            steps,
            guidance_scale,
            latent_edge: transformer.sample_size.min(2 * transformer.pos_embed_max_size),
            remarks: t5.is_none().then(|| without_t5.to_owned()).into_iter().collect(),
        }
    }

    fn prompt_tokens(&self) -> usize {
        T5_LENGTH + CLIP_LENGTH
    }

    fn skippable_layers(&self) -> usize {
        self.transformer.num_layers.min(LayerSet::CAPACITY)
    }

    fn max_tokens(&self) -> Option<usize> {
        self.t5.as_ref().map(|_| MAX_TOKENS)
    }

    fn width(&self) -> usize {
        self.transformer.width()
    }
}

/// Number of steps and guidance scale that a model's authors suggest. `names`: the model's, in lower case.
fn suggestions(names: &str, transformer: &Sd3Config) -> (usize, f64) {
    match transformer {
        _ if names.contains("turbo") => (4, 1.0),
        Sd3Config { qk_norm: None, .. } => (28, 7.0),
        Sd3Config { dual_attention_layers: layers, .. } if !layers.is_empty() => (40, 4.5),
        _ => (28, 3.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_those_of_the_models_cards() {
        let medium = Sd3Config {
            dual_attention_layers: vec![0],
            qk_norm: Some("rms_norm".into()),
            ..Sd3Config::default()
        };
        let large = Sd3Config { dual_attention_layers: Vec::new(), ..medium.clone() };
        assert_eq!(suggestions("stable-diffusion-3-medium", &Sd3Config::default()), (28, 7.0));
        assert_eq!(suggestions("stable-diffusion-3.5-medium", &medium), (40, 4.5));
        assert_eq!(suggestions("stable-diffusion-3.5-large", &large), (28, 3.5));
        assert_eq!(suggestions("stable-diffusion-3.5-large-turbo", &large), (4, 1.0));
    }
}
