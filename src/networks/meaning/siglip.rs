//! SigLIP (Zhai et al. 2023, <https://arxiv.org/abs/2303.15343>) and SigLIP 2 of a fixed picture size (Tschannen et al.
//! 2025, <https://arxiv.org/abs/2502.14786>): transformers' `SiglipModel`, pictures and texts in one space.

use std::sync::Arc;

use candle_core::Module;
use candle_nn::Activation;
use candle_transformers::models::siglip::{
    TextConfig as TextLayers, TextModel, VisionConfig as VisionLayers, VisionModel,
};

use super::{check_edges, check_transformer, features, id_tensor, picture_tensor, refused, var_builder};
use crate::networks::{NetworkError, Runtime};
use crate::weights::TensorSource;

/// The keys of `config.json` that this network uses. Missing keys have transformers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct SigLipConfig {
    /// The model type in transformers: `siglip`.
    pub model_type: String,
    /// The text encoder.
    #[serde(default)]
    pub text_config: SigLipText,
    /// The picture encoder.
    #[serde(default)]
    pub vision_config: SigLipVision,
}

/// The text encoder of [`SigLipConfig`].
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct SigLipText {
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
    /// The length of every text in tokens: shorter ones are padded.
    pub max_position_embeddings: usize,
    /// Activation: `gelu_pytorch_tanh`.
    pub hidden_act: String,
    /// Norm epsilon.
    pub layer_norm_eps: f64,
    /// Width of the result; without it, that of the hidden states.
    pub projection_size: Option<usize>,
}

impl Default for SigLipText {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 64,
            hidden_act: ACTIVATION.to_owned(),
            layer_norm_eps: 1e-6,
            projection_size: None,
        }
    }
}

/// The picture encoder of [`SigLipConfig`].
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct SigLipVision {
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
    /// Activation: `gelu_pytorch_tanh`.
    pub hidden_act: String,
    /// Norm epsilon.
    pub layer_norm_eps: f64,
    /// Whether attention pools the patches into one place.
    pub vision_use_head: bool,
}

impl Default for SigLipVision {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 16,
            hidden_act: ACTIVATION.to_owned(),
            layer_norm_eps: 1e-6,
            vision_use_head: true,
        }
    }
}

/// GELU by the hyperbolic tangent.
const ACTIVATION: &str = "gelu_pytorch_tanh";

impl SigLipConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let (text, vision) = (&self.text_config, &self.vision_config);
        if self.model_type != "siglip" {
            return refused("model_type", &self.model_type, "siglip");
        }
        for activation in [&text.hidden_act, &vision.hidden_act] {
            if activation != ACTIVATION {
                return refused("hidden_act", activation, ACTIVATION);
            }
        }
        for epsilon in [text.layer_norm_eps, vision.layer_norm_eps] {
            if !(epsilon.is_finite() && epsilon >= 0.0) {
                return refused("layer_norm_eps", &epsilon, "a number from 0 up");
            }
        }
        if text.vocab_size == 0 {
            return refused("vocab_size", &text.vocab_size, "numbers from 1 up");
        }
        if !(2..=4096).contains(&text.max_position_embeddings) {
            return refused("max_position_embeddings", &text.max_position_embeddings, "2 to 4096");
        }
        if let Some(width) = text.projection_size.filter(|width| *width != text.hidden_size) {
            return refused("projection_size", &width, "the text's hidden_size");
        }
        if text.hidden_size != vision.hidden_size {
            return refused("hidden_size", &text.hidden_size, "the same for texts and pictures");
        }
        if !vision.vision_use_head {
            return refused("vision_use_head", &false, "true");
        }
        if vision.num_channels != 3 {
            return refused("num_channels", &vision.num_channels, "3");
        }
        check_transformer(text.hidden_size, text.num_attention_heads, text.num_hidden_layers)?;
        check_transformer(vision.hidden_size, vision.num_attention_heads, vision.num_hidden_layers)?;
        check_edges(vision.image_size, vision.patch_size)
    }

    fn text_layers(&self) -> TextLayers {
        let text = &self.text_config;
        TextLayers {
            vocab_size: text.vocab_size,
            hidden_size: text.hidden_size,
            intermediate_size: text.intermediate_size,
            num_hidden_layers: text.num_hidden_layers,
            num_attention_heads: text.num_attention_heads,
            max_position_embeddings: text.max_position_embeddings,
            hidden_act: Activation::GeluPytorchTanh,
            layer_norm_eps: text.layer_norm_eps,
            // The tokens are complete before they reach the network, which uses none of these.
            pad_token_id: 0,
            bos_token_id: 0,
            eos_token_id: 0,
        }
    }

    fn vision_layers(&self) -> VisionLayers {
        let vision = &self.vision_config;
        VisionLayers {
            hidden_size: vision.hidden_size,
            intermediate_size: vision.intermediate_size,
            num_hidden_layers: vision.num_hidden_layers,
            num_attention_heads: vision.num_attention_heads,
            num_channels: vision.num_channels,
            image_size: vision.image_size,
            patch_size: vision.patch_size,
            hidden_act: Activation::GeluPytorchTanh,
            layer_norm_eps: vision.layer_norm_eps,
        }
    }
}

