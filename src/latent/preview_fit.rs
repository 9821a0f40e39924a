//! Preview projections fitted to a VAE: ridge regressions from latents to the pixels of their true decode.
//!
//! In closed form: the normal equations are summed in f64, `(XᵀX + λI)·W = XᵀY`, and solved by Cholesky's
//! decomposition (Golub & Van Loan, 4.2). The ridge stands on inputs only, not on the bias.

use std::sync::Arc;

use super::{Latent, PatchProjection, ProjectionQuality, RgbProjection};

/// Projections fitted to one VAE, and how well they agree with its decode on latents the fit did not see.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewFit {
    /// One matrix for each latent pixel.
    pub linear: Arc<RgbProjection>,
    /// Its held-out agreement with the decode.
    pub linear_quality: ProjectionQuality,
    /// 3×3 neighbourhood to patch.
    pub patch: Arc<PatchProjection>,
    /// Its held-out agreement with the decode.
    pub patch_quality: ProjectionQuality,
}

impl PreviewFit {
    /// Whether the patch projection agrees better than the linear one: only then is it used.
    pub fn patch_is_better(&self) -> bool {
        self.patch_quality.psnr > self.linear_quality.psnr
    }
}

/// The sums of a least-squares problem: rows are added, never kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeRegression {
    inputs: usize,
    outputs: usize,
    /// `XᵀX`, `[inputs + 1, inputs + 1]`; the last input is the bias' 1.
    gram: Vec<f64>,
    /// `XᵀY`, `[inputs + 1, outputs]`.
    moment: Vec<f64>,
    rows: u64,
}

impl RidgeRegression {
    /// No rows yet.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        let columns = inputs + 1;
        Self {
            inputs,
            outputs,
            gram: vec![0.0; columns * columns],
            moment: vec![0.0; columns * outputs],
            rows: 0,
        }
    }

    /// Sums that were taken before, such as from a file: `XᵀX`, `XᵀY` and the rows in them.
    /// `None` if they do not fit the sizes or are no numbers.
    pub fn from_sums(
        inputs: usize,
        outputs: usize,
        gram: Vec<f64>,
        moment: Vec<f64>,
        rows: u64,
    ) -> Option<Self> {
        let columns = inputs + 1;
        let fits = gram.len() == columns * columns && moment.len() == columns * outputs;
        let sound = gram.iter().chain(&moment).all(|v| v.is_finite());
        (fits && sound).then_some(Self { inputs, outputs, gram, moment, rows })
    }

    /// `XᵀX`, `XᵀY` and the number of rows in them.
    pub fn sums(&self) -> (&[f64], &[f64], u64) {
        (&self.gram, &self.moment, self.rows)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds one row: `input` of so many values, `output` of so many. A row with a NaN or infinity is left out.
    pub fn add(&mut self, input: &[f32], output: &[f32]) {
        if !input.iter().chain(output).all(|v| v.is_finite()) {
            return;
        }
        let columns = self.inputs + 1;
        let value = |i: usize| input.get(i).map_or(1.0, |v| f64::from(*v));
        for i in 0..columns {
            let x = value(i);
            // The lower triangle is enough.
            for (j, sum) in self.gram[i * columns..][..=i].iter_mut().enumerate() {
                *sum += x * value(j);
            }
            for (sum, y) in self.moment[i * self.outputs..][..self.outputs].iter_mut().zip(output) {
                *sum += x * f64::from(*y);
            }
        }
        self.rows += 1;
    }

    /// The weights, `[inputs + 1, outputs]`, the bias last. `ridge` is a share of the inputs' mean square.
    /// `None` where the rows do not determine them.
    pub fn solve(&self, ridge: f64) -> Option<Vec<f32>> {
        let columns = self.inputs + 1;
        let mean_square =
            (0..self.inputs).map(|i| self.gram[i * columns + i]).sum::<f64>() / self.inputs.max(1) as f64;
        let mut lower = self.gram.clone();
        for i in 0..self.inputs {
            lower[i * columns + i] += ridge * mean_square;
        }
        // A = L·Lᵀ, in place.
        for i in 0..columns {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| lower[i * columns + k] * lower[j * columns + k]).sum();
                let rest = lower[i * columns + j] - dot;
                lower[i * columns + j] = if i == j {
                    if rest <= f64::EPSILON * self.gram[i * columns + i].abs() {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / lower[j * columns + j]
                };
            }
        }
        let mut solved = self.moment.clone();
        for i in 0..columns {
            for k in 0..i {
                let factor = lower[i * columns + k];
                let (above, own) = solved.split_at_mut(i * self.outputs);
                subtract(&mut own[..self.outputs], &above[k * self.outputs..][..self.outputs], factor);
            }
            solved[i * self.outputs..][..self.outputs].iter_mut().for_each(|v| *v /= lower[i * columns + i]);
        }
        for i in (0..columns).rev() {
            for k in i + 1..columns {
                let factor = lower[k * columns + i];
                let (own, below) = solved.split_at_mut((i + 1) * self.outputs);
                let from = (k - i - 1) * self.outputs;
                subtract(&mut own[i * self.outputs..], &below[from..][..self.outputs], factor);
            }
            solved[i * self.outputs..][..self.outputs].iter_mut().for_each(|v| *v /= lower[i * columns + i]);
        }
        Some(solved.into_iter().map(|v| v as f32).collect())
    }
}

