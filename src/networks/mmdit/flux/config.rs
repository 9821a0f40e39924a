//! The configuration of FLUX.1's transformer.

use crate::networks::NetworkError;
use crate::networks::mmdit::config_checks::{check_axes, check_class, check_sizes};

/// The keys of `transformer/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct FluxConfig {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Edge of the patches that the network makes itself; 1 as its input is patchified.
    pub patch_size: usize,
    /// Values of an image token in the input: of a patch of the latent, and more in networks that take pictures.
    pub in_channels: usize,
    /// Values of an image token in the output, if different.
    pub out_channels: Option<usize>,
    /// Number of double-stream blocks.
    pub num_layers: usize,
    /// Number of single-stream blocks.
    pub num_single_layers: usize,
    /// Width of a head.
    pub attention_head_dim: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the text encoder's hidden states.
    pub joint_attention_dim: usize,
    /// Width of the pooled text embedding.
    pub pooled_projection_dim: usize,
    /// Whether the network takes a guidance scale as an input (guidance distillation).
    pub guidance_embeds: bool,
    /// Values of a head that each axis of the rotary embedding rotates: an unused one, rows, columns.
    pub axes_dims_rope: [usize; 3],
}

impl Default for FluxConfig {
    fn default() -> Self {
        Self {
            class_name: None,
            patch_size: 1,
            in_channels: 64,
            out_channels: None,
            num_layers: 19,
            num_single_layers: 38,
            attention_head_dim: 128,
            num_attention_heads: 24,
            joint_attention_dim: 4096,
            pooled_projection_dim: 768,
            guidance_embeds: false,
            axes_dims_rope: [16, 56, 56],
        }
    }
}

impl FluxConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        check_class(self.class_name.as_ref(), "FluxTransformer2DModel")?;
        if self.patch_size != 1 {
            return refuse("patch_size", self.patch_size.to_string(), "1");
        }
        if let Some(outputs) = self.out_channels.filter(|outputs| *outputs != self.in_channels) {
            let supported = "networks that take a noisy picture and nothing else: FLUX.1 Fill, Depth and Canny take another one";
            return refuse("out_channels", outputs.to_string(), supported);
        }
        check_sizes(&[
            ("in_channels", self.in_channels),
            ("num_layers", self.num_layers),
            ("num_single_layers", self.num_single_layers),
            ("attention_head_dim", self.attention_head_dim),
            ("num_attention_heads", self.num_attention_heads),
        ])?;
        check_axes(&self.axes_dims_rope, self.attention_head_dim)
    }

    /// Width of a token.
    pub fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_other_kinds_are_refused_by_name() {
        let check = |text: &str| {
            let config: FluxConfig = crate::content::json::from_slice(text.as_bytes()).unwrap();
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(r#"{"axes_dims_rope": null, "out_channels": 64}"#), Ok(()));
        for (text, part) in [
            (r#"{"_class_name": "FluxControlNetModel"}"#, "‘_class_name’ is FluxControlNetModel"),
            (r#"{"in_channels": 384, "out_channels": 64}"#, "‘out_channels’ is 64"),
            (r#"{"axes_dims_rope": [16, 56, 54]}"#, "‘axes_dims_rope’ is [16, 56, 54]"),
            (r#"{"axes_dims_rope": [15, 57, 56]}"#, "‘axes_dims_rope’ is [15, 57, 56]"),
            (r#"{"num_layers": 0}"#, "‘num_layers’ is 0"),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
