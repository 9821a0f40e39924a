//! The language model Qwen3 (Yang et al. 2025, <https://arxiv.org/abs/2505.09388>), whose hidden states condition
//! diffusion models: transformers' `Qwen3Model`.

use super::blocks::linear_no_bias;
use super::error::check_cancelled;
use super::ops::{Embedding, Linear, Mask, RmsNorm, RotaryEmbedding, RotaryPairs, attention, silu_gated};
use super::{NetworkError, Parameters, Runtime};
use crate::networks::backend::{self, Result, Tensor};
use crate::request::CancelToken;

/// The keys of `config.json` that this network uses. Missing keys have transformers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct Qwen3Config {
    /// Rows of the token embedding table.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Width of the feed-forward.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads, each shared by a group of query heads (grouped-query attention).
    pub num_key_value_heads: usize,
    /// Width of a head, which need not divide `hidden_size`.
    pub head_dim: usize,
    /// Norm epsilon.
    pub rms_norm_eps: f64,
    /// The base of the rotary frequencies, in older files.
    pub rope_theta: Option<f64>,
    /// The same in files of transformers 5.
    pub rope_parameters: RopeParameters,
    /// Activation of the feed-forward; only `silu` is supported.
    pub hidden_act: String,
    /// Whether the attention's projections have biases; not supported.
    pub attention_bias: bool,
    /// The model type in transformers.
    pub model_type: Option<String>,
}

/// Parameters of the rotary embedding.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct RopeParameters {
    /// The base of the rotary frequencies.
    pub rope_theta: Option<f64>,
}

impl Default for Qwen3Config {
    fn default() -> Self {
        Self {
            vocab_size: 151_936,
            hidden_size: 4096,
            intermediate_size: 22_016,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: 32,
            head_dim: 128,
            rms_norm_eps: 1e-6,
            rope_theta: None,
            rope_parameters: RopeParameters::default(),
            hidden_act: "silu".to_owned(),
            attention_bias: false,
            model_type: None,
        }
    }
}

impl Qwen3Config {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> std::result::Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        if let Some(kind) =
            self.model_type.as_ref().filter(|kind| !["qwen3", "qwen3_vl_text"].contains(&kind.as_str()))
        {
            return refuse("model_type", kind.clone(), "qwen3");
        }
        if self.hidden_act != "silu" {
            return refuse("hidden_act", self.hidden_act.clone(), "silu");
        }
        if self.attention_bias {
            return refuse("attention_bias", "true".to_owned(), "false");
        }
        if !(self.rms_norm_eps.is_finite() && self.rms_norm_eps >= 0.0) {
            return refuse("rms_norm_eps", self.rms_norm_eps.to_string(), "a number from 0 up");
        }
        let theta = self.theta();
        if !(theta.is_finite() && theta > 0.0) {
            return refuse("rope_theta", theta.to_string(), "a number above 0");
        }
        for (key, value) in [
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("hidden_size", self.hidden_size),
        ] {
            if !(1..=1 << 16).contains(&value) {
                return refuse(key, value.to_string(), "1 to 65536");
            }
        }
        let shared = self.num_key_value_heads;
        if shared == 0 || !self.num_attention_heads.is_multiple_of(shared) {
            return refuse("num_key_value_heads", shared.to_string(), "a divisor of num_attention_heads");
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return refuse("head_dim", self.head_dim.to_string(), "an even number");
        }
        Ok(())
    }

    fn theta(&self) -> f64 {
        self.rope_theta.or(self.rope_parameters.rope_theta).unwrap_or(10_000.0)
    }
}

struct Layer {
    norm1: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    out: Linear,
    norm2: RmsNorm,
    gate: Linear,
    expand: Linear,
    contract: Linear,
}

