//! The patch projection: from a 3×3 latent neighbourhood to the pixels of its centre.

use crate::latent::Latent;

/// From each 3×3 latent neighbourhood (edges repeated) to the `P×P` pixels of its centre.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PatchProjection {
    /// Latent channels.
    pub channels: usize,
    /// Picture pixels per latent pixel along one edge, `P`.
    pub downscale: usize,
    /// `[9 · channels + 1][P · P · 3]`. Rows: dy −1..=1, dx −1..=1, channel, and last the bias.
    /// Columns: `(y · P + x) · 3 + rgb`.
    pub weight: Vec<f32>,
}

impl PatchProjection {
    /// Number of rows of the weight: the inputs and the bias.
    pub const fn rows(&self) -> usize {
        9 * self.channels + 1
    }

    /// Number of columns of the weight: the values of one patch.
    pub const fn columns(&self) -> usize {
        self.downscale * self.downscale * 3
    }

    /// The inputs of one latent pixel in the order of the weight's rows, without the bias.
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

    /// The picture in `−1..=1`, unclamped, `[H · P, W · P, 3]`; the reference of the patch shader.
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
    use super::*;
    use crate::latent::LatentShape;

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
}
