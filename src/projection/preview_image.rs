//! A preview on the processor as one that can be blended and resized: RGB before it is clamped and rounded.

use std::sync::Arc;

use super::{ERROR_COLOUR, PatchProjection, RgbProjection};
use crate::latent::{Latent, LatentFormat};

/// A projection of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Projection {
    /// One matrix per latent pixel, and Catmull–Rom between them.
    Linear(Arc<RgbProjection>),
    /// From neighbourhoods to the pixels of their centres.
    Patch(Arc<PatchProjection>),
}

impl Projection {
    /// The projection of a format without a fit: see [`RgbProjection::for_format`].
    pub fn for_format(format: &LatentFormat) -> Self {
        Self::Linear(Arc::new(RgbProjection::for_format(format)))
    }

    /// The number of latent channels it reads.
    pub fn channels(&self) -> usize {
        match self {
            Self::Linear(projection) => projection.channels(),
            Self::Patch(projection) => projection.channels,
        }
    }

    /// A projection for latents of this format that shows no more than a colour for each latent pixel.
    #[must_use]
    pub fn coarse(&self, format: &LatentFormat) -> Self {
        match self {
            Self::Linear(projection) => Self::Linear(Arc::clone(projection)),
            Self::Patch(_) => Self::for_format(format),
        }
    }

    /// The preview of a latent with `width`×`height` pixels. `latent`: model space.
    ///
    /// Both projections are linear, and so is the resampling: a blend of two previews is the preview of the blend of
    /// their latents.
    ///
    /// # Panics
    /// If the latent or the size is empty.
    pub fn render(&self, latent: &Latent, width: usize, height: usize) -> PreviewImage {
        let shape = latent.shape();
        let image = match self {
            Self::Linear(projection) => PreviewImage {
                width: shape.width,
                height: shape.height,
                rgb: projection.rgb_from_latent(latent),
            },
            Self::Patch(projection) => PreviewImage {
                width: shape.width * projection.downscale,
                height: shape.height * projection.downscale,
                rgb: projection.rgb_from_latent(latent),
            },
        };
        image.resampled(width, height)
    }
}

/// RGB in `−1..=1`, unclamped, `[H, W]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewImage {
    width: usize,
    height: usize,
    rgb: Vec<[f32; 3]>,
}

impl PreviewImage {
    /// A picture's bytes, `[H, W, 3]`.
    ///
    /// # Panics
    /// If the bytes do not fill the size.
    pub fn from_bytes(width: usize, height: usize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), width * height * 3, "the bytes of a picture fill its size");
        let rgb =
            bytes.chunks_exact(3).map(|rgb| [0, 1, 2].map(|k| f32::from(rgb[k]) / 127.5 - 1.0)).collect();
        Self { width, height, rgb }
    }

    /// Width, pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height, pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes of the picture, `[H, W, 3]`. What is not finite has the [`ERROR_COLOUR`].
    pub fn bytes(&self) -> Vec<u8> {
        self.rgb.iter().flat_map(|rgb| pixel_bytes(*rgb)).collect()
    }

    /// The bytes of `(1 − share) · self + share · other`, an image of the same size.
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn blended_bytes(&self, other: &Self, share: f32) -> Vec<u8> {
        assert_eq!((self.width, self.height), (other.width, other.height), "blended images have one size");
        let pairs = self.rgb.iter().zip(&other.rgb);
        pairs.flat_map(|(a, b)| pixel_bytes([0, 1, 2].map(|k| a[k] + share * (b[k] - a[k])))).collect()
    }

    /// The root mean square of the difference from `other`, an image of the same size, as an eye could see it: clamped.
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn visible_change(&self, other: &Self) -> f64 {
        assert_eq!((self.width, self.height), (other.width, other.height), "compared images have one size");
        let seen = |value: f32| if value.is_finite() { f64::from(value.clamp(-1.0, 1.0)) } else { 0.0 };
        let values = |image: &Self| image.rgb.clone().into_iter().flatten().map(seen).collect::<Vec<f64>>();
        let (own, others) = (values(self), values(other));
        let sum: f64 = own.iter().zip(&others).map(|(a, b)| (a - b).powi(2)).sum();
        (sum / own.len().max(1) as f64).sqrt()
    }

    /// The image with another size: Catmull–Rom, widened when scaling down so that nothing aliases. Edge pixels are
    /// repeated, as the shaders do.
    ///
    /// # Panics
    /// If a size is empty.
    #[must_use]
    pub fn resampled(self, width: usize, height: usize) -> Self {
        if (width, height) == (self.width, self.height) {
            return self;
        }
        assert!(width * height * self.width * self.height > 0, "a resampled image has pixels");
        let (columns, rows) = (taps(self.width, width), taps(self.height, height));
        let mut narrowed = Vec::with_capacity(width * self.height);
        for row in self.rgb.chunks_exact(self.width) {
            narrowed.extend(columns.iter().map(|taps| weighted(taps, |at| row[at])));
        }
        let mut rgb = Vec::with_capacity(width * height);
        for taps in &rows {
            rgb.extend((0..width).map(|x| weighted(taps, |y| narrowed[y * width + x])));
        }
        Self { width, height, rgb }
    }
}

