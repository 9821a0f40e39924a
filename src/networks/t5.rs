//! The encoder of T5 1.1 (Raffel et al. 2020, <https://arxiv.org/abs/1910.10683>): transformers' `T5EncoderModel`.

use super::blocks::linear_no_bias;
use super::error::check_cancelled;
use super::ops::{Embedding, Linear, RelativeBias, RmsNorm, attention_with_relative_bias, gelu_tanh_gated};
use super::{NetworkError, Parameters, Runtime};
use crate::networks::backend::{self, Result, Tensor};
use crate::request::CancelToken;

/// The keys of `config.json` that this network uses. Missing keys have transformers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct T5Config {
    /// Rows of the token embedding table.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub d_model: usize,
    /// Width of a head.
    pub d_kv: usize,
    /// Width of the feed-forward.
    pub d_ff: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Number of buckets of relative positions, each with its own bias.
    pub relative_attention_num_buckets: usize,
    /// Distance from which on all relative positions share a bucket.
    pub relative_attention_max_distance: usize,
    /// Norm epsilon.
    pub layer_norm_epsilon: f64,
    /// Kind of the feed-forward; only `gated-gelu` is supported.
    pub feed_forward_proj: String,
    /// The model type in transformers.
    pub model_type: Option<String>,
}

impl Default for T5Config {
    fn default() -> Self {
        Self {
            vocab_size: 32128,
            d_model: 512,
            d_kv: 64,
            d_ff: 2048,
            num_layers: 6,
            num_heads: 8,
            relative_attention_num_buckets: 32,
            relative_attention_max_distance: 128,
            layer_norm_epsilon: 1e-6,
            feed_forward_proj: "relu".to_owned(),
            model_type: None,
        }
    }
}

impl T5Config {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> std::result::Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        if let Some(kind) = self.model_type.as_ref().filter(|kind| *kind != "t5") {
            return refuse("model_type", kind.clone(), "t5");
        }
        if self.feed_forward_proj != "gated-gelu" {
            return refuse("feed_forward_proj", self.feed_forward_proj.clone(), "gated-gelu");
        }
        if !(self.layer_norm_epsilon.is_finite() && self.layer_norm_epsilon >= 0.0) {
            return refuse("layer_norm_epsilon", self.layer_norm_epsilon.to_string(), "a number from 0 up");
        }
        let (buckets, furthest) = (self.relative_attention_num_buckets, self.relative_attention_max_distance);
        if !(4..=4096).contains(&buckets) || buckets % 4 != 0 {
            return refuse(
                "relative_attention_num_buckets",
                buckets.to_string(),
                "a multiple of 4 up to 4096",
            );
        }
        if furthest <= buckets / 4 {
            return refuse(
                "relative_attention_max_distance",
                furthest.to_string(),
                "more than a quarter of relative_attention_num_buckets",
            );
        }
        for (key, value) in [
            ("num_layers", self.num_layers),
            ("num_heads", self.num_heads),
            ("d_kv", self.d_kv),
            ("d_model", self.d_model),
        ] {
            if !(1..=1 << 16).contains(&value) {
                return refuse(key, value.to_string(), "1 to 65536");
            }
        }
        Ok(())
    }

    /// The bucket of a distance query − key (transformers' `_relative_position_bucket`): exact for small distances,
    /// then logarithmic.
    fn bucket(&self, distance: isize) -> usize {
        let half = self.relative_attention_num_buckets / 2;
        let offset = if distance < 0 { half } else { 0 };
        let (distance, exact) = (distance.unsigned_abs(), half / 2);
        if distance < exact {
            return offset + distance;
        }
        let ratio = |distance: usize| (distance as f64 / exact as f64).ln();
        let steps = ratio(distance) / ratio(self.relative_attention_max_distance) * (half - exact) as f64;
        offset + (exact + steps as usize).min(half - 1)
    }
}

struct Layer {
    norm1: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: RmsNorm,
    gate: Linear,
    expand: Linear,
    contract: Linear,
}

impl Layer {
    fn new(vb: &Parameters, config: &T5Config) -> Result<Self> {
        let (width, heads) = (config.d_model, config.num_heads * config.d_kv);
        let norm = |vb: &Parameters| {
            RmsNorm::new(vb.runtime(), &vb.get(width, "layer_norm.weight")?, config.layer_norm_epsilon)
        };
        let [attention, feed_forward] = [vb.pp("layer.0"), vb.pp("layer.1")];
        let map = |name: &str, inputs, outputs| {
            linear_no_bias(&attention.pp(format!("SelfAttention.{name}")), inputs, outputs)
        };
        let dense = |name: &str, inputs, outputs| {
            linear_no_bias(&feed_forward.pp(format!("DenseReluDense.{name}")), inputs, outputs)
        };
        Ok(Self {
            norm1: norm(&attention)?,
            query: map("q", width, heads)?,
            key: map("k", width, heads)?,
            value: map("v", width, heads)?,
            out: map("o", heads, width)?,
            norm2: norm(&feed_forward)?,
            gate: dense("wi_0", width, config.d_ff)?,
            expand: dense("wi_1", width, config.d_ff)?,
            contract: dense("wo", config.d_ff, width)?,
        })
    }
}

