//! The configuration of FLUX.3's transformer.

use crate::networks::NetworkError;
use crate::networks::mmdit::config_checks::{check_axes, check_class, check_positive, check_sizes};

/// The keys of `transformer/config.json` this network follows. Keys left out have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct Flux3Config {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Channels of an image token: those of a 2×2 patch of a latent.
    pub in_channels: usize,
    /// Blocks in which each stream attends to itself alone, for each stream.
    pub num_layers: usize,
    /// Blocks in which the streams attend to each other.
    pub num_single_layers: usize,
    /// Width of an attention head.
    pub attention_head_dim: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the text encoder's hidden states.
    pub joint_attention_dim: usize,
    /// Width of the sinusoidal time embedding; only 256 is followed.
    pub timestep_channels: usize,
    /// Hidden width of a feed-forward over the width of a token.
    pub mlp_ratio: f64,
    /// Rotary dimensions of each axis: time, row, column, text position.
    pub axes_dims_rope: [usize; 4],
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Epsilon of the norms.
    pub eps: f64,
    /// Whether the network is a flow map: it also takes the time that a step leads to (step-distilled models).
    pub flow_map: bool,
}

impl Default for Flux3Config {
    fn default() -> Self {
        Self {
            class_name: None,
            in_channels: 128,
            num_layers: 5,
            num_single_layers: 28,
            attention_head_dim: 128,
            num_attention_heads: 24,
            joint_attention_dim: 20_480,
            timestep_channels: 256,
            mlp_ratio: 3.0,
            axes_dims_rope: [32; 4],
            rope_theta: 10_000.0,
            eps: 1e-6,
            flow_map: false,
        }
    }
}

impl Flux3Config {
    /// Refuses what this network cannot follow, naming key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        check_class(self.class_name.as_ref(), "Flux3Transformer2DModel")?;
        if self.timestep_channels != 256 {
            return refuse("timestep_channels", self.timestep_channels.to_string(), "256");
        }
        check_sizes(&[
            ("in_channels", self.in_channels),
            ("num_layers", self.num_layers),
            ("num_single_layers", self.num_single_layers),
            ("attention_head_dim", self.attention_head_dim),
            ("num_attention_heads", self.num_attention_heads),
        ])?;
        if !(self.mlp_ratio > 0.0 && self.mlp_ratio <= 64.0) {
            return refuse("mlp_ratio", self.mlp_ratio.to_string(), "a number above 0, 64 at most");
        }
        check_positive(&[("rope_theta", self.rope_theta), ("eps", self.eps)])?;
        check_axes(&self.axes_dims_rope, self.attention_head_dim)
    }

    /// Width of a token.
    pub fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Hidden width of a feed-forward.
    pub(super) fn hidden_width(&self) -> usize {
        (self.width() as f64 * self.mlp_ratio) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_other_kinds_are_refused_by_name() {
        let check = |text: &str| {
            let config: Flux3Config = crate::content::json::from_slice(text.as_bytes()).unwrap();
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(r#"{"flow_map": true}"#), Ok(()));
        for (text, part) in [
            (r#"{"_class_name": "Flux2Transformer2DModel"}"#, "‘_class_name’ is Flux2Transformer2DModel"),
            (r#"{"axes_dims_rope": [32, 32, 32, 30]}"#, "‘axes_dims_rope’ is [32, 32, 32, 30]"),
            (r#"{"timestep_channels": 128}"#, "‘timestep_channels’ is 128"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
