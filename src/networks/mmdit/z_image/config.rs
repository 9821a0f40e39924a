//! The configuration of Z-Image's transformer.

use crate::networks::NetworkError;

/// The keys of `transformer/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct ZImageConfig {
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// Edge of a patch, latent pixels, for each patch embedder.
    pub all_patch_size: Vec<usize>,
    /// Channels of a latent.
    pub in_channels: usize,
    /// Width of a token.
    pub dim: usize,
    /// Number of joint blocks over image and text.
    pub n_layers: usize,
    /// Number of refiner blocks before them, for image and for text.
    pub n_refiner_layers: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Epsilon of most norms.
    pub norm_eps: f64,
    /// Whether queries and keys have a norm.
    pub qk_norm: bool,
    /// Width of the text encoder's hidden states.
    pub cap_feat_dim: usize,
    /// Width of an image encoder's hidden states, in networks that edit pictures.
    pub siglip_feat_dim: Option<usize>,
    /// The base of the rotary frequencies.
    pub rope_theta: f64,
    /// Factor of a time of 0..=1 before the sinusoidal embedding.
    pub t_scale: f64,
    /// Values of a head that each axis of the rotary embedding rotates: text position, rows, columns.
    pub axes_dims: [usize; 3],
}

impl Default for ZImageConfig {
    fn default() -> Self {
        Self {
            class_name: None,
            all_patch_size: vec![2],
            in_channels: 16,
            dim: 3840,
            n_layers: 30,
            n_refiner_layers: 2,
            n_heads: 30,
            norm_eps: 1e-5,
            qk_norm: true,
            cap_feat_dim: 2560,
            siglip_feat_dim: None,
            rope_theta: 256.0,
            t_scale: 1000.0,
            axes_dims: [32, 48, 48],
        }
    }
}

impl ZImageConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        if let Some(class) = self.class_name.as_ref().filter(|class| *class != "ZImageTransformer2DModel") {
            return refuse("_class_name", class.clone(), "ZImageTransformer2DModel");
        }
        if !self.all_patch_size.contains(&2) {
            return refuse("all_patch_size", format!("{:?}", self.all_patch_size), "lists with 2");
        }
        if !self.qk_norm {
            return refuse("qk_norm", "false".to_owned(), "true");
        }
        if let Some(width) = self.siglip_feat_dim {
            let supported = "networks that take a prompt and nothing else";
            return refuse("siglip_feat_dim", width.to_string(), supported);
        }
        for (key, value) in
            [("norm_eps", self.norm_eps), ("rope_theta", self.rope_theta), ("t_scale", self.t_scale)]
        {
            if !(value.is_finite() && value > 0.0) {
                return refuse(key, value.to_string(), "a number above 0");
            }
        }
        for (key, value) in [
            ("in_channels", self.in_channels),
            ("dim", self.dim),
            ("n_layers", self.n_layers),
            ("n_heads", self.n_heads),
        ] {
            if !(1..=1 << 16).contains(&value) {
                return refuse(key, value.to_string(), "1 to 65536");
            }
        }
        if !self.dim.is_multiple_of(self.n_heads) {
            return refuse("n_heads", self.n_heads.to_string(), "a divisor of dim");
        }
        let axes = self.axes_dims;
        let sum = axes.iter().try_fold(0_usize, |sum, width| sum.checked_add(*width));
        if sum != Some(self.dim / self.n_heads) || axes.iter().any(|width| width % 2 != 0) {
            return refuse("axes_dims", format!("{axes:?}"), "even numbers that sum to dim / n_heads");
        }
        Ok(())
    }

    /// Width of a head.
    pub(super) fn head(&self) -> usize {
        self.dim / self.n_heads
    }

    /// Width of a block's feed-forward, as diffusers rounds it.
    pub(super) fn hidden(&self) -> usize {
        (self.dim as f64 / 3.0 * 8.0) as usize
    }

    /// Width of the time embedding, from which the modulation is computed.
    pub(super) fn modulation(&self) -> usize {
        self.dim.min(256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_other_kinds_are_refused_by_name() {
        assert!(ZImageConfig::default().check().is_ok());
        for (config, part) in [
            (
                ZImageConfig { siglip_feat_dim: Some(1152), ..ZImageConfig::default() },
                "‘siglip_feat_dim’ is 1152",
            ),
            (
                ZImageConfig { axes_dims: [32, 48, 46], ..ZImageConfig::default() },
                "‘axes_dims’ is [32, 48, 46]",
            ),
            (ZImageConfig { n_heads: 7, ..ZImageConfig::default() }, "‘n_heads’ is 7"),
            (ZImageConfig { qk_norm: false, ..ZImageConfig::default() }, "‘qk_norm’ is false"),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
        assert_eq!(ZImageConfig::default().hidden(), 10240);
    }
}