/// The text encoder.
pub struct T5Encoder {
    runtime: Runtime,
    tokens: Embedding,
    layers: Vec<Layer>,
    final_norm: RmsNorm,
    /// Relative position biases, `[buckets, H]`.
    biases: Vec<f32>,
    config: T5Config,
}

impl T5Encoder {
    /// Builds the network from its weights.
    pub fn new(
        vb: &Parameters,
        config: T5Config,
        cancel: &CancelToken,
    ) -> std::result::Result<Self, NetworkError> {
        config.check()?;
        let table =
            if vb.contains_tensor("shared.weight") { "shared.weight" } else { "encoder.embed_tokens.weight" };
        let blocks = vb.pp("encoder.block");
        let buckets = (config.relative_attention_num_buckets, config.num_heads);
        let biases = blocks.get(buckets, "0.layer.0.SelfAttention.relative_attention_bias.weight")?;
        let mut layers = Vec::with_capacity(config.num_layers);
        for i in 0..config.num_layers {
            check_cancelled(cancel)?;
            layers.push(Layer::new(&blocks.pp(i), &config)?);
        }
        let final_norm = vb.get(config.d_model, "encoder.final_layer_norm.weight")?;
        Ok(Self {
            runtime: vb.runtime().clone(),
            tokens: Embedding::new(vb.runtime(), vb.stored((config.vocab_size, config.d_model), table)?)?,
            layers,
            final_norm: RmsNorm::new(vb.runtime(), &final_norm, config.layer_norm_epsilon)?,
            biases: biases.to_dtype(backend::DType::F32)?.to_values()?,
            config,
        })
    }

    /// Rows of the token embedding table.
    pub fn rows(&self) -> usize {
        self.tokens.rows()
    }

    /// The hidden states of token ids after the final norm, `[1, N, C]`. The last `masked` tokens are masked as keys.
    ///
    /// # Errors
    /// [`NetworkError::Cancelled`] once the job is cancelled, which is checked between layers. If an id is outside the
    /// embedding table.
    pub fn forward(
        &self,
        ids: &[u32],
        masked: usize,
        cancel: &CancelToken,
    ) -> std::result::Result<Tensor, NetworkError> {
        let heads = self.config.num_heads;
        let keys = ids.len().saturating_sub(masked);
        let bias = RelativeBias::new(&self.runtime, heads, ids.len(), keys, |head, distance| {
            self.biases[self.config.bucket(distance) * heads + head]
        })?;
        let mut x = self.tokens.forward(ids)?.unsqueeze(0)?;
        for layer in &self.layers {
            check_cancelled(cancel)?;
            let normed = layer.norm1.forward(&x)?;
            let [query, key, value] =
                [&layer.query, &layer.key, &layer.value].map(|map| map.forward(&normed));
            let qkv = [&query?, &key?, &value?];
            let attended = attention_with_relative_bias(&self.runtime, qkv, &bias)?;
            x = layer.out.forward_add(&attended, &x)?;
            let normed = layer.norm2.forward(&x)?;
            let (gate, linear) = (layer.gate.forward(&normed)?, layer.expand.forward(&normed)?);
            x = layer.contract.forward_add(&gelu_tanh_gated(&self.runtime, &gate, &linear)?, &x)?;
        }
        Ok(self.final_norm.forward(&x)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first distance of each bucket is that of transformers' `_relative_position_bucket`.
    #[test]
    fn buckets_are_those_of_transformers() {
        let config = T5Config::default();
        let buckets: Vec<usize> = (0..200).map(|distance| config.bucket(distance)).collect();
        let firsts: Vec<usize> = (0..=15).map(|bucket| buckets.partition_point(|b| *b < bucket)).collect();
        assert_eq!(firsts, [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]);
        for distance in 1..200 {
            assert_eq!(config.bucket(-distance), 16 + config.bucket(distance));
        }
        assert_eq!(config.bucket(isize::MAX), 15);
    }

    #[test]
    fn other_encoders_are_refused_by_name() {
        let gated = T5Config { feed_forward_proj: "gated-gelu".into(), ..T5Config::default() };
        assert!(gated.check().is_ok());
        for (config, part) in [
            (T5Config::default(), "‘feed_forward_proj’ is relu"),
            (T5Config { model_type: Some("mt5".into()), ..gated.clone() }, "‘model_type’ is mt5"),
            (
                T5Config { relative_attention_num_buckets: 0, ..gated.clone() },
                "‘relative_attention_num_buckets’ is 0",
            ),
            (
                T5Config { relative_attention_max_distance: 8, ..gated.clone() },
                "‘relative_attention_max_distance’ is 8",
            ),
            (T5Config { num_heads: 0, ..gated }, "‘num_heads’ is 0"),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
