//! Differences between pictures: PSNR, SSIM, an error map; and a JPEG of a given size for comparison.

use rayon::prelude::*;

use crate::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, encode_picture, picture_from_bytes, scale,
};
use crate::request::Picture;

/// Peak signal-to-noise ratio over all values, dB; infinite for equal pictures.
///
/// `10 · log₁₀(255² / mean squared error)`, as scikit-image's `peak_signal_noise_ratio`.
///
/// `None` if the sizes differ or there are no pixels.
pub fn psnr(a: &Picture, b: &Picture) -> Option<f64> {
    let values = comparable(a, b)?;
    let squares: u64 = a.rgb().iter().zip(b.rgb()).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    Some(10.0 * (255.0f64.powi(2) * values as f64 / squares as f64).log10())
}

/// Mean of the structural similarity over pixels and channels, 1 for equal pictures.
///
/// The original measure with an 11×11 Gaussian window of 1.5 pixels (Wang et al. 2004): scikit-image's
/// `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
/// channel_axis=2)`. Only windows wholly inside the picture count.
///
/// `None` if the sizes differ or an edge is shorter than the window.
pub fn ssim(a: &Picture, b: &Picture) -> Option<f64> {
    comparable(a, b)?;
    let (width, height) = (a.width(), a.height());
    if width < WINDOW || height < WINDOW {
        return None;
    }
    // In bands, which bound the memory and run in parallel; the order of the sum is fixed.
    let rows = height - WINDOW + 1;
    let bands: Vec<(usize, usize)> =
        (0..3).flat_map(|c| (0..rows).step_by(BAND).map(move |y| (c, y))).collect();
    let sums: Vec<f64> = bands
        .into_par_iter()
        .map(|(channel, y)| {
            let end = (y + BAND).min(rows) + WINDOW - 1;
            ssim_sum(&plane(a, channel, y, end), &plane(b, channel, y, end), width)
        })
        .collect();
    Some(sums.iter().sum::<f64>() / (3 * rows * (width - WINDOW + 1)) as f64)
}

/// One channel of the rows `from..to`, `[to − from, W]`.
fn plane(picture: &Picture, channel: usize, from: usize, to: usize) -> Vec<f64> {
    let rows = &picture.rgb()[from * picture.width() * 3..to * picture.width() * 3];
    rows.iter().skip(channel).step_by(3).map(|&v| f64::from(v)).collect()
}

/// The sum of the similarity over all windows of two planes.
fn ssim_sum(a: &[f64], b: &[f64], width: usize) -> f64 {
    let c1 = (0.01f64 * 255.0).powi(2);
    let c2 = (0.03f64 * 255.0).powi(2);
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let means = |values: &[f64]| windowed_means(values, width);
    let (mean_a, mean_b) = (means(a), means(b));
    let (mean_aa, mean_bb, mean_ab) = (means(&product(a, a)), means(&product(b, b)), means(&product(a, b)));
    let similarity = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (var_a, var_b, cov) = (mean_aa[i] - ma * ma, mean_bb[i] - mb * mb, mean_ab[i] - ma * mb);
        ((2.0 * ma * mb + c1) * (2.0 * cov + c2)) / ((ma * ma + mb * mb + c1) * (var_a + var_b + c2))
    };
    (0..mean_a.len()).map(similarity).sum()
}

/// Rows of windows in one band.
const BAND: usize = 64;
/// The edge of SSIM's window, pixels.
const WINDOW: usize = 11;

