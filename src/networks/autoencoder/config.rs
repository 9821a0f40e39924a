//! The configuration of an autoencoder.

use crate::networks::NetworkError;

/// FLUX.2's class in diffusers, whose latents are normalised by a batch norm.
const FLUX2: &str = "AutoencoderKLFlux2";

/// The keys of `vae/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct AutoencoderConfig {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Colour channels in.
    pub in_channels: usize,
    /// Colour channels out.
    pub out_channels: usize,
    /// Channels of a latent.
    pub latent_channels: usize,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// Channels of each decoder level, where they differ from the encoder's (FLUX.2's small decoder).
    pub decoder_block_out_channels: Option<Vec<usize>>,
    /// ResNet blocks of each encoder level; the decoder has one more.
    pub layers_per_block: usize,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
    /// Whether a 1×1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1×1 convolution precedes the decoder.
    pub use_post_quant_conv: bool,
    /// Whether the mid block has self-attention.
    pub mid_block_add_attention: bool,
    /// Factor from VAE space to model space, in networks without a batch norm of the latents.
    pub scaling_factor: f64,
    /// Shift that is subtracted in VAE space before scaling.
    pub shift_factor: Option<f64>,
    /// FLUX.2: epsilon of the batch norm of a latent's patches.
    pub batch_norm_eps: f64,
    /// FLUX.2: rows and columns of these patches; only 2×2 is supported.
    pub patch_size: [usize; 2],
    /// Activation.
    pub act_fn: String,
    /// Block type of each encoder level.
    pub down_block_types: Vec<String>,
    /// Block type of each decoder level.
    pub up_block_types: Vec<String>,
    /// Means of a latent's channels, subtracted in VAE space before scaling (Playground v2.5).
    pub latents_mean: Option<Vec<f64>>,
    /// Standard deviations of a latent's channels, by which it is divided before scaling.
    pub latents_std: Option<Vec<f64>>,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            class_name: None,
            in_channels: 3,
            out_channels: 3,
            latent_channels: 4,
            block_out_channels: vec![64],
            decoder_block_out_channels: None,
            layers_per_block: 1,
            norm_num_groups: 32,
            use_quant_conv: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
            scaling_factor: 0.18215,
            shift_factor: None,
            batch_norm_eps: 1e-4,
            patch_size: [2, 2],
            act_fn: "silu".to_owned(),
            down_block_types: Vec::new(),
            up_block_types: Vec::new(),
            latents_mean: None,
            latents_std: None,
        }
    }
}