fn pixel_bytes(rgb: [f32; 3]) -> [u8; 3] {
    let share = if rgb.iter().all(|value| value.is_finite()) {
        rgb.map(|value| (value * 0.5 + 0.5).clamp(0.0, 1.0))
    } else {
        ERROR_COLOUR
    };
    share.map(|value| (value * 255.0).round() as u8)
}

fn weighted(taps: &[(usize, f32)], pixel: impl Fn(usize) -> [f32; 3]) -> [f32; 3] {
    let mut sum = [0.0; 3];
    for (at, weight) in taps {
        let pixel = pixel(*at);
        for k in 0..3 {
            sum[k] += weight * pixel[k];
        }
    }
    sum
}

/// For each pixel of an edge of `to` pixels, the pixels of one of `from` pixels that it is made of, with their weights.
fn taps(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let ratio = from as f64 / to as f64;
    let stretch = ratio.max(1.0);
    let of_pixel = |pixel: usize| {
        let centre = (pixel as f64 + 0.5) * ratio - 0.5;
        let (first, last) =
            ((centre - 2.0 * stretch).ceil() as isize, (centre + 2.0 * stretch).floor() as isize);
        let weights: Vec<f64> =
            (first..=last).map(|at| catmull_rom((at as f64 - centre) / stretch)).collect();
        let sum: f64 = weights.iter().sum();
        let nearest = |at: isize| at.clamp(0, from as isize - 1) as usize;
        (first..=last).zip(weights).map(|(at, weight)| (nearest(at), (weight / sum) as f32)).collect()
    };
    (0..to).map(of_pixel).collect()
}

/// The Catmull–Rom kernel: Keys 1981, <https://doi.org/10.1109/TASSP.1981.1163711>, with a = −1/2.
fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;
    use crate::projection::render_linear_reference;

    fn latent(seed: f32) -> Latent {
        let shape = LatentShape::new(4, 5, 7);
        Latent::new(shape, (0..140u8).map(|i| (f32::from(i) * seed).sin()).collect::<Vec<_>>()).unwrap()
    }

    fn patch() -> Projection {
        let weight = (0..37 * 12).map(|i| (i as f32 * 0.7).cos() * 0.2).collect();
        Projection::Patch(Arc::new(PatchProjection { channels: 4, downscale: 2, weight }))
    }

    fn linear() -> Projection {
        Projection::Linear(Arc::new(RgbProjection::stable_diffusion()))
    }

    #[test]
    fn the_linear_preview_is_the_reference_of_the_shader() {
        for scale in [1, 2, 8] {
            let expected =
                render_linear_reference(&latent(0.3), &RgbProjection::stable_diffusion(), scale, true);
            let bytes = linear().render(&latent(0.3), 7 * scale, 5 * scale).bytes();
            for (at, expected) in expected.iter().flatten().enumerate() {
                let off = (f32::from(bytes[at]) / 255.0 - expected).abs();
                // Half a step of the rounding, and the order of the sums.
                assert!(off < 0.5 / 255.0 + 1e-5, "{scale}: {off}");
            }
        }
    }

    #[test]
    fn a_patch_preview_of_its_own_size_is_the_projection_s() {
        let Projection::Patch(projection) = patch() else { panic!() };
        let image = patch().render(&latent(0.3), 14, 10);
        assert_eq!(image.rgb, projection.rgb_from_latent(&latent(0.3)));
    }

    #[test]
    fn a_blend_of_previews_is_the_preview_of_the_blended_latents() {
        let (a, b) = (latent(0.3), latent(1.7));
        let values: Vec<f32> = a.values().iter().zip(b.values()).map(|(a, b)| a + 0.3 * (b - a)).collect();
        let between = a.with_values(values);
        for projection in [linear(), patch()] {
            for [width, height] in [[7, 5], [28, 20], [9, 4]] {
                let [a, b, between] =
                    [&a, &b, &between].map(|latent| projection.render(latent, width, height));
                let blended = a.blended_bytes(&b, 0.3);
                let off = blended.iter().zip(between.bytes()).map(|(a, b)| a.abs_diff(b)).max();
                assert!(off <= Some(1), "{off:?}");
            }
        }
    }

    #[test]
    fn every_byte_comes_back_and_a_size_that_stays_changes_nothing() {
        let bytes: Vec<u8> = (0..=255).flat_map(|v| [v, 255 - v, 7]).collect();
        let image = PreviewImage::from_bytes(16, 16, &bytes);
        assert_eq!(image.clone().resampled(16, 16).bytes(), bytes);
        assert_eq!(image.visible_change(&image), 0.0);
    }

    #[test]
    fn a_picture_that_is_scaled_down_keeps_its_mean() {
        let bytes: Vec<u8> =
            (0..64 * 64).flat_map(|i| [if (i + i / 64) % 2 == 0 { 255 } else { 0 }; 3]).collect();
        let small = PreviewImage::from_bytes(64, 64, &bytes).resampled(8, 8).bytes();
        assert!(small.iter().all(|v| (120..=135).contains(v)), "a chessboard becomes grey: {small:?}");
    }

    #[test]
    fn values_that_are_not_finite_have_the_colour_of_errors() {
        let mut values = latent(0.3).values().to_vec();
        values[0] = f32::NAN;
        let image = linear().render(&latent(0.3).with_values(values), 7, 5);
        assert_eq!(image.bytes()[..3], [255, 0, 255]);
        assert_ne!(image.bytes()[3..6], [255, 0, 255]);
    }
}
