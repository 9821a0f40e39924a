//! CLIP's text encoder (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>): transformers' `CLIPTextModel`.

use super::blocks::{layer_norm, linear, linear_no_bias};
use super::ops::{Embedding, LayerNorm, Linear, Mask, attention, gelu, quick_gelu};
use super::{NetworkError, Parameters, Runtime};
use crate::networks::backend::{Result, Tensor};

/// The keys of `text_encoder/config.json` that this network uses. Missing keys have transformers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct ClipTextConfig {
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
    /// Sequence length, start and end tokens included.
    pub max_position_embeddings: usize,
    /// Width of the projected pooled embedding, where the weights have a projection.
    pub projection_dim: usize,
    /// Activation: `quick_gelu` or `gelu`.
    pub hidden_act: String,
    /// Norm epsilon.
    pub layer_norm_eps: f64,
    /// The model type in transformers.
    pub model_type: Option<String>,
    /// The text encoder's configuration within that of a whole CLIP model.
    pub text_config: Option<Box<ClipTextConfig>>,
}

impl Default for ClipTextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            projection_dim: 512,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
            model_type: None,
            text_config: None,
        }
    }
}

impl ClipTextConfig {
    /// The text encoder's configuration, also from the file of a whole CLIP model.
    #[must_use]
    pub fn of_text(self) -> Self {
        match self.text_config {
            Some(text) if self.model_type.as_deref() == Some("clip") => *text,
            text_config => Self { text_config, ..self },
        }
    }

    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> std::result::Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        if let Some(kind) = self.model_type.as_ref().filter(|kind| !kind.starts_with("clip")) {
            return refuse("model_type", kind.clone(), "clip_text_model");
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps >= 0.0) {
            return refuse("layer_norm_eps", self.layer_norm_eps.to_string(), "a number from 0 up");
        }
        if !matches!(self.hidden_act.as_str(), "quick_gelu" | "gelu") {
            return refuse("hidden_act", self.hidden_act.clone(), "quick_gelu, gelu");
        }
        if self.num_attention_heads == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return refuse(
                "num_attention_heads",
                self.num_attention_heads.to_string(),
                "a divisor of hidden_size",
            );
        }
        if !(3..=4096).contains(&self.max_position_embeddings) {
            let found = self.max_position_embeddings.to_string();
            return refuse("max_position_embeddings", found, "3 to 4096");
        }
        if self.num_hidden_layers > 256 {
            return refuse("num_hidden_layers", self.num_hidden_layers.to_string(), "at most 256");
        }
        Ok(())
    }
}

struct Layer {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    expand: Linear,
    contract: Linear,
}

/// The text encoder.
pub struct ClipText {
    runtime: Runtime,
    tokens: Embedding,
    positions: Tensor,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    /// `C → P`, in encoders whose pooled embedding is used.
    projection: Option<Linear>,
    config: ClipTextConfig,
}

/// The hidden states of a batch of prompts.
pub struct TextStates {
    /// After the last layer and the final norm, `[B, N, C]`.
    pub last: Tensor,
    /// Before the skipped layers, without the final norm, `[B, N, C]`.
    pub hidden: Tensor,
}

impl ClipText {
    /// Builds the network from its weights, named with or without the prefix `text_model.`.
    pub fn new(vb: &Parameters, config: ClipTextConfig) -> std::result::Result<Self, NetworkError> {
        config.check()?;
        let projection = if vb.contains_tensor("text_projection.weight") {
            Some(linear_no_bias(&vb.pp("text_projection"), config.hidden_size, config.projection_dim)?)
        } else {
            None
        };
        let prefixed = vb.pp("text_model");
        let vb = if vb.contains_tensor("embeddings.token_embedding.weight") { vb } else { &prefixed };
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let layer = |i: usize| -> Result<Layer> {
            let vb = vb.pp(format!("encoder.layers.{i}"));
            let attention = vb.pp("self_attn");
            Ok(Layer {
                norm1: layer_norm(&vb.pp("layer_norm1"), width, eps)?,
                query: linear(&attention.pp("q_proj"), width, width)?,
                key: linear(&attention.pp("k_proj"), width, width)?,
                value: linear(&attention.pp("v_proj"), width, width)?,
                out: linear(&attention.pp("out_proj"), width, width)?,
                norm2: layer_norm(&vb.pp("layer_norm2"), width, eps)?,
                expand: linear(&vb.pp("mlp.fc1"), width, config.intermediate_size)?,
                contract: linear(&vb.pp("mlp.fc2"), config.intermediate_size, width)?,
            })
        };
        let embeddings = vb.pp("embeddings");
        Ok(Self {
            runtime: vb.runtime().clone(),
            tokens: Embedding::new(
                vb.runtime(),
                embeddings.stored((config.vocab_size, width), "token_embedding.weight")?,
            )?,
            positions: embeddings
                .get((config.max_position_embeddings, width), "position_embedding.weight")?,
            layers: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            final_norm: layer_norm(&vb.pp("final_layer_norm"), width, eps)?,
            projection,
            config,
        })
    }

