//! CLIP (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>): transformers' `CLIPModel`, pictures and texts in one
//! space.

use std::sync::Arc;

use candle_transformers::models::clip::text_model::{Activation, ClipTextConfig as TextLayers};
use candle_transformers::models::clip::vision_model::ClipVisionConfig as VisionLayers;
use candle_transformers::models::clip::{ClipConfig as Layers, ClipModel};

use super::{check_edges, check_transformer, features, id_tensor, picture_tensor, refused, var_builder};
use crate::networks::{NetworkError, Runtime};
use crate::weights::TensorSource;

/// The keys of `config.json` that this network uses. Missing keys have transformers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ClipConfig {
    /// The model type in transformers: `clip`.
    pub model_type: String,
    /// Width of the space that pictures and texts share.
    #[serde(default = "projection_dim")]
    pub projection_dim: usize,
    /// The text encoder.
    #[serde(default)]
    pub text_config: TextConfig,
    /// The picture encoder.
    #[serde(default)]
    pub vision_config: VisionConfig,
}

fn projection_dim() -> usize {
    512
}

/// The text encoder of [`ClipConfig`].
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct TextConfig {
    /// Rows of the token embedding table.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width of the feed-forward.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Longest text in tokens, start and end included.
    pub max_position_embeddings: usize,
    /// Activation: `quick_gelu`.
    pub hidden_act: String,
    /// Norm epsilon: 1e-5.
    pub layer_norm_eps: f64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
        }
    }
}

/// The picture encoder of [`ClipConfig`].
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width of the feed-forward.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Colours: 3.
    pub num_channels: usize,
    /// Edge of the pictures, pixels.
    pub image_size: usize,
    /// Edge of a patch, pixels.
    pub patch_size: usize,
    /// Activation: `quick_gelu`.
    pub hidden_act: String,
    /// Norm epsilon: 1e-5.
    pub layer_norm_eps: f64,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
        }
    }
}

/// The tokens of CLIP's vocabulary, which ships with the program.
const VOCABULARY: usize = 49408;
/// The epsilon and the activation that are built into candle-transformers.
const EPSILON: f64 = 1e-5;
const ACTIVATION: &str = "quick_gelu";

impl ClipConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let (text, vision) = (&self.text_config, &self.vision_config);
        if self.model_type != "clip" {
            return refused("model_type", &self.model_type, "clip");
        }
        for activation in [&text.hidden_act, &vision.hidden_act] {
            if activation != ACTIVATION {
                return refused("hidden_act", activation, ACTIVATION);
            }
        }
        for epsilon in [text.layer_norm_eps, vision.layer_norm_eps] {
            if epsilon != EPSILON {
                return refused("layer_norm_eps", &epsilon, "1e-5");
            }
        }
        if text.vocab_size != VOCABULARY {
            return refused("vocab_size", &text.vocab_size, "49408");
        }
        if !(3..=4096).contains(&text.max_position_embeddings) {
            return refused("max_position_embeddings", &text.max_position_embeddings, "3 to 4096");
        }
        if vision.num_channels != 3 {
            return refused("num_channels", &vision.num_channels, "3");
        }
        check_transformer(text.hidden_size, text.num_attention_heads, text.num_hidden_layers)?;
        check_transformer(vision.hidden_size, vision.num_attention_heads, vision.num_hidden_layers)?;
        check_edges(vision.image_size, vision.patch_size)
    }

    fn layers(&self) -> Layers {
        let (text, vision) = (&self.text_config, &self.vision_config);
        Layers {
            text_config: TextLayers {
                vocab_size: text.vocab_size,
                embed_dim: text.hidden_size,
                activation: Activation::QuickGelu,
                intermediate_size: text.intermediate_size,
                max_position_embeddings: text.max_position_embeddings,
                pad_with: None,
                num_hidden_layers: text.num_hidden_layers,
                num_attention_heads: text.num_attention_heads,
                projection_dim: self.projection_dim,
            },
            vision_config: VisionLayers {
                embed_dim: vision.hidden_size,
                activation: Activation::QuickGelu,
                intermediate_size: vision.intermediate_size,
                num_hidden_layers: vision.num_hidden_layers,
                num_attention_heads: vision.num_attention_heads,
                projection_dim: self.projection_dim,
                num_channels: vision.num_channels,
                image_size: vision.image_size,
                patch_size: vision.patch_size,
            },
            logit_scale_init_value: 0.0,
            image_size: vision.image_size,
        }
    }
}

/// Both encoders with their projections.
pub struct ClipNetwork {
    model: ClipModel,
    runtime: Runtime,
}

impl ClipNetwork {
    /// Builds the network from its weights.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`], and [`NetworkError::Tensor`] for a tensor that is missing, misshapen or unread.
    pub fn new(
        source: Arc<dyn TensorSource>,
        config: &ClipConfig,
        runtime: &Runtime,
    ) -> Result<Self, NetworkError> {
        config.check()?;
        let weights = var_builder(source, &[], runtime);
        // Without this tensor candle-transformers would take random numbers.
        let _ = weights.get(config.vision_config.hidden_size, "vision_model.embeddings.class_embedding")?;
        Ok(Self { model: ClipModel::new(weights, &config.layers())?, runtime: runtime.clone() })
    }

    /// The projected features of a picture, `[P]`, not normalised. `pixels`: `[3, S, S]`, normalised, of the edge that
    /// the configuration names.
    ///
    /// # Errors
    /// [`NetworkError::Tensor`] for another size.
    pub fn image_features(&self, pixels: &[f32], edge: usize) -> Result<Vec<f32>, NetworkError> {
        let pixels = picture_tensor(&self.runtime, pixels, edge)?;
        features(&self.runtime, || self.model.get_image_features(&pixels))
    }

    /// The projected features of a text, `[P]`, not normalised. `ids`: its tokens from the start to the end token, which
    /// has the highest id.
    ///
    /// # Errors
    /// [`NetworkError::Tensor`] for ids outside the table and for too many.
    pub fn text_features(&self, ids: &[u32]) -> Result<Vec<f32>, NetworkError> {
        let ids = id_tensor(&self.runtime, ids)?;
        features(&self.runtime, || self.model.get_text_features(&ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    #[test]
    fn what_the_network_cannot_do_is_refused_by_name() {
        for (text, part) in [
            (r#"{"model_type": "siglip"}"#, "‘model_type’ is siglip"),
            (r#"{"model_type": "clip", "text_config": {"hidden_act": "gelu"}}"#, "‘hidden_act’ is gelu"),
            (r#"{"model_type": "clip", "vision_config": {"patch_size": 0}}"#, "‘patch_size’ is 0"),
            (r#"{"model_type": "clip", "vision_config": {"layer_norm_eps": 1e-6}}"#, "‘layer_norm_eps’ is "),
            (r#"{"model_type": "clip", "text_config": {"vocab_size": 100}}"#, "‘vocab_size’ is 100"),
            (
                r#"{"model_type": "clip", "vision_config": {"num_attention_heads": 7}}"#,
                "‘num_attention_heads’",
            ),
        ] {
            let config: ClipConfig = json::from_slice(text.as_bytes()).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
        let config: ClipConfig = json::from_slice(br#"{"model_type": "clip"}"#).unwrap();
        config.check().unwrap();
    }
}