fn subtract(from: &mut [f64], what: &[f64], factor: f64) {
    from.iter_mut().zip(what).for_each(|(a, b)| *a -= factor * b);
}

/// Adds each latent pixel's 3×3 neighbourhood with the patch of the decode beneath it.
///
/// `rgb`: the decode in −1..=1, `[H·P, W·P, 3]` with P = `downscale`.
pub fn patch_rows(rows: &mut RidgeRegression, latent: &Latent, rgb: &[f32], downscale: usize) {
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

/// Adds each latent pixel's vector with the mean colour of the decode beneath it; `rgb` as in [`patch_rows`].
pub fn rgb_rows(rows: &mut RidgeRegression, latent: &Latent, rgb: &[f32], downscale: usize) {
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
    use super::super::LatentShape;
    use super::*;

    /// Numbers without structure; a linear congruential generator (Knuth's MMIX constants).
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
            patch_rows(&mut rows, &latent, &rgb, downscale);
        }
        assert_eq!(rows.rows(), 4 * 63);
        let found = rows.solve(0.0).unwrap();
        // Inputs and outputs are f32: their rounding is what is left.
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
        rgb_rows(&mut rows, &latent, &enlarged(&latent), 2);
        assert_eq!(rows.solve(0.0), None, "three rows do not determine five weights");
        let latent = Latent::new(LatentShape::new(4, 4, 4), noise(64, 2)).unwrap();
        rgb_rows(&mut rows, &latent, &enlarged(&latent), 2);
        let found = rows.solve(0.0).unwrap();
        for (c, weight) in known.weight.iter().chain([&known.bias]).enumerate() {
            assert!((0..3).all(|k| (found[c * 3 + k] - weight[k]).abs() < 1e-5), "{c}: {found:?}");
        }
    }

    #[test]
    fn sums_go_through_a_file_and_a_nan_is_left_out() {
        let mut rows = RidgeRegression::new(1, 1);
        for x in [0.0, 1.0, 2.0_f32] {
            rows.add(&[x], &[3.0 * x + 1.0]);
        }
        rows.add(&[f32::NAN], &[0.0]);
        let (gram, moment, count) = rows.sums();
        let again = RidgeRegression::from_sums(1, 1, gram.to_vec(), moment.to_vec(), count).unwrap();
        assert_eq!(again, rows);
        let found = again.solve(0.0).unwrap();
        assert!((found[0] - 3.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6);
        assert!(RidgeRegression::from_sums(2, 1, gram.to_vec(), moment.to_vec(), count).is_none());
    }
}
