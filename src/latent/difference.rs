//! How far two latents of one shape are apart, in figures and at each latent pixel.

use super::{Latent, LatentShape};

/// The difference of two latents of one shape, the first of which is the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentDifference {
    /// ‖second − first‖ / ‖first‖; `None` if the first is all zeros, or a value of either is not finite.
    pub relative_l2: Option<f64>,
    /// Peak signal-to-noise ratio, dB, infinite for equal latents: `10 · log₁₀(range² / mean squared difference)`, where
    /// the range is from the smallest to the largest value of both. That is scikit-image's `peak_signal_noise_ratio` with
    /// this `data_range`. `None` if a value of either is not finite.
    pub psnr: Option<f64>,
    /// The root of the mean squared difference of each channel.
    pub channel_rms: Vec<f64>,
    /// |second − first| of each value, `[C, H, W]`.
    pub magnitude: Latent,
    /// Its mean over the channels, `[1, H, W]`.
    pub mean_magnitude: Latent,
}

impl LatentDifference {
    /// The difference of two latents; `None` if their shapes differ or they have no values.
    pub fn of(first: &Latent, second: &Latent) -> Option<Self> {
        let shape = first.shape();
        if shape != second.shape() || shape.is_empty() {
            return None;
        }
        let pairs = || first.values().iter().zip(second.values());
        let magnitude: Vec<f32> = pairs().map(|(a, b)| (b - a).abs()).collect();
        let magnitude = first.with_values(magnitude);
        let plane = shape.plane_len();
        let mean = |at: usize| {
            let sum: f32 = (0..shape.channels).map(|channel| magnitude.channel(channel)[at]).sum();
            sum / shape.channels as f32
        };
        let mean_magnitude = Latent::zeros(LatentShape::new(1, shape.height, shape.width))
            .with_values((0..plane).map(mean).collect::<Vec<_>>());
        let squares = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let channel_squares: Vec<f64> =
            (0..shape.channels).map(|channel| squares(magnitude.channel(channel))).collect();
        let (difference, reference) = (channel_squares.iter().sum::<f64>(), squares(first.values()));
        let all = || first.values().iter().chain(second.values()).copied();
        let (low, high) = (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max));
        let range = f64::from(high) - f64::from(low);
        let psnr = if difference == 0.0 {
            Some(f64::INFINITY)
        } else {
            Some(10.0 * (range.powi(2) * shape.len() as f64 / difference).log10())
        };
        let is_finite = all().all(f32::is_finite);
        Some(Self {
            relative_l2: Some((difference / reference).sqrt()).filter(|_| is_finite && reference > 0.0),
            psnr: psnr.filter(|_| is_finite),
            channel_rms: channel_squares.iter().map(|sum| (sum / plane as f64).sqrt()).collect(),
            magnitude,
            mean_magnitude,
        })
    }

    /// The magnitude that has the brightest colour of a heat map of one channel; `None` for that of the mean.
    pub fn limit(&self, channel: Option<usize>) -> f32 {
        match channel.filter(|channel| *channel < self.channel_rms.len()) {
            Some(channel) => heat_limit(self.magnitude.channel(channel), 1e-6),
            None => heat_limit(self.mean_magnitude.values(), 1e-6),
        }
    }
}

/// The value that has the brightest colour of a heat map: the 99.5th percentile, so that a few outliers do not darken the
/// rest, and at least `least`.
pub fn heat_limit(values: &[f32], least: f32) -> f32 {
    let mut sorted = values.to_vec();
    let Some(last) = sorted.len().checked_sub(1) else { return least };
    let limit = *sorted.select_nth_unstable_by(last * 995 / 1000, f32::total_cmp).1;
    if limit.is_finite() { limit.max(least) } else { least }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latent(channels: usize, values: &[f32]) -> Latent {
        Latent::new(LatentShape::new(channels, 1, values.len() / channels), values).unwrap()
    }

    /// numpy: `a = np.array([1, -2, 3, 0.5, 0.25, -4.]); b = np.array([1.5, -2, 2, 0.5, 1.25, -3.]);
    /// np.linalg.norm(b - a) / np.linalg.norm(a)` and
    /// `10 * np.log10((3 - -4) ** 2 / np.mean((b - a) ** 2))`.
    #[test]
    fn figures_are_numpys() {
        let (a, b) =
            (latent(2, &[1.0, -2.0, 3.0, 0.5, 0.25, -4.0]), latent(2, &[1.5, -2.0, 2.0, 0.5, 1.25, -3.0]));
        let difference = LatentDifference::of(&a, &b).unwrap();
        assert!(
            (difference.relative_l2.unwrap() - 0.327_439_299_5).abs() < 1e-9,
            "{:?}",
            difference.relative_l2
        );
        assert!((difference.psnr.unwrap() - 19.564_639_694_3).abs() < 1e-9, "{:?}", difference.psnr);
        assert_eq!(difference.magnitude.values(), [0.5, 0.0, 1.0, 0.0, 1.0, 1.0]);
        assert_eq!(difference.mean_magnitude.values(), [0.25, 0.5, 1.0]);
        let rms = [(1.25f64 / 3.0).sqrt(), (2.0f64 / 3.0).sqrt()];
        assert!(difference.channel_rms.iter().zip(rms).all(|(own, rms)| (own - rms).abs() < 1e-12));
    }

    #[test]
    fn equal_latents_are_as_near_as_can_be_and_others_are_refused() {
        let a = latent(1, &[1.0, 2.0]);
        let same = LatentDifference::of(&a, &a.clone()).unwrap();
        assert_eq!((same.relative_l2, same.psnr), (Some(0.0), Some(f64::INFINITY)));
        assert_eq!(LatentDifference::of(&a, &latent(1, &[1.0, 2.0, 3.0])), None);
        assert_eq!(LatentDifference::of(&a, &latent(2, &[1.0, 2.0])), None);
        let zeros = Latent::zeros(a.shape());
        assert_eq!(LatentDifference::of(&zeros, &a).unwrap().relative_l2, None, "nothing to relate it to");
        let broken = LatentDifference::of(&a, &latent(1, &[1.0, f32::NAN])).unwrap();
        assert_eq!((broken.relative_l2, broken.psnr), (None, None));
    }

    #[test]
    fn a_few_outliers_do_not_darken_a_heat_map() {
        let mut values = vec![1.0; 1000];
        values[..4].fill(50.0);
        assert_eq!(heat_limit(&values, 0.1), 1.0);
        assert_eq!(
            [heat_limit(&[0.0; 8], 0.1), heat_limit(&[], 0.1), heat_limit(&[f32::NAN], 0.1)],
            [0.1; 3]
        );
    }
}