/// Gaussian means of all windows inside a plane: `[H − 10, W − 10]`.
fn windowed_means(values: &[f64], width: usize) -> Vec<f64> {
    const SIGMA: f64 = 1.5;
    let mut weights: [f64; WINDOW] =
        std::array::from_fn(|i| (-(i as f64 - 5.0).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let total: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= total;
    }
    let inner = width - WINDOW + 1;
    let rows: Vec<f64> = values
        .chunks_exact(width)
        .flat_map(|row| row.windows(WINDOW).map(|w| w.iter().zip(&weights).map(|(v, g)| v * g).sum::<f64>()))
        .collect();
    let mut means = vec![0.0; inner * (values.len() / width - WINDOW + 1)];
    for (y, mean_row) in means.chunks_exact_mut(inner).enumerate() {
        for (i, weight) in weights.iter().enumerate() {
            let row = &rows[(y + i) * inner..][..inner];
            mean_row.iter_mut().zip(row).for_each(|(mean, v)| *mean += weight * v);
        }
    }
    means
}

/// The mean absolute difference of each pixel's three values, 0..=1: `[H, W]`. `None` if the sizes differ.
pub fn error_map(a: &Picture, b: &Picture) -> Option<Vec<f32>> {
    comparable(a, b)?;
    let pairs = a.rgb().chunks_exact(3).zip(b.rgb().chunks_exact(3));
    let difference =
        |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
    Some(pairs.map(|pair| difference(pair) as f32 / (3.0 * 255.0)).collect())
}

/// The number of values of both, if the pictures are of one size and not empty.
fn comparable(a: &Picture, b: &Picture) -> Option<usize> {
    let same = (a.width(), a.height()) == (b.width(), b.height());
    (same && !a.rgb().is_empty()).then_some(a.rgb().len())
}

/// A JPEG within a size limit.
#[derive(Clone, Debug)]
pub struct JpegOfSize {
    /// The file's length, bytes.
    pub bytes: usize,
    /// The quality it was written with, 1..=100.
    pub quality: u8,
    /// Factor by which the edges were scaled down first, 0..=1; 1 if lowering the quality was enough.
    pub scale: f64,
    /// The decoded JPEG, at the original's size.
    pub picture: Picture,
}

/// The best JPEG of a picture in at most `budget` bytes: the one with the highest quality, or, if none fits at full
/// size, the largest with the lowest quality. `None` if not even one pixel fits.
pub fn jpeg_of_size(picture: &Picture, budget: usize) -> Option<JpegOfSize> {
    let (width, height) = (picture.width(), picture.height());
    if let Some((quality, file)) = best_quality(picture, budget) {
        return shown(&file, quality, 1.0, picture);
    }
    // The largest edge that fits, counted in steps of the longer edge.
    let longer = width.max(height);
    let scaled = |edge: usize| {
        let side = |length: usize| (length * edge / longer).max(1);
        scale(picture, side(width), side(height))
    };
    let (mut fits, mut fails) = (0, longer);
    while fails - fits > 1 {
        let edge = usize::midpoint(fits, fails);
        if jpeg(&scaled(edge), 1)?.len() <= budget {
            fits = edge;
        } else {
            fails = edge;
        }
    }
    if fits == 0 {
        return None;
    }
    let (quality, file) = best_quality(&scaled(fits), budget)?;
    shown(&file, quality, fits as f64 / longer as f64, picture)
}

/// The highest quality whose file fits, and that file.
fn best_quality(picture: &Picture, budget: usize) -> Option<(u8, Vec<u8>)> {
    let (mut low, mut high) = (1, 100);
    let mut best = None;
    while low <= high {
        let quality = u8::midpoint(low, high);
        let file = jpeg(picture, quality)?;
        if file.len() <= budget {
            best = Some((quality, file));
            low = quality + 1;
        } else {
            high = quality - 1;
        }
    }
    best
}

fn jpeg(picture: &Picture, quality: u8) -> Option<Vec<u8>> {
    let options = WriteOptions { jpeg_quality: quality, metadata: false };
    encode_picture(picture, PictureFormat::Jpeg, None, &options).ok()
}

fn shown(file: &[u8], quality: u8, edge: f64, original: &Picture) -> Option<JpegOfSize> {
    let decoded = picture_from_bytes(file, &ReadOptions::default()).ok()?.picture;
    let picture = scale(&decoded, original.width(), original.height());
    Some(JpegOfSize { bytes: file.len(), quality, scale: edge, picture })
}
