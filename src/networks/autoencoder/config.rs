//! The configuration of an autoencoder.

use crate::networks::NetworkError;

/// The keys of `vae/config.json` this network follows. Keys left out have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct AutoencoderConfig {
    /// Colour channels in.
    pub in_channels: usize,
    /// Colour channels out.
    pub out_channels: usize,
    /// Channels of a latent.
    pub latent_channels: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// ResNet blocks of each encoder level; the decoder has one more.
    pub layers_per_block: usize,
    /// Norm groups.
    pub norm_num_groups: usize,
    /// Whether a 1×1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1×1 convolution precedes the decoder.
    pub use_post_quant_conv: bool,
    /// Whether the middle has attention.
    pub mid_block_add_attention: bool,
    /// Scale of a latent.
    pub scaling_factor: f64,
    /// Shift of a latent.
    pub shift_factor: Option<f64>,
    /// Activation.
    pub act_fn: String,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            latent_channels: 4,
            block_out_channels: vec![64],
            layers_per_block: 1,
            norm_num_groups: 32,
            use_quant_conv: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
            scaling_factor: 0.18215,
            shift_factor: None,
            act_fn: "silu".to_owned(),
        }
    }
}

impl AutoencoderConfig {
    /// Refuses what this network cannot follow, naming key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        if self.act_fn != "silu" && self.act_fn != "swish" {
            return refuse("act_fn", self.act_fn.clone(), "silu");
        }
        if self.in_channels != 3 || self.out_channels != 3 {
            return refuse("in_channels", self.in_channels.to_string(), "3, red, green and blue");
        }
        if !(1..=8).contains(&self.block_out_channels.len()) {
            return refuse(
                "block_out_channels",
                format!("{:?}", self.block_out_channels),
                "one to eight levels",
            );
        }
        if !(1..=16).contains(&self.layers_per_block) || !(1..=256).contains(&self.latent_channels) {
            return refuse("layers_per_block", self.layers_per_block.to_string(), "1 to 16");
        }
        Ok(())
    }

    /// Picture pixels under the edge of one latent pixel.
    pub fn downscale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}
