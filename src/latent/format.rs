//! How a family's latents relate to its VAE and to the picture.

use super::{Latent, LatentShape};

/// Which of the two spaces a latent's values are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LatentSpace {
    /// As the VAE writes and reads it.
    Vae,
    /// Shifted and scaled to about unit variance, as the denoiser sees it.
    Model,
}

/// A family's latent format: `model = (vae − shift) · scale`, and the size of a latent pixel.
///
/// Source: diffusers' `AutoencoderKL` (`scaling_factor`, `shift_factor`).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LatentFormat {
    /// Channels of a latent.
    pub channels: usize,
    /// Picture pixels per edge of one latent pixel.
    pub downscale: usize,
    /// `scaling_factor`.
    pub scale: f64,
    /// `shift_factor`, 0 where the family has none.
    pub shift: f64,
}

impl LatentFormat {
    /// SD 1.x and 2.x: 4 channels at 1/8, scale 0.18215 (Rombach et al. 2022).
    pub const STABLE_DIFFUSION: Self = Self { channels: 4, downscale: 8, scale: 0.18215, shift: 0.0 };
    /// SDXL: as SD, scale 0.13025.
    pub const SDXL: Self = Self { channels: 4, downscale: 8, scale: 0.13025, shift: 0.0 };
    /// Playground v2.5: SDXL's VAE, whose channels have their own means and deviations, scale 0.5.
    pub const PLAYGROUND: Self = Self { channels: 4, downscale: 8, scale: 0.5, shift: 0.0 };
    /// SD3: 16 channels, scale 1.5305, shift 0.0609.
    pub const SD3: Self = Self { channels: 16, downscale: 8, scale: 1.5305, shift: 0.0609 };
    /// FLUX.1: 16 channels, scale 0.3611, shift 0.1159.
    pub const FLUX: Self = Self { channels: 16, downscale: 8, scale: 0.3611, shift: 0.1159 };

    /// FLUX.2 and FLUX.3: 32 channels, which their VAE normalises itself.
    pub const FLUX_2: Self = Self { channels: 32, downscale: 8, scale: 1.0, shift: 0.0 };

    /// The formats of known scale and shift by their families' names.
    pub const KNOWN: [(&'static str, Self); 4] = [
        ("Stable Diffusion 1, 2", Self::STABLE_DIFFUSION),
        ("Stable Diffusion XL", Self::SDXL),
        ("Stable Diffusion 3", Self::SD3),
        ("FLUX.1", Self::FLUX),
    ];

    /// The shape of the latent of a picture of this size in pixels, rounded down.
    pub const fn latent_shape(&self, image_width_px: usize, image_height_px: usize) -> LatentShape {
        LatentShape::new(self.channels, image_height_px / self.downscale, image_width_px / self.downscale)
    }

    /// The `(width, height)` in pixels of the picture of a latent of this shape.
    pub const fn image_size_px(&self, shape: LatentShape) -> (usize, usize) {
        (shape.width * self.downscale, shape.height * self.downscale)
    }

    /// VAE space from model space: `model / scale + shift`.
    #[must_use]
    pub fn vae_from_model(&self, latent: &Latent) -> Latent {
        latent.map(|_, v| (f64::from(v) / self.scale + self.shift) as f32)
    }

    /// Model space from VAE space: `(vae − shift) · scale`.
    #[must_use]
    pub fn model_from_vae(&self, latent: &Latent) -> Latent {
        latent.map(|_, v| ((f64::from(v) - self.shift) * self.scale) as f32)
    }

    /// How much smaller the latent is than its picture.
    ///
    /// ```
    /// use safelight::latent::LatentFormat;
    ///
    /// let format = LatentFormat::STABLE_DIFFUSION;
    /// assert_eq!(format.compression(format.latent_shape(1024, 1024)).ratio(), 48.0);
    /// ```
    pub const fn compression(&self, shape: LatentShape) -> Compression {
        let (width, height) = self.image_size_px(shape);
        Compression { pixel_values: width * height * 3, latent_values: shape.len() }
    }
}

/// The number of pixel values and of latent values of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Width × height × 3.
    pub pixel_values: usize,
    /// Channels × rows × columns.
    pub latent_values: usize,
}

impl Compression {
    /// Pixel values for each latent value, 48 for SD, 12 for FLUX.
    pub fn ratio(&self) -> f64 {
        self.pixel_values as f64 / self.latent_values.max(1) as f64
    }

    /// Bytes of the picture at 8 bits a value, and of the latent at 16, as files hold them.
    pub fn bytes(&self) -> [usize; 2] {
        [self.pixel_values, 2 * self.latent_values]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sd_compresses_48_times_and_flux_12_times() {
        let sd = LatentFormat::STABLE_DIFFUSION;
        let compression = sd.compression(sd.latent_shape(1024, 1024));
        assert_eq!((compression.pixel_values, compression.latent_values), (3_145_728, 65_536));
        assert_eq!(compression.ratio(), 48.0);
        assert_eq!(compression.bytes(), [3_145_728, 131_072]);
        let flux = LatentFormat::FLUX;
        assert_eq!(flux.compression(flux.latent_shape(512, 768)).ratio(), 12.0);
    }

    #[test]
    fn model_and_vae_space_are_inverse() {
        let vae = Latent::new(LatentShape::new(1, 1, 2), vec![1.0, -2.0]).unwrap();
        let model = LatentFormat::FLUX.model_from_vae(&vae);
        assert!((model.values()[0] - (1.0 - 0.1159) * 0.3611).abs() < 1e-6);
        let back = LatentFormat::FLUX.vae_from_model(&model);
        assert!((back.values()[1] + 2.0).abs() < 1e-6);
    }
}