impl AutoencoderConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        // Derived classes have prefixes; diffusers' `AsymmetricAutoencoderKL` has another decoder.
        let is_plain = |class: &&String| class.ends_with("AutoencoderKL") && !class.starts_with("Asymmetric");
        if let Some(class) = self.class_name.as_ref().filter(|class| !is_plain(class) && *class != FLUX2) {
            return refuse("_class_name", class.clone(), "AutoencoderKL or AutoencoderKLFlux2");
        }
        if self.patch_size != [2, 2] {
            return refuse("patch_size", format!("{:?}", self.patch_size), "[2, 2]");
        }
        if !(self.batch_norm_eps.is_finite() && self.batch_norm_eps >= 0.0) {
            return refuse("batch_norm_eps", self.batch_norm_eps.to_string(), "a number from 0 up");
        }
        if self.act_fn != "silu" && self.act_fn != "swish" {
            return refuse("act_fn", self.act_fn.clone(), "silu");
        }
        for (key, channels) in [("in_channels", self.in_channels), ("out_channels", self.out_channels)] {
            if channels != 3 {
                return refuse(key, channels.to_string(), "3, red, green and blue");
            }
        }
        let levels = self.block_out_channels.len();
        if let Some(decoder) = self.decoder_block_out_channels.as_ref().filter(|of| of.len() != levels) {
            let found = format!("{decoder:?}");
            return refuse("decoder_block_out_channels", found, "as many levels as block_out_channels");
        }
        if !(1..=8).contains(&levels) {
            return refuse(
                "block_out_channels",
                format!("{:?}", self.block_out_channels),
                "one to eight levels",
            );
        }
        if !(1..=16).contains(&self.layers_per_block) {
            return refuse("layers_per_block", self.layers_per_block.to_string(), "1 to 16");
        }
        if !(1..=256).contains(&self.latent_channels) {
            return refuse("latent_channels", self.latent_channels.to_string(), "1 to 256");
        }
        for (key, kinds, supported) in [
            ("down_block_types", &self.down_block_types, "DownEncoderBlock2D"),
            ("up_block_types", &self.up_block_types, "UpDecoderBlock2D"),
        ] {
            if let Some(kind) = kinds.iter().find(|kind| *kind != supported) {
                return refuse(key, kind.clone(), supported);
            }
        }
        self.check_statistics()?;
        // Latents are multiplied and divided by it in f32.
        let scale = self.scaling_factor as f32;
        if !(scale.is_normal() && scale.recip().is_normal() && scale > 0.0) {
            let found = format!("{:e}", self.scaling_factor);
            return refuse("scaling_factor", found, "a number above 0 that f32 can hold");
        }
        if let Some(shift) = self.shift_factor.filter(|shift| !(*shift as f32).is_finite()) {
            return refuse("shift_factor", shift.to_string(), "a number");
        }
        Ok(())
    }

    /// Checks the statistics of a latent's channels: both or none, a usable number for each channel.
    fn check_statistics(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        let usable: fn(f64) -> bool = |value| (value as f32).is_finite();
        let positive: fn(f64) -> bool = |value| value > 0.0 && (value as f32).is_normal();
        for (key, values, other, is_usable, supported) in [
            ("latents_mean", &self.latents_mean, &self.latents_std, usable, "a number for each channel"),
            (
                "latents_std",
                &self.latents_std,
                &self.latents_mean,
                positive,
                "a number above 0 for each channel",
            ),
        ] {
            match values {
                Some(values)
                    if values.len() != self.latent_channels
                        || !values.iter().all(|value| is_usable(*value)) =>
                {
                    return refuse(key, format!("{values:?}"), supported);
                }
                None if other.is_some() => return refuse(key, "null".to_owned(), supported),
                _ => {}
            }
        }
        if self.latents_mean.is_some() && self.normalises_patches() {
            return refuse("latents_mean", format!("{:?}", self.latents_mean), "null beside a batch norm");
        }
        Ok(())
    }

    /// [`Self::check`] for a family whose pipeline in diffusers reads no statistics of a latent's channels.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check_without_statistics(&self) -> Result<(), NetworkError> {
        self.check()?;
        match &self.latents_mean {
            Some(values) => Err(NetworkError::Unsupported {
                key: "latents_mean",
                value: format!("{values:?}"),
                supported: "null except in Stable Diffusion XL",
            }),
            None => Ok(()),
        }
    }

    /// Whether a batch norm of 2×2 patches normalises the latents, in place of a scale and a shift.
    pub fn normalises_patches(&self) -> bool {
        self.class_name.as_deref() == Some(FLUX2)
    }

    /// Scale and shift from VAE space to model space: `(latent − shift) · scale`.
    pub fn scale_and_shift(&self) -> [f64; 2] {
        if self.normalises_patches() {
            return [1.0, 0.0];
        }
        [self.scaling_factor, self.shift_factor.unwrap_or(0.0)]
    }

    /// Downscale factor: picture pixels along the edge of a latent pixel.
    pub fn downscale(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    #[test]
    fn other_autoencoders_and_scales_that_are_none_are_refused_by_name() {
        let check = |text: &str| {
            let config: AutoencoderConfig = json::from_slice(text.as_bytes()).unwrap();
            config.check().map_err(|error| error.to_string())
        };
        for (text, part) in [
            (r#"{"_class_name": "AutoencoderTiny"}"#, "‘_class_name’ is AutoencoderTiny"),
            (r#"{"_class_name": "AsymmetricAutoencoderKL"}"#, "‘_class_name’ is AsymmetricAutoencoderKL"),
            (r#"{"_class_name": "VQModel"}"#, "‘_class_name’ is VQModel"),
            (r#"{"scaling_factor": NaN}"#, "‘scaling_factor’ is NaN"),
            (r#"{"scaling_factor": Infinity}"#, "‘scaling_factor’ is inf"),
            (r#"{"scaling_factor": 0}"#, "‘scaling_factor’ is 0"),
            (r#"{"scaling_factor": -0.18}"#, "‘scaling_factor’ is -1.8e-1"),
            (r#"{"scaling_factor": 1e-320}"#, "‘scaling_factor’ is 1e-320"),
            (r#"{"scaling_factor": 1e300}"#, "‘scaling_factor’ is 1e300"),
            (r#"{"shift_factor": 1e300}"#, "‘shift_factor’ is"),
            (r#"{"latents_mean": [0, 0, 0, 0]}"#, "‘latents_std’ is null"),
            (r#"{"latents_std": [1, 1, 1, 1]}"#, "‘latents_mean’ is null"),
            (
                r#"{"latents_mean": [0, 0, 0], "latents_std": [1, 1, 1, 1]}"#,
                "‘latents_mean’ is [0.0, 0.0, 0.0]",
            ),
            (
                r#"{"latents_mean": [0, 0, 0, 0], "latents_std": [1, 1, 1, 0]}"#,
                "‘latents_std’ is [1.0, 1.0, 1.0, 0.0]",
            ),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
        for text in
            ["{}", r#"{"_class_name": "AutoencoderKL", "scaling_factor": 1}"#, r#"{"scaling_factor": null}"#]
        {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        let playground = r#"{"latents_mean": [-1.7, 1.9, -1.4, 2.5], "latents_std": [8.5, 5.9, 6.5, 5.2]}"#;
        assert_eq!(check(playground), Ok(()));
        let config: AutoencoderConfig = json::from_slice(playground.as_bytes()).unwrap();
        let error = config.check_without_statistics().unwrap_err().to_string();
        assert!(error.starts_with("‘latents_mean’ is"), "{error}");
    }
}
