//! Linear maps from a latent to colours: what a preview draws without a VAE.
//!
//! All maps act on model-space latents and give RGB in `−1..=1` (display-encoded sRGB).

use super::Latent;

/// One matrix for each latent pixel: `rgb = bias + Σ_c weight[c] · latent[c]`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RgbProjection {
    /// Per latent channel, its red, green and blue.
    pub weight: Vec<[f32; 3]>,
    /// Added to every pixel.
    pub bias: [f32; 3],
}

/// Held-out agreement of a projection with the true decode.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ProjectionQuality {
    /// Peak signal-to-noise ratio, dB.
    pub psnr: f64,
    /// Structural similarity, 0..=1.
    pub ssim: f64,
}

impl RgbProjection {
    /// SD 1.x and 2.x. Source: stable-diffusion.cpp (MIT), `latent-preview.h`.
    pub fn stable_diffusion() -> Self {
        Self {
            weight: vec![
                [0.3374, 0.2163, 0.2574],
                [0.1656, 0.3868, 0.04699],
                [-0.2678, 0.237, 0.2235],
                [-0.178, -0.2009, -0.6785],
            ],
            bias: [-0.01748, -0.05583, -0.1058],
        }
    }

    /// The same map for a VAE no table is known for: the first three channels as colours.
    pub fn first_channels(channels: usize) -> Self {
        let weight =
            (0..channels).map(|c| std::array::from_fn(|rgb| if c == rgb { 0.4 } else { 0.0 })).collect();
        Self { weight, bias: [0.0; 3] }
    }

    /// Latent channels it reads.
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

/// From each 3×3 latent neighbourhood (edges repeated) to the `P×P` pixels beneath its centre.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PatchProjection {
    /// Latent channels.
    pub channels: usize,
    /// Pixels under the edge of one latent pixel, `P`.
    pub downscale: usize,
    /// `[9 · channels + 1][P · P · 3]`. Rows: dy −1..=1, dx −1..=1, channel, and last the bias.
    /// Columns: `(y · P + x) · 3 + rgb`.
    pub weight: Vec<f32>,
}

impl PatchProjection {
    /// Rows of the weight: inputs and the bias.
    pub const fn rows(&self) -> usize {
        9 * self.channels + 1
    }

    /// Columns of the weight: the values of one patch.
    pub const fn columns(&self) -> usize {
        self.downscale * self.downscale * 3
    }

    /// The inputs of one latent pixel in the weight's row order, without the bias' 1.
    pub fn neighbourhood(latent: &Latent, x: usize, y: usize) -> Vec<f32> {
        let shape = latent.shape();
        let mut inputs = Vec::with_capacity(9 * shape.channels);
        for dy in 0..3 {
            let row = (y + dy).saturating_sub(1).min(shape.height - 1);
            for dx in 0..3 {
                let column = (x + dx).saturating_sub(1).min(shape.width - 1);
                for c in 0..shape.channels {
                    inputs.push(latent.channel(c)[row * shape.width + column]);
                }
            }
        }
        inputs
    }

    /// The picture in `−1..=1`, unclamped, `[H · P, W · P, 3]`: the reference of the shader.
    pub fn rgb_from_latent(&self, latent: &Latent) -> Vec<[f32; 3]> {
        let shape = latent.shape();
        let p = self.downscale;
        let width_px = shape.width * p;
        let mut rgb = vec![[0.0; 3]; shape.plane_len() * p * p];
        let columns = self.columns();
        let bias = &self.weight[9 * self.channels * columns..];
        for y in 0..shape.height {
            for x in 0..shape.width {
                let mut patch = bias.to_vec();
                for (row, v) in Self::neighbourhood(latent, x, y).into_iter().enumerate() {
                    for (out, w) in patch.iter_mut().zip(&self.weight[row * columns..][..columns]) {
                        *out += w * v;
                    }
                }
                for py in 0..p {
                    for px in 0..p {
                        let from = (py * p + px) * 3;
                        rgb[(y * p + py) * width_px + x * p + px] =
                            [patch[from], patch[from + 1], patch[from + 2]];
                    }
                }
            }
        }
        rgb
    }
}

#[cfg(test)]
mod tests {
    use super::super::LatentShape;
    use super::*;

    #[test]
    fn a_patch_projection_that_reads_only_the_centre_repeats_it() {
        let mut weight = vec![0.0; 10 * 12];
        weight[4 * 12..5 * 12].fill(2.0);
        weight[9 * 12..].fill(0.5);
        let projection = PatchProjection { channels: 1, downscale: 2, weight };
        let latent = Latent::new(LatentShape::new(1, 1, 2), vec![1.0, -1.0]).unwrap();
        let rgb = projection.rgb_from_latent(&latent);
        assert_eq!(rgb, [[2.5; 3], [2.5; 3], [-1.5; 3], [-1.5; 3]].repeat(2));
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