    /// Rows of the token embedding table.
    pub fn rows(&self) -> usize {
        self.tokens.rows()
    }

    /// Adds embeddings `[n, C]` of new tokens, and gives their ids.
    ///
    /// # Errors
    /// For embeddings of another width.
    pub fn add_rows(&mut self, rows: &Tensor) -> Result<std::ops::Range<u32>> {
        self.tokens.add_rows(rows)
    }

    /// The hidden states of B prompts of `length` N tokens. `ids`: `[B, N]`, row by row; `skipped`: layers at the end that
    /// [`TextStates::hidden`] leaves out.
    ///
    /// # Errors
    /// If an id is outside the embedding table, or `length` is greater than the number of position embeddings.
    pub fn forward(&self, ids: &[u32], length: usize, skipped: usize) -> Result<TextStates> {
        let words = self.tokens.forward(ids)?.reshape(((), length, self.config.hidden_size))?;
        let mut x = words.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        let heads = self.config.num_attention_heads;
        let last_kept = self.layers.len().saturating_sub(skipped);
        let mut hidden = x.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            if index == last_kept {
                hidden = x.clone();
            }
            let normed = layer.norm1.forward(&x)?;
            let (query, key) = (layer.query.forward(&normed)?, layer.key.forward(&normed)?);
            let value = layer.value.forward(&normed)?;
            let attended = attention(&self.runtime, [&query, &key, &value], heads, Mask::Causal)?;
            x = layer.out.forward_add(&attended, &x)?;
            let wide = layer.expand.forward(&layer.norm2.forward(&x)?)?;
            let activation = if self.config.hidden_act == "gelu" { gelu } else { quick_gelu };
            let active = activation(&self.runtime, &wide)?;
            x = layer.contract.forward_add(&active, &x)?;
        }
        if skipped == 0 {
            hidden = x.clone();
        }
        Ok(TextStates { last: self.final_norm.forward(&x)?, hidden })
    }

    /// The final norm of hidden states.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn final_norm(&self, hidden: &Tensor) -> Result<Tensor> {
        self.final_norm.forward(hidden)
    }

    /// The pooled embeddings of prompts: their `last` hidden states `[B, N, C]` at the positions `ends` of the first
    /// end tokens, `[B, C]`; projected to `[B, P]` in encoders that have a projection.
    ///
    /// # Errors
    /// If a position is outside its prompt.
    pub fn pooled(&self, last: &Tensor, ends: &[usize]) -> Result<Tensor> {
        let rows = ends.iter().enumerate().map(|(prompt, end)| last.narrow(0, prompt, 1)?.narrow(1, *end, 1));
        let rows =
            Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)?.reshape(((), self.config.hidden_size))?;
        match &self.projection {
            Some(projection) => projection.forward(&rows),
            None => Ok(rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    fn config(text: &str) -> std::result::Result<ClipTextConfig, String> {
        let config: ClipTextConfig = json::from_slice(text.as_bytes()).map_err(|error| error.to_string())?;
        let config = config.of_text();
        config.check().map(|()| config).map_err(|error| error.to_string())
    }

    #[test]
    fn the_text_config_of_a_whole_clip_model_is_read() {
        let text = r#"{"model_type": "clip", "hidden_size": 1, "text_config": {"hidden_size": 32, "model_type": "clip_text_model"}}"#;
        assert_eq!(config(text).unwrap().hidden_size, 32);
        assert_eq!(config(r#"{"hidden_size": 64, "text_config": null}"#).unwrap().hidden_size, 64);
    }

    #[test]
    fn other_encoders_and_invalid_numbers_are_refused_by_name() {
        for (text, part) in [
            (r#"{"model_type": "t5"}"#, "‘model_type’ is t5"),
            (r#"{"model_type": "roberta"}"#, "‘model_type’ is roberta"),
            (r#"{"layer_norm_eps": NaN}"#, "‘layer_norm_eps’ is NaN"),
            (r#"{"hidden_act": "relu"}"#, "‘hidden_act’ is relu"),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