/// Both encoders. A text's place is that of its last token, a picture's is pooled by attention; there is no projection.
pub struct SigLipNetwork {
    text: TextModel,
    vision: VisionModel,
    runtime: Runtime,
}

impl SigLipNetwork {
    /// Builds the network from its weights. The scale and the bias of the similarities are not read: pictures are
    /// compared by their angles.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`], and [`NetworkError::Tensor`] for a tensor that is missing, misshapen or unread.
    pub fn new(
        source: Arc<dyn TensorSource>,
        config: &SigLipConfig,
        runtime: &Runtime,
    ) -> Result<Self, NetworkError> {
        config.check()?;
        let weights = var_builder(source, &[], runtime);
        Ok(Self {
            text: TextModel::new(&config.text_layers(), weights.pp("text_model"))?,
            vision: VisionModel::new(&config.vision_layers(), true, weights.pp("vision_model"))?,
            runtime: runtime.clone(),
        })
    }

    /// The features of a picture, `[H]`, not normalised. `pixels`: `[3, S, S]`, normalised, of the edge that the
    /// configuration names.
    ///
    /// # Errors
    /// [`NetworkError::Tensor`] for another size.
    pub fn image_features(&self, pixels: &[f32], edge: usize) -> Result<Vec<f32>, NetworkError> {
        let pixels = picture_tensor(&self.runtime, pixels, edge)?;
        features(&self.runtime, || self.vision.forward(&pixels))
    }

    /// The features of a text, `[H]`, not normalised. `ids`: its tokens, padded to the length of the position
    /// embeddings as in training. All of them are attended to, and the last one's state is the text's.
    ///
    /// # Errors
    /// [`NetworkError::Tensor`] for ids outside the table and for too many.
    pub fn text_features(&self, ids: &[u32]) -> Result<Vec<f32>, NetworkError> {
        let ids = id_tensor(&self.runtime, ids)?;
        features(&self.runtime, || self.text.forward(&ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    #[test]
    fn what_the_network_cannot_do_is_refused_by_name() {
        for (text, part) in [
            (r#"{"model_type": "siglip2"}"#, "‘model_type’ is siglip2"),
            (r#"{"model_type": "siglip", "text_config": {"hidden_act": "gelu"}}"#, "‘hidden_act’ is gelu"),
            (
                r#"{"model_type": "siglip", "text_config": {"projection_size": 1536}}"#,
                "‘projection_size’ is 1536",
            ),
            (r#"{"model_type": "siglip", "vision_config": {"hidden_size": 1536}}"#, "‘hidden_size’ is 768"),
            (
                r#"{"model_type": "siglip", "vision_config": {"vision_use_head": false}}"#,
                "‘vision_use_head’ is false",
            ),
            (r#"{"model_type": "siglip", "vision_config": {"patch_size": 0}}"#, "‘patch_size’ is 0"),
            (
                r#"{"model_type": "siglip", "text_config": {"max_position_embeddings": 1}}"#,
                "‘max_position_embeddings’ is 1",
            ),
        ] {
            let config: SigLipConfig = json::from_slice(text.as_bytes()).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
        let config: SigLipConfig = json::from_slice(br#"{"model_type": "siglip"}"#).unwrap();
        config.check().unwrap();
    }
}
