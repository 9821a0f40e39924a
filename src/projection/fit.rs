//! Projections fitted to a VAE, by ridge regression from latents to the pixels that the VAE decodes.

use std::sync::Arc;

use super::{PatchProjection, Projection, RgbProjection, RidgeRegression};
use crate::latent::Latent;

/// Quality of a projection against the VAE's decodes, on held-out latents.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ProjectionQuality {
    /// Peak signal-to-noise ratio, dB.
    pub psnr: f64,
    /// Structural similarity, 0..=1.
    pub ssim: f64,
}

/// Projections fitted to one VAE, and their quality on held-out latents.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewFit {
    /// The linear projection.
    pub linear: Arc<RgbProjection>,
    /// Its quality.
    pub linear_quality: ProjectionQuality,
    /// The patch projection.
    pub patch: Arc<PatchProjection>,
    /// Its quality.
    pub patch_quality: ProjectionQuality,
}

impl PreviewFit {
    /// Whether the patch projection has the higher PSNR; only then is it used.
    pub fn patch_is_better(&self) -> bool {
        self.patch_quality.psnr > self.linear_quality.psnr
    }

    /// The patch projection, if it is wanted and better, or else the linear one.
    pub fn projection(&self, patch: bool) -> Projection {
        if patch && self.patch_is_better() {
            Projection::Patch(Arc::clone(&self.patch))
        } else {
            Projection::Linear(Arc::clone(&self.linear))
        }
    }
}

/// The regressions of one VAE, and the held-out latents that measure their quality.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewFitData {
    /// Latent channels.
    pub channels: usize,
    /// Picture pixels per latent pixel along one edge, P.
    pub downscale: usize,
    /// Regression of mean colours on latent vectors.
    pub linear: RidgeRegression,
    /// Regression of patches on 3×3 neighbourhoods.
    pub patch: RidgeRegression,
    /// Latents that are not in the regressions, and their decodes as bytes, `[H·P, W·P, 3]`.
    pub held_out: Vec<(Latent, Vec<u8>)>,
}

impl PreviewFitData {
    /// Regressions without data.
    pub fn new(channels: usize, downscale: usize) -> Self {
        Self {
            channels,
            downscale,
            linear: RidgeRegression::new(channels, 3),
            patch: RidgeRegression::new(9 * channels, downscale * downscale * 3),
            held_out: Vec::new(),
        }
    }

    /// Adds a latent (model space) and its decode as bytes, `[H·P, W·P, 3]`. No effect if the sizes do not match.
    pub fn add(&mut self, latent: &Latent, decoded: &[u8]) {
        let shape = latent.shape();
        if shape.channels != self.channels || decoded.len() != shape.plane_len() * self.patch.outputs() {
            return;
        }
        let rgb: Vec<f32> = decoded.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
        add_vectors(&mut self.linear, latent, &rgb, self.downscale);
        add_neighbourhoods(&mut self.patch, latent, &rgb, self.downscale);
    }

    /// Solves both regressions. `ridge`: relative to the inputs' mean square. `None` if the data do not determine the
    /// weights.
    pub fn solve(&self, ridge: f64) -> Option<(RgbProjection, PatchProjection)> {
        let linear = self.linear.solve(ridge)?;
        let (weight, bias) = linear.split_at(self.channels * 3);
        let linear = RgbProjection {
            weight: weight.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect(),
            bias: [bias[0], bias[1], bias[2]],
        };
        let weight = self.patch.solve(ridge)?;
        Some((linear, PatchProjection { channels: self.channels, downscale: self.downscale, weight }))
    }
}

/// Adds each latent pixel's 3×3 neighbourhood with its patch of the decode.
///
/// `rgb`: the decode in −1..=1, `[H·P, W·P, 3]` with P = `downscale`.
fn add_neighbourhoods(rows: &mut RidgeRegression, latent: &Latent, rgb: &[f32], downscale: usize) {
    let shape = latent.shape();
    let width_px = shape.width * downscale;
    let mut patch = vec![0.0; downscale * downscale * 3];
    for y in 0..shape.height {
        for x in 0..shape.width {
            for (py, row) in patch.chunks_exact_mut(downscale * 3).enumerate() {
                let from = ((y * downscale + py) * width_px + x * downscale) * 3;
                row.copy_from_slice(&rgb[from..][..downscale * 3]);
            }
            rows.add(&PatchProjection::neighbourhood(latent, x, y), &patch);
        }
    }
}

/// Adds each latent pixel's vector with the mean colour of its patch; `rgb` as in [`add_neighbourhoods`].
fn add_vectors(rows: &mut RidgeRegression, latent: &Latent, rgb: &[f32], downscale: usize) {
    let shape = latent.shape();
    let width_px = shape.width * downscale;
    for y in 0..shape.height {
        for x in 0..shape.width {
            let mut mean = [0.0; 3];
            for py in 0..downscale {
                let from = ((y * downscale + py) * width_px + x * downscale) * 3;
                for pixel in rgb[from..][..downscale * 3].chunks_exact(3) {
                    mean.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += v);
                }
            }
            let count = (downscale * downscale) as f32;
            rows.add(&latent.vector_at(x, y), &mean.map(|sum| sum / count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    /// Pseudo-random numbers in −1..1 from a linear congruential generator (Knuth's MMIX constants).
    fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    #[test]
    fn a_known_patch_decoder_is_recovered() {
        let (channels, downscale) = (3, 2);
        let known = PatchProjection { channels, downscale, weight: noise(28 * 12, 1) };
        let mut rows = RidgeRegression::new(27, 12);
        for seed in 2..6 {
            let latent = Latent::new(LatentShape::new(channels, 9, 7), noise(3 * 9 * 7, seed)).unwrap();
            let rgb: Vec<f32> = known.rgb_from_latent(&latent).into_iter().flatten().collect();
            add_neighbourhoods(&mut rows, &latent, &rgb, downscale);
        }
        assert_eq!(rows.rows(), 4 * 63);
        let found = rows.solve(0.0).unwrap();
        // The remaining error is the rounding of inputs and outputs to f32.
        assert!(found.iter().zip(&known.weight).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn a_known_projection_is_recovered_and_too_few_rows_say_so() {
        let known = RgbProjection::stable_diffusion();
        let mut rows = RidgeRegression::new(4, 3);
        let latent = Latent::new(LatentShape::new(4, 1, 3), noise(12, 1)).unwrap();
        let enlarged = |latent: &Latent| -> Vec<f32> {
            let width = latent.shape().width;
            let rgb = known.rgb_from_latent(latent);
            (0..latent.shape().height * 2)
                .flat_map(|y| (0..width * 2).map(move |x| (y / 2) * width + x / 2))
                .flat_map(|at| rgb[at])
                .collect()
        };
        add_vectors(&mut rows, &latent, &enlarged(&latent), 2);
        assert_eq!(rows.solve(0.0), None, "three rows do not determine five weights");
        let latent = Latent::new(LatentShape::new(4, 4, 4), noise(64, 2)).unwrap();
        add_vectors(&mut rows, &latent, &enlarged(&latent), 2);
        let found = rows.solve(0.0).unwrap();
        for (c, weight) in known.weight.iter().chain([&known.bias]).enumerate() {
            assert!((0..3).all(|k| (found[c * 3 + k] - weight[k]).abs() < 1e-5), "{c}: {found:?}");
        }
    }

    #[test]
    fn a_picture_of_another_size_adds_nothing() {
        let mut data = PreviewFitData::new(2, 2);
        data.add(&Latent::zeros(LatentShape::new(2, 1, 2)), &[0; 12]);
        assert_eq!(data.patch.rows(), 0);
    }
}
