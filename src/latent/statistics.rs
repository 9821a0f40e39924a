//! Statistics of a latent's channels.

use super::Latent;

/// Statistics of one channel over all latent pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelStatistics {
    /// Arithmetic mean.
    pub mean: f64,
    /// Population standard deviation.
    pub std: f64,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// 1st percentile, linear between neighbours (numpy's default).
    pub p1: f32,
    /// 99th percentile.
    pub p99: f32,
    /// Share of values more than three standard deviations from the mean, 0..=1.
    pub beyond_3_sigma: f64,
    /// Number of values that are NaN or infinite; the other statistics are over the finite values.
    pub non_finite: usize,
}

/// Statistics of every channel. A channel without finite values has zeros, except for `non_finite`.
pub fn channel_statistics(latent: &Latent) -> Vec<ChannelStatistics> {
    (0..latent.shape().channels).map(|c| one_channel(latent.channel(c))).collect()
}

fn one_channel(values: &[f32]) -> ChannelStatistics {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    if sorted.is_empty() {
        return ChannelStatistics {
            mean: 0.0,
            std: 0.0,
            min: 0.0,
            max: 0.0,
            p1: 0.0,
            p99: 0.0,
            beyond_3_sigma: 0.0,
            non_finite: values.len(),
        };
    }
    sorted.sort_by(f32::total_cmp);
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let std = (sorted.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
    let beyond = sorted.iter().filter(|&&v| (f64::from(v) - mean).abs() > 3.0 * std).count();
    ChannelStatistics {
        mean,
        std,
        min: sorted[0],
        max: sorted[sorted.len() - 1],
        p1: percentile(&sorted, 0.01),
        p99: percentile(&sorted, 0.99),
        beyond_3_sigma: beyond as f64 / n,
        non_finite: values.len() - sorted.len(),
    }
}

/// Linear between the two nearest ranks, as `numpy.percentile`.
fn percentile(sorted: &[f32], share: f64) -> f32 {
    let rank = share * (sorted.len() - 1) as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let t = rank - below as f64;
    (f64::from(sorted[below]) * (1.0 - t) + f64::from(sorted[above]) * t) as f32
}

/// A histogram with bins of equal width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Number of values in each bin, low to high.
    pub counts: Vec<u32>,
}

impl Histogram {
    /// Counts `values` in `bins` equal bins over `low..=high`; values outside fall in the end bins.
    pub fn new(values: &[f32], low: f32, high: f32, bins: usize) -> Self {
        let mut counts = vec![0; bins.max(1)];
        let last = counts.len() - 1;
        let scale = counts.len() as f32 / (high - low).max(f32::MIN_POSITIVE);
        for v in values.iter().filter(|v| v.is_finite()) {
            counts[(((v - low) * scale).max(0.0) as usize).min(last)] += 1;
        }
        Self { counts }
    }
}

/// The channel and index of the first NaN or infinity, if there is one.
pub fn first_non_finite(latent: &Latent) -> Option<(usize, usize)> {
    let plane = latent.shape().plane_len();
    latent.values().iter().position(|v| !v.is_finite()).map(|i| (i / plane, i % plane))
}

/// A latent with values that are NaN or infinite, which cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} of the latent's {len} values are NaN or infinite ({}): the run or the program that made it failed, so make it again",
    counts.iter().map(|(_, n)| n).sum::<usize>(),
    counts.iter().map(|(channel, n)| format!("channel {channel}: {n}")).collect::<Vec<_>>().join(", ")
)]
pub struct NonFiniteError {
    /// Number of values of the latent.
    pub len: usize,
    /// The channels that have such values, and how many each.
    pub counts: Vec<(usize, usize)>,
}

/// Checks that every value of a latent is finite.
///
/// # Errors
/// [`NonFiniteError`] with the number of other values in each channel.
pub fn check_finite(latent: &Latent) -> Result<(), NonFiniteError> {
    let count = |channel| latent.channel(channel).iter().filter(|v| !v.is_finite()).count();
    let counts: Vec<_> =
        (0..latent.shape().channels).map(|c| (c, count(c))).filter(|&(_, n)| n > 0).collect();
    if counts.is_empty() { Ok(()) } else { Err(NonFiniteError { len: latent.values().len(), counts }) }
}

#[cfg(test)]
mod tests {
    use super::super::LatentShape;
    use super::*;

    /// numpy: `a = np.array([0,1,2,3,4,5,6,7,8,100.]); a.mean(), a.std(), np.percentile(a, [1, 99])`.
    #[test]
    fn figures_are_numpys() {
        let latent =
            Latent::new(LatentShape::new(1, 2, 5), vec![3.0, 1.0, 2.0, 0.0, 4.0, 100.0, 6.0, 7.0, 8.0, 5.0])
                .unwrap();
        let s = channel_statistics(&latent)[0];
        assert!((s.mean - 13.6).abs() < 1e-9);
        assert!((s.std - 28.903_978_964_8).abs() < 1e-6, "{}", s.std);
        assert!((s.p1 - 0.09).abs() < 1e-6 && (s.p99 - 91.72).abs() < 1e-4);
        assert_eq!((s.min, s.max, s.beyond_3_sigma), (0.0, 100.0, 0.0));
    }

    #[test]
    fn a_histogram_holds_every_value() {
        let h = Histogram::new(&[-9.0, -1.0, 0.0, 0.99, 1.0, 9.0], -1.0, 1.0, 4);
        assert_eq!(h.counts, [2, 0, 1, 3]);
    }

    #[test]
    fn what_is_no_number_is_counted_in_its_channel() {
        let values = vec![1.0, f32::NAN, 3.0, f32::INFINITY, 5.0, 7.0, f32::NAN, f32::NEG_INFINITY];
        let latent = Latent::new(LatentShape::new(4, 1, 2), values).unwrap();
        let counts: Vec<_> = channel_statistics(&latent).iter().map(|s| s.non_finite).collect();
        assert_eq!(counts, [1, 1, 0, 2]);
        let error = check_finite(&latent).unwrap_err();
        assert_eq!(error.counts, [(0, 1), (1, 1), (3, 2)]);
        assert!(
            error.to_string().starts_with("4 of the latent's 8 values are NaN or infinite (channel 0: 1,"),
            "{error}"
        );
        assert_eq!(check_finite(&Latent::zeros(LatentShape::new(2, 2, 2))), Ok(()));
    }

    #[test]
    fn the_first_nan_is_found_with_its_channel() {
        let latent = Latent::new(LatentShape::new(2, 1, 2), vec![0.0, 1.0, 2.0, f32::NAN]).unwrap();
        assert_eq!(first_non_finite(&latent), Some((1, 1)));
    }
}
