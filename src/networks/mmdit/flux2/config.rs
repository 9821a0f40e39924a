//! The configuration of FLUX.2's transformer.

use crate::networks::NetworkError;
use crate::networks::mmdit::config_checks::{check_axes, check_class, check_positive, check_sizes};

/// The keys of `transformer/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct Flux2Config {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Edge of the patches that the network makes itself; only 1 is supported, as its input is patchified.
    pub patch_size: usize,
    /// Channels of an image token: those of a 2×2 patch of a latent.
    pub in_channels: usize,
    /// Channels of an output token, if different.
    pub out_channels: Option<usize>,
    /// Double-stream blocks.
    pub num_layers: usize,
    /// Single-stream blocks.
    pub num_single_layers: usize,
    /// Width of an attention head.
    pub attention_head_dim: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the text encoder's hidden states.
    pub joint_attention_dim: usize,
    /// Width of the sinusoidal time embedding; only 256 is supported.
    pub timestep_guidance_channels: usize,
    /// Hidden width of a feed-forward, as a multiple of a token's.
    pub mlp_ratio: f64,
    /// Rotary dimensions of each axis: time, row, column, text position.
    pub axes_dims_rope: [usize; 4],
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Epsilon of the norms.
    pub eps: f64,
    /// Whether the guidance scale is embedded.
    pub guidance_embeds: bool,
}

impl Default for Flux2Config {
    fn default() -> Self {
        Self {
            class_name: None,
            patch_size: 1,
            in_channels: 128,
            out_channels: None,
            num_layers: 8,
            num_single_layers: 48,
            attention_head_dim: 128,
            num_attention_heads: 48,
            joint_attention_dim: 15_360,
            timestep_guidance_channels: 256,
            mlp_ratio: 3.0,
            axes_dims_rope: [32; 4],
            rope_theta: 2000.0,
            eps: 1e-6,
            guidance_embeds: true,
        }
    }
}

impl Flux2Config {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        check_class(self.class_name.as_ref(), "Flux2Transformer2DModel")?;
        if self.patch_size != 1 {
            return refuse("patch_size", self.patch_size.to_string(), "1");
        }
        if self.timestep_guidance_channels != 256 {
            return refuse("timestep_guidance_channels", self.timestep_guidance_channels.to_string(), "256");
        }
        if let Some(outputs) = self.out_channels.filter(|outputs| *outputs != self.in_channels) {
            return refuse("out_channels", outputs.to_string(), "as many as in_channels");
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
            let config: Flux2Config = crate::content::json::from_slice(text.as_bytes()).unwrap();
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(r#"{"out_channels": 128, "guidance_embeds": false}"#), Ok(()));
        for (text, part) in [
            (r#"{"_class_name": "FluxTransformer2DModel"}"#, "‘_class_name’ is FluxTransformer2DModel"),
            (r#"{"out_channels": 64}"#, "‘out_channels’ is 64"),
            (r#"{"axes_dims_rope": [32, 32, 32, 30]}"#, "‘axes_dims_rope’ is [32, 32, 32, 30]"),
            (r#"{"rope_theta": 0}"#, "‘rope_theta’ is 0"),
            (r#"{"mlp_ratio": -3}"#, "‘mlp_ratio’ is -3"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
