//! The configuration of Chroma's transformer.

use crate::networks::NetworkError;
use crate::networks::mmdit::config_checks::{check_axes, check_class, check_sizes};

/// The keys of `transformer/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct ChromaConfig {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Values of an image token in the input: of a patch of the latent.
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
    /// Values of a head that each axis of the rotary embedding rotates: an unused one, rows, columns.
    pub axes_dims_rope: [usize; 3],
    /// Width of the approximator's input: the embeddings of the time, of a guidance scale of 0, and of a modulation
    /// vector's index.
    pub approximator_num_channels: usize,
    /// Width of the approximator.
    pub approximator_hidden_dim: usize,
    /// Number of layers of the approximator.
    pub approximator_layers: usize,
}

impl Default for ChromaConfig {
    fn default() -> Self {
        Self {
            class_name: None,
            in_channels: 64,
            out_channels: None,
            num_layers: 19,
            num_single_layers: 38,
            attention_head_dim: 128,
            num_attention_heads: 24,
            joint_attention_dim: 4096,
            axes_dims_rope: [16, 56, 56],
            approximator_num_channels: 64,
            approximator_hidden_dim: 5120,
            approximator_layers: 5,
        }
    }
}

impl ChromaConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        check_class(self.class_name.as_ref(), "ChromaTransformer2DModel")?;
        if let Some(outputs) = self.out_channels.filter(|outputs| *outputs != self.in_channels) {
            return refuse("out_channels", outputs.to_string(), "as many as in_channels");
        }
        check_sizes(&[
            ("in_channels", self.in_channels),
            ("num_layers", self.num_layers),
            ("num_single_layers", self.num_single_layers),
            ("attention_head_dim", self.attention_head_dim),
            ("num_attention_heads", self.num_attention_heads),
            ("approximator_layers", self.approximator_layers),
        ])?;
        let channels = self.approximator_num_channels;
        if !(8..=1 << 14).contains(&channels) || !channels.is_multiple_of(8) {
            return refuse("approximator_num_channels", channels.to_string(), "a multiple of 8");
        }
        check_axes(&self.axes_dims_rope, self.attention_head_dim)
    }

    /// Width of a token.
    pub fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Number of modulation vectors: three for each single-stream block, six for each stream of a double-stream block,
    /// two for the final norm.
    pub(super) fn vectors(&self) -> usize {
        3 * self.num_single_layers + 12 * self.num_layers + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_released_network_has_344_vectors_and_others_are_refused_by_name() {
        assert_eq!(ChromaConfig::default().vectors(), 344);
        assert!(ChromaConfig::default().check().is_ok());
        for (config, part) in [
            (ChromaConfig { out_channels: Some(3), ..ChromaConfig::default() }, "‘out_channels’ is 3"),
            (
                ChromaConfig { approximator_num_channels: 12, ..ChromaConfig::default() },
                "‘approximator_num_channels’ is 12",
            ),
            (ChromaConfig { axes_dims_rope: [2, 2, 2], ..ChromaConfig::default() }, "‘axes_dims_rope’ is"),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