impl Layer {
    fn new(vb: &Parameters, config: &Qwen3Config) -> Result<Self> {
        let (width, head) = (config.hidden_size, config.head_dim);
        let [queries, shared] = [config.num_attention_heads, config.num_key_value_heads].map(|n| n * head);
        let norm = |vb: &Parameters, width: usize| {
            RmsNorm::new(vb.runtime(), &vb.get(width, "weight")?, config.rms_norm_eps)
        };
        let (attention, mlp) = (vb.pp("self_attn"), vb.pp("mlp"));
        Ok(Self {
            norm1: norm(&vb.pp("input_layernorm"), width)?,
            query: linear_no_bias(&attention.pp("q_proj"), width, queries)?,
            key: linear_no_bias(&attention.pp("k_proj"), width, shared)?,
            value: linear_no_bias(&attention.pp("v_proj"), width, shared)?,
            query_norm: norm(&attention.pp("q_norm"), head)?,
            key_norm: norm(&attention.pp("k_norm"), head)?,
            out: linear_no_bias(&attention.pp("o_proj"), queries, width)?,
            norm2: norm(&vb.pp("post_attention_layernorm"), width)?,
            gate: linear_no_bias(&mlp.pp("gate_proj"), width, config.intermediate_size)?,
            expand: linear_no_bias(&mlp.pp("up_proj"), width, config.intermediate_size)?,
            contract: linear_no_bias(&mlp.pp("down_proj"), config.intermediate_size, width)?,
        })
    }
}

/// The padding tokens at the end of a prompt: masked as keys, they attend to all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// How many there are.
    pub count: usize,
    /// The position of each, if they do not go on from the prompt's.
    pub position: Option<usize>,
}

/// The first layers of the language model.
pub struct Qwen3Encoder {
    runtime: Runtime,
    tokens: Embedding,
    layers: Vec<Layer>,
    config: Qwen3Config,
}

impl Qwen3Encoder {
    /// Builds the first `layers` layers; the weights of the others are not read.
    pub fn new(
        vb: &Parameters,
        config: Qwen3Config,
        layers: usize,
        cancel: &CancelToken,
    ) -> std::result::Result<Self, NetworkError> {
        config.check()?;
        let has_table = |vb: &Parameters| vb.contains_tensor("embed_tokens.weight");
        let vb = ["", "model", "model.language_model", "language_model.model"]
            .into_iter()
            .map(|prefix| if prefix.is_empty() { vb.clone() } else { vb.pp(prefix) })
            .find(has_table)
            .unwrap_or_else(|| vb.pp("model"));
        let table = vb.stored((config.vocab_size, config.hidden_size), "embed_tokens.weight")?;
        let mut built = Vec::with_capacity(layers);
        for i in 0..layers.min(config.num_hidden_layers) {
            check_cancelled(cancel)?;
            built.push(Layer::new(&vb.pp(format!("layers.{i}")), &config)?);
        }
        Ok(Self {
            runtime: vb.runtime().clone(),
            tokens: Embedding::new(vb.runtime(), table)?,
            layers: built,
            config,
        })
    }

    /// Rows of the token embedding table.
    pub fn rows(&self) -> usize {
        self.tokens.rows()
    }

    /// Repeats the S key or value heads for the H query heads that share them: `[1, N, S·D] → [1, N, H·D]`.
    fn repeated(&self, x: &Tensor) -> Result<Tensor> {
        let (shared, head) = (self.config.num_key_value_heads, self.config.head_dim);
        let times = self.config.num_attention_heads / shared;
        if times == 1 {
            return Ok(x.clone());
        }
        let tokens = x.dim(1)?;
        let heads = x.reshape((tokens, shared, 1, head))?.broadcast_as((tokens, shared, times, head))?;
        heads.contiguous()?.reshape((1, tokens, shared * times * head))
    }

