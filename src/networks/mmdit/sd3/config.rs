//! The configuration of Stable Diffusion 3's transformer.

use crate::networks::NetworkError;
use crate::networks::mmdit::config_checks::{check_class, check_sizes};

/// The keys of `transformer/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct Sd3Config {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Edge of the latents that it was trained on, latent pixels.
    pub sample_size: usize,
    /// Edge of a patch, latent pixels.
    pub patch_size: usize,
    /// Channels of a latent.
    pub in_channels: usize,
    /// Output channels, if different.
    pub out_channels: Option<usize>,
    /// Number of blocks.
    pub num_layers: usize,
    /// Width of a head.
    pub attention_head_dim: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of the text encoders' hidden states.
    pub joint_attention_dim: usize,
    /// Width of a text token in the network.
    pub caption_projection_dim: usize,
    /// Width of the pooled text embedding.
    pub pooled_projection_dim: usize,
    /// Rows and columns of the position embedding table, tokens.
    pub pos_embed_max_size: usize,
    /// Blocks in which the image stream also has an attention of its own.
    pub dual_attention_layers: Vec<usize>,
    /// Norm of queries and keys: `None` or `rms_norm`.
    pub qk_norm: Option<String>,
}

impl Default for Sd3Config {
    fn default() -> Self {
        Self {
            class_name: None,
            sample_size: 128,
            patch_size: 2,
            in_channels: 16,
            out_channels: None,
            num_layers: 18,
            attention_head_dim: 64,
            num_attention_heads: 18,
            joint_attention_dim: 4096,
            caption_projection_dim: 1152,
            pooled_projection_dim: 2048,
            pos_embed_max_size: 96,
            dual_attention_layers: Vec::new(),
            qk_norm: None,
        }
    }
}

impl Sd3Config {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        check_class(self.class_name.as_ref(), "SD3Transformer2DModel")?;
        if self.patch_size != 2 {
            return refuse("patch_size", self.patch_size.to_string(), "2");
        }
        if let Some(outputs) = self.out_channels.filter(|outputs| *outputs != self.in_channels) {
            return refuse("out_channels", outputs.to_string(), "as many as in_channels");
        }
        if let Some(norm) = self.qk_norm.as_ref().filter(|norm| *norm != "rms_norm") {
            return refuse("qk_norm", norm.clone(), "null and rms_norm");
        }
        check_sizes(&[
            ("in_channels", self.in_channels),
            ("num_layers", self.num_layers),
            ("attention_head_dim", self.attention_head_dim),
            ("num_attention_heads", self.num_attention_heads),
            ("pos_embed_max_size", self.pos_embed_max_size),
            ("sample_size", self.sample_size),
        ])?;
        if self.caption_projection_dim != self.width() {
            let supported = "num_attention_heads times attention_head_dim";
            return refuse("caption_projection_dim", self.caption_projection_dim.to_string(), supported);
        }
        Ok(())
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
        assert!(Sd3Config::default().check().is_ok());
        for (config, part) in [
            (Sd3Config { patch_size: 1, ..Sd3Config::default() }, "‘patch_size’ is 1"),
            (
                Sd3Config { qk_norm: Some("layer_norm".into()), ..Sd3Config::default() },
                "‘qk_norm’ is layer_norm",
            ),
            (
                Sd3Config { caption_projection_dim: 7, ..Sd3Config::default() },
                "‘caption_projection_dim’ is 7",
            ),
            (Sd3Config { out_channels: Some(4), ..Sd3Config::default() }, "‘out_channels’ is 4"),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
