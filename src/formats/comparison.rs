//! How much of a picture is left after encoding and decoding, and where the loss is.

use super::metrics::{JpegOfSize, jpeg_of_size, psnr};
use super::picture_difference::{PictureDifference, picture_difference};
use crate::request::Picture;

/// An original picture compared with its decoded latent.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Peak signal-to-noise ratio, dB.
    pub psnr: f64,
    /// Structural similarity; `None` for pictures smaller than its window.
    pub ssim: Option<f64>,
    /// Heat map of the mean absolute error of each pixel, from 0 to [`Comparison::heat_limit`].
    pub heat: Picture,
    /// The error that has the brightest colour, 0..=1: the 99.5th percentile.
    pub heat_limit: f32,
    /// The latent pixel with the largest error, column and row.
    pub worst: [usize; 2],
    /// The PSNR of that patch, dB.
    pub worst_psnr: f64,
    /// A JPEG of the original of at most as many bytes as the latent, and its PSNR, dB.
    pub jpeg: Option<(JpegOfSize, f64)>,
}

/// Compares pictures of one size; `None` if the sizes differ. `downscale`: pixels per edge of a
/// latent pixel. `latent_bytes`: the largest size of the JPEG.
pub fn compare(
    original: &Picture,
    decoded: &Picture,
    downscale: usize,
    latent_bytes: usize,
) -> Option<Comparison> {
    let PictureDifference { psnr: psnr_all, ssim, heat, heat_limit } = picture_difference(original, decoded)?;
    let (worst, worst_error) = worst_patch(original, decoded, downscale);
    let jpeg = jpeg_of_size(original, latent_bytes).and_then(|jpeg| {
        let psnr = psnr(original, &jpeg.picture)?;
        Some((jpeg, psnr))
    });
    Some(Comparison {
        psnr: psnr_all,
        ssim,
        heat,
        heat_limit,
        worst,
        worst_psnr: 10.0 * (255.0_f64.powi(2) / worst_error).log10(),
        jpeg,
    })
}

/// The whole patch with the largest mean squared error, and that error.
fn worst_patch(a: &Picture, b: &Picture, downscale: usize) -> ([usize; 2], f64) {
    let mut worst = ([0, 0], 0.0);
    for y in 0..a.height() / downscale {
        for x in 0..a.width() / downscale {
            let mut squares = 0;
            for row in y * downscale..(y + 1) * downscale {
                let from = (row * a.width() + x * downscale) * 3;
                let pairs = a.rgb()[from..][..downscale * 3].iter().zip(&b.rgb()[from..]);
                squares += pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum::<u64>();
            }
            let mean = squares as f64 / (downscale * downscale * 3) as f64;
            if mean > worst.1 {
                worst = ([x, y], mean);
            }
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_patch_is_found_and_glows() {
        let original = Picture::new(32, 24, vec![100; 32 * 24 * 3]).unwrap();
        let mut bytes = original.rgb().to_vec();
        for y in 8..16 {
            bytes[(y * 32 + 24) * 3..(y * 32 + 32) * 3].fill(160);
        }
        let decoded = Picture::new(32, 24, bytes).unwrap();
        let found = compare(&original, &decoded, 8, 2000).unwrap();
        assert_eq!(found.worst, [3, 1]);
        assert!((found.worst_psnr - 10.0 * (255.0_f64.powi(2) / 3600.0).log10()).abs() < 1e-9);
        assert_eq!(found.heat.pixel(28, 12), [252, 255, 164]);
        assert_eq!(found.heat.pixel(0, 0), [0, 0, 4]);
        assert!(found.jpeg.is_some_and(|(jpeg, psnr)| jpeg.bytes <= 2000 && psnr > 30.0));
        assert!(compare(&original, &Picture::new(8, 8, vec![0; 192]).unwrap(), 8, 2000).is_none());
    }
}