    /// The hidden states of token ids after each of the L `layers` (counted from 1), without the final norm,
    /// concatenated by channel: `[1, N, L·C]`. Attention is causal.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, which is checked between layers. If a layer was not
    /// built, or an id is outside the embedding table.
    pub fn forward(
        &self,
        ids: &[u32],
        padding: Padding,
        layers: &[usize],
        cancel: &CancelToken,
    ) -> std::result::Result<Tensor, NetworkError> {
        let real = ids.len().saturating_sub(padding.count);
        let positions = (0..ids.len()).map(|place| match padding.position {
            Some(position) if place >= real => position,
            _ => place,
        });
        let half = self.config.head_dim / 2;
        let frequency = |i: usize| self.config.theta().powf(-(i as f64) / half as f64);
        let angles: Vec<f64> =
            positions.flat_map(|place| (0..half).map(move |i| place as f64 * frequency(i))).collect();
        let rotary = RotaryEmbedding::new(&self.runtime, &angles, half, RotaryPairs::Halves)?;
        let mut x = self.tokens.forward(ids)?.unsqueeze(0)?;
        let mut states = Vec::with_capacity(layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            check_cancelled(cancel)?;
            let normed = layer.norm1.forward(&x)?;
            let query = rotary.forward(&layer.query_norm.forward(&layer.query.forward(&normed)?)?)?;
            let key = rotary.forward(&layer.key_norm.forward(&layer.key.forward(&normed)?)?)?;
            let (key, value) = (self.repeated(&key)?, self.repeated(&layer.value.forward(&normed)?)?);
            let attended = self.attend([&query, &key, &value], real)?;
            x = layer.out.forward_add(&attended, &x)?;
            let normed = layer.norm2.forward(&x)?;
            let (gate, up) = (layer.gate.forward(&normed)?, layer.expand.forward(&normed)?);
            x = layer.contract.forward_add(&silu_gated(&self.runtime, &gate, &up)?, &x)?;
            if layers.contains(&(index + 1)) {
                states.push(x.clone());
            }
        }
        if states.len() != layers.len() {
            let message = format!("the states after layers {layers:?} of {}", self.layers.len());
            return Err(backend::Error::Msg(message).into());
        }
        Ok(Tensor::cat(&states, 2)?)
    }

    /// Causal attention among the first `real` tokens, and attention of the padding tokens to them.
    fn attend(&self, [query, key, value]: [&Tensor; 3], real: usize) -> Result<Tensor> {
        let heads = self.config.num_attention_heads;
        let tokens = query.dim(1)?;
        if real == tokens {
            return attention(&self.runtime, [query, key, value], heads, Mask::Causal);
        }
        let (key, value) = (key.narrow(1, 0, real)?.contiguous()?, value.narrow(1, 0, real)?.contiguous()?);
        let part = |from: usize, count: usize, mask| {
            let query = query.narrow(1, from, count)?.contiguous()?;
            attention(&self.runtime, [&query, &key, &value], heads, mask)
        };
        Tensor::cat(&[part(0, real, Mask::Causal)?, part(real, tokens - real, Mask::None)?], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    #[test]
    fn both_places_of_the_rotary_base_are_read_and_other_models_refused() {
        let config = |text: &str| -> Qwen3Config { json::from_slice(text.as_bytes()).unwrap() };
        let theta = |text| config(text).theta();
        assert_eq!(theta(r#"{"rope_theta": 1000000}"#), 1e6);
        assert_eq!(theta(r#"{"rope_parameters": {"rope_theta": 5e6, "rope_type": "default"}}"#), 5e6);
        for (text, part) in [
            (r#"{"model_type": "qwen2"}"#, "‘model_type’ is qwen2"),
            (r#"{"attention_bias": true}"#, "‘attention_bias’ is true"),
            (r#"{"num_key_value_heads": 5}"#, "‘num_key_value_heads’ is 5"),
            (r#"{"head_dim": 5}"#, "‘head_dim’ is 5"),
            (r#"{"rope_theta": 0}"#, "‘rope_theta’ is 0"),
        ] {
            let error = config(text).check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
