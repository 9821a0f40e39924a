//! The linear projection: one matrix per latent pixel.

use super::tables::published;
use crate::latent::{Latent, LatentFormat};

/// One matrix for each latent pixel: `rgb = bias + Σ_c weight[c] · latent[c]`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RgbProjection {
    /// RGB weights of each latent channel, `[C][3]`.
    pub weight: Vec<[f32; 3]>,
    /// RGB bias.
    pub bias: [f32; 3],
}

impl RgbProjection {
    /// The published projection for SD 1.x and 2.x.
    pub fn stable_diffusion() -> Self {
        Self::for_format(&LatentFormat::STABLE_DIFFUSION)
    }

    /// The projection for a VAE without a fit: the published one of its latent format, or the first three channels as
    /// RGB.
    pub fn for_format(format: &LatentFormat) -> Self {
        published(format).unwrap_or_else(|| Self::first_channels(format.channels))
    }

    /// The first three channels as RGB, scaled by 0.4.
    pub fn first_channels(channels: usize) -> Self {
        let weight =
            (0..channels).map(|c| std::array::from_fn(|rgb| if c == rgb { 0.4 } else { 0.0 })).collect();
        Self { weight, bias: [0.0; 3] }
    }

    /// Number of latent channels.
    pub fn channels(&self) -> usize {
        self.weight.len()
    }

    /// RGB in `−1..=1`, unclamped, of one latent vector.
    pub fn rgb_from_vector(&self, vector: &[f32]) -> [f32; 3] {
        std::array::from_fn(|k| {
            self.bias[k] + self.weight.iter().zip(vector).map(|(w, v)| w[k] * v).sum::<f32>()
        })
    }

    /// One RGB triple in `−1..=1`, unclamped, for each latent pixel, row after row: `[H, W, 3]`.
    pub fn rgb_from_latent(&self, latent: &Latent) -> Vec<[f32; 3]> {
        let plane = latent.shape().plane_len();
        let channels = self.channels().min(latent.shape().channels);
        let mut rgb = vec![self.bias; plane];
        for (c, weight) in self.weight.iter().enumerate().take(channels) {
            for (out, &v) in rgb.iter_mut().zip(latent.channel(c)) {
                for k in 0..3 {
                    out[k] += weight[k] * v;
                }
            }
        }
        rgb
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    #[test]
    fn a_format_without_a_table_shows_its_first_channels() {
        let unknown = LatentFormat { channels: 8, ..LatentFormat::FLUX };
        assert_eq!(RgbProjection::for_format(&unknown), RgbProjection::first_channels(8));
        assert_ne!(RgbProjection::for_format(&LatentFormat::FLUX), RgbProjection::first_channels(16));
    }

    #[test]
    fn a_linear_projection_is_one_matrix_per_pixel() {
        let latent = Latent::new(LatentShape::new(4, 1, 1), vec![1.0, 0.0, 0.0, -1.0]).unwrap();
        let projection = RgbProjection::stable_diffusion();
        let rgb = projection.rgb_from_latent(&latent)[0];
        assert!((rgb[0] - (0.3374 + 0.178 - 0.01748)).abs() < 1e-6);
        let probed = projection.rgb_from_vector(&latent.vector_at(0, 0));
        assert!(probed.iter().zip(rgb).all(|(a, b)| (a - b).abs() < 1e-6), "{probed:?} {rgb:?}");
    }
}
