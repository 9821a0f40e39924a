//! How far two pictures of one size are apart, in figures and at each pixel.

use super::metrics::{error_map, psnr, ssim};
use crate::latent::heat_limit;
use crate::projection::ColourMap;
use crate::request::Picture;

/// The colours of differences.
pub const HEAT_MAP: ColourMap = ColourMap::Heat;

/// The difference of two pictures of one size.
#[derive(Clone, Debug)]
pub struct PictureDifference {
    /// Peak signal-to-noise ratio, dB; infinite for equal pictures.
    pub psnr: f64,
    /// Structural similarity; `None` for pictures smaller than its window.
    pub ssim: Option<f64>,
    /// Heat map of the mean absolute difference of each pixel's three values, from 0 to [`Self::heat_limit`].
    pub heat: Picture,
    /// The difference that has the brightest colour, a share of the full range, 0..=1: see [`heat_limit`].
    pub heat_limit: f32,
}

/// The difference of two pictures; `None` if their sizes differ or they have no pixels.
pub fn picture_difference(first: &Picture, second: &Picture) -> Option<PictureDifference> {
    let psnr = psnr(first, second)?;
    let errors = error_map(first, second)?;
    // A whole step of 8 bits at least: equal pictures are black.
    let heat_limit = heat_limit(&errors, 1.0 / 255.0);
    let heat = heat_picture(&errors, first.width(), heat_limit)?;
    Some(PictureDifference { psnr, ssim: ssim(first, second), heat, heat_limit })
}

/// A heat map of magnitudes, rows of `width`, from 0 to `limit`; `None` if they fill no rows.
pub fn heat_picture(magnitudes: &[f32], width: usize, limit: f32) -> Option<Picture> {
    let rgb: Vec<u8> = magnitudes.iter().flat_map(|&value| HEAT_MAP.bytes(value, [0.0, limit])).collect();
    Picture::new(width, magnitudes.len().checked_div(width)?, rgb).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_glows_and_the_scale_is_said() {
        let first = Picture::new(16, 12, vec![100; 16 * 12 * 3]).unwrap();
        let mut bytes = first.rgb().to_vec();
        bytes[(5 * 16 + 3) * 3..][..9].copy_from_slice(&[151, 151, 151, 151, 151, 151, 151, 100, 100]);
        let second = Picture::new(16, 12, bytes).unwrap();
        let difference = picture_difference(&first, &second).unwrap();
        assert!((difference.heat_limit - 51.0 / 255.0).abs() < 1e-6, "{}", difference.heat_limit);
        assert_eq!(difference.heat.pixel(3, 5), [252, 255, 164]);
        assert_eq!(difference.heat.pixel(0, 0), [0, 0, 4]);
        let squares = 7.0 * 51.0f64.powi(2);
        let psnr = 10.0 * (255.0f64.powi(2) * f64::from(16 * 12 * 3) / squares).log10();
        assert!((difference.psnr - psnr).abs() < 1e-9);
        assert!(difference.ssim.is_some_and(|ssim| ssim < 1.0));
        let same = picture_difference(&first, &first).unwrap();
        assert_eq!((same.psnr, same.heat.pixel(3, 5)), (f64::INFINITY, [0, 0, 4]));
        assert!(picture_difference(&first, &Picture::new(12, 16, first.rgb().to_vec()).unwrap()).is_none());
    }
}
