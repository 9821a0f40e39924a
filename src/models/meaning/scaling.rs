//! Pictures scaled as Pillow scales them, byte for byte.

use crate::request::Picture;

/// Pillow's fixed-point coefficients have this many bits after the point.
const BITS: u32 = 22;

/// How a place of the result is made of those of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingFilter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = −0.5.
    Bicubic,
}

impl ScalingFilter {
    /// The places that it reaches over on each side.
    const fn reach(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// The weight of a place at this distance.
    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Bicubic => 0.0,
        }
    }
}

/// The picture scaled to a size as Pillow does it: the filter is widened where it scales down so that nothing
/// aliases, with fixed-point coefficients, and rounded to bytes after the rows and again after the columns. Pillow 13
/// begins with the columns where that is less work, which changes some pictures by a few levels.
///
/// Source: Pillow's `Resample.c`, <https://github.com/python-pillow/Pillow>.
///
/// # Panics
/// If `width` or `height` is 0.
pub fn scaled(picture: &Picture, width: usize, height: usize, filter: ScalingFilter) -> Picture {
    let (from_width, from_height) = (picture.width(), picture.height());
    let mut rgb = picture.rgb().to_vec();
    if width != from_width {
        let coefficients = Coefficients::new(from_width, width, filter);
        rgb = (0..from_height)
            .flat_map(|y| coefficients.apply(&rgb[y * from_width * 3..][..from_width * 3], 3))
            .collect();
    }
    if height != from_height {
        let coefficients = Coefficients::new(from_height, height, filter);
        rgb = coefficients.apply(&rgb, width * 3);
    }
    Picture::new(width, height, rgb).expect("every pixel was filled")
}

/// For each place of the result, the first place of the source and the weights from there on.
struct Coefficients(Vec<(usize, Vec<i32>)>);

impl Coefficients {
    fn new(from: usize, to: usize, filter: ScalingFilter) -> Self {
        let scale = from as f64 / to as f64;
        let widened = scale.max(1.0);
        let support = filter.reach() * widened;
        let of_place = |place: usize| {
            let centre = (place as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights: Vec<f64> =
                (first..end).map(|at| filter.weight((at as f64 - centre + 0.5) / widened)).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: f64| (weight / sum * f64::from(1 << BITS)).round() as i32;
            (first, weights.into_iter().map(fixed).collect())
        };
        Self((0..to).map(of_place).collect())
    }

    /// Filters bytes along an axis whose neighbours are `stride` bytes apart, and which is the outermost.
    fn apply(&self, bytes: &[u8], stride: usize) -> Vec<u8> {
        let mut result = Vec::with_capacity(self.0.len() * stride);
        for (first, weights) in &self.0 {
            for lane in 0..stride {
                let mut sum = 1_i32 << (BITS - 1);
                for (weight, byte) in
                    weights.iter().zip(bytes[first * stride + lane..].iter().step_by(stride))
                {
                    sum += weight * i32::from(*byte);
                }
                result.push((sum >> BITS).clamp(0, 255) as u8);
            }
        }
        result
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A grey picture of these values.
    pub(in crate::models::meaning) fn grey(
        width: usize,
        height: usize,
        of: impl Fn(usize, usize) -> u8,
    ) -> Picture {
        let rgb = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb: Vec<u8> = rgb.flat_map(|(x, y)| [of(x, y); 3]).collect();
        Picture::new(width, height, rgb).unwrap()
    }

    #[test]
    fn scaling_keeps_a_flat_picture_and_its_own_size() {
        for filter in [ScalingFilter::Bilinear, ScalingFilter::Bicubic] {
            let flat = grey(7, 5, |_, _| 93);
            assert_eq!(scaled(&flat, 13, 2, filter), grey(13, 2, |_, _| 93));
            let ramp = grey(9, 4, |x, y| (x * 20 + y) as u8);
            assert_eq!(scaled(&ramp, 9, 4, filter), ramp);
        }
    }

    #[test]
    fn each_filter_has_its_weights() {
        // Twice as wide: places of the result lie a quarter of a pixel beside those of the source.
        let step = grey(4, 1, |x, _| if x < 2 { 0 } else { 200 });
        let row = |filter| scaled(&step, 8, 1, filter).rgb().iter().step_by(3).copied().collect::<Vec<u8>>();
        assert_eq!(row(ScalingFilter::Bilinear), [0, 0, 0, 50, 150, 200, 200, 200]);
        // 200 · (w(−1.75) + w(−0.75)) at the first place before the step, w(0.75) = 29/128 and w(1.75) = −3/128.
        assert_eq!(row(ScalingFilter::Bicubic)[3], 41);
    }
}
