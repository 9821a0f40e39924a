//! BLIP (Li et al. 2022, <https://arxiv.org/abs/2201.12086>): transformers' `BlipForConditionalGeneration`, a picture in
//! words.

use std::sync::Arc;

use candle_core::{IndexOp, Module, Tensor};
use candle_nn::Activation;
use candle_transformers::models::blip::{
    BlipForConditionalGeneration, Config as Layers, VisionConfig as VisionLayers,
};
use candle_transformers::models::blip_text::Config as TextLayers;

use super::{check_edges, check_transformer, picture_tensor, refused, var_builder};
use crate::networks::error::check_cancelled;
use crate::networks::{NetworkError, Runtime};
use crate::request::CancelToken;
use crate::weights::TensorSource;

/// The keys of `config.json` that this network uses. Missing keys have transformers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct BlipConfig {
    /// The model type in transformers: `blip`.
    pub model_type: String,
    /// The text decoder.
    #[serde(default)]
    pub text_config: TextConfig,
    /// The picture encoder.
    #[serde(default)]
    pub vision_config: VisionConfig,
}

/// The text decoder of [`BlipConfig`].
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
    /// Longest text in tokens.
    pub max_position_embeddings: usize,
    /// Activation: `gelu`.
    pub hidden_act: String,
    /// Norm epsilon.
    pub layer_norm_eps: f64,
    /// The token that a description begins with.
    pub bos_token_id: u32,
    /// The token that ends it.
    pub sep_token_id: u32,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30524,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 512,
            hidden_act: "gelu".to_owned(),
            layer_norm_eps: 1e-12,
            bos_token_id: 30522,
            sep_token_id: 102,
        }
    }
}

/// The picture encoder of [`BlipConfig`].
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
    /// Edge of the pictures, pixels.
    pub image_size: usize,
    /// Edge of a patch, pixels.
    pub patch_size: usize,
    /// Activation: `gelu`.
    pub hidden_act: String,
    /// Norm epsilon.
    pub layer_norm_eps: f64,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 384,
            patch_size: 16,
            hidden_act: "gelu".to_owned(),
            layer_norm_eps: 1e-5,
        }
    }
}

/// Tensors that files of tied weights leave out, and those with their values.
const SHARED: [[&str; 2]; 2] = [
    ["text_decoder.cls.predictions.decoder.weight", "text_decoder.bert.embeddings.word_embeddings.weight"],
    ["text_decoder.cls.predictions.bias", "text_decoder.cls.predictions.decoder.bias"],
];

impl BlipConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let (text, vision) = (&self.text_config, &self.vision_config);
        if self.model_type != "blip" {
            return refused("model_type", &self.model_type, "blip");
        }
        for activation in [&text.hidden_act, &vision.hidden_act] {
            if activation != "gelu" {
                return refused("hidden_act", activation, "gelu");
            }
        }
        for epsilon in [text.layer_norm_eps, vision.layer_norm_eps] {
            if !(epsilon.is_finite() && epsilon >= 0.0) {
                return refused("layer_norm_eps", &epsilon, "a number from 0 up");
            }
        }
        if !(2..=4096).contains(&text.max_position_embeddings) {
            return refused("max_position_embeddings", &text.max_position_embeddings, "2 to 4096");
        }
        if text.bos_token_id as usize >= text.vocab_size {
            return refused("bos_token_id", &text.bos_token_id, "less than vocab_size");
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
                hidden_size: text.hidden_size,
                encoder_hidden_size: vision.hidden_size,
                intermediate_size: text.intermediate_size,
                projection_dim: text.hidden_size,
                num_hidden_layers: text.num_hidden_layers,
                num_attention_heads: text.num_attention_heads,
                max_position_embeddings: text.max_position_embeddings,
                hidden_act: Activation::Gelu,
                layer_norm_eps: text.layer_norm_eps,
                is_decoder: true,
            },
            vision_config: VisionLayers {
                hidden_size: vision.hidden_size,
                intermediate_size: vision.intermediate_size,
                projection_dim: vision.hidden_size,
                num_hidden_layers: vision.num_hidden_layers,
                num_attention_heads: vision.num_attention_heads,
                image_size: vision.image_size,
                patch_size: vision.patch_size,
                hidden_act: Activation::Gelu,
                layer_norm_eps: vision.layer_norm_eps,
            },
            projection_dim: vision.hidden_size,
            image_text_hidden_size: vision.hidden_size,
        }
    }
}

/// The picture encoder and the text decoder.
pub struct BlipNetwork {
    model: BlipForConditionalGeneration,
    config: BlipConfig,
    runtime: Runtime,
}

impl BlipNetwork {
    /// Builds the network from its weights.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`], and [`NetworkError::Tensor`] for a tensor that is missing, misshapen or unread.
    pub fn new(
        source: Arc<dyn TensorSource>,
        config: BlipConfig,
        runtime: &Runtime,
    ) -> Result<Self, NetworkError> {
        config.check()?;
        let model =
            BlipForConditionalGeneration::new(&config.layers(), var_builder(source, &SHARED, runtime))?;
        Ok(Self { model, config, runtime: runtime.clone() })
    }

    /// The tokens of a picture's description without those that begin and end it: the likeliest after each other, at most
    /// `max_tokens`. `pixels`: `[3, S, S]`, normalised, of the edge that the configuration names.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] between tokens, [`NetworkError::Tensor`] for another size.
    pub fn describe(
        &mut self,
        pixels: &[f32],
        max_tokens: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<u32>, NetworkError> {
        let edge = self.config.vision_config.image_size;
        let pixels = picture_tensor(&self.runtime, pixels, edge)?;
        let (runtime, text) = (self.runtime.clone(), &self.config.text_config);
        let model = &mut self.model;
        runtime.run(|| {
            let states = model.vision_model().forward(&pixels)?;
            model.reset_kv_cache();
            let mut token = text.bos_token_id;
            let mut tokens = Vec::new();
            // A description with its first token is no longer than the position embeddings reach.
            for _ in 0..max_tokens.min(text.max_position_embeddings) {
                check_cancelled(cancel)?;
                let input = Tensor::new(&[[token]], &runtime.device().candle())?;
                let logits = model.text_decoder().forward(&input, &states)?.i((0, 0))?;
                token = likeliest(&logits.to_vec1()?);
                if token == text.sep_token_id {
                    break;
                }
                tokens.push(token);
            }
            Ok(tokens)
        })
    }
}

/// The first of the tokens with the highest logit.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    #[test]
    fn what_the_network_cannot_do_is_refused_by_name() {
        for (text, part) in [
            (r#"{"model_type": "blip-2"}"#, "‘model_type’ is blip-2"),
            (r#"{"model_type": "blip", "text_config": {"hidden_act": "relu"}}"#, "‘hidden_act’ is relu"),
            (r#"{"model_type": "blip", "text_config": {"bos_token_id": 40000}}"#, "‘bos_token_id’ is 40000"),
            (r#"{"model_type": "blip", "vision_config": {"image_size": 100000}}"#, "‘image_size’ is 100000"),
        ] {
            let config: BlipConfig = json::from_slice(text.as_bytes()).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
        let config: BlipConfig = json::from_slice(br#"{"model_type": "blip"}"#).unwrap();
        config.check().unwrap();
    }

    #[test]
    fn the_first_of_equals_is_the_likeliest() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0, f32::NAN]), 1);
    }
}
