//! Scaling, cropping and padding pictures.
//!
//! The filter is Lanczos with three lobes, widened when scaling down so that nothing aliases.

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Rgb};

use crate::catalog::ImageSize;
use crate::request::Picture;

/// The picture scaled to cover `size` and cropped in the middle to it.
///
/// # Panics
/// If `size` or the picture has no pixels.
pub fn cover(picture: &Picture, size: ImageSize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    // The largest part of the source with the target's aspect ratio; cropping first bounds the memory.
    let (crop_width, crop_height) = if width * size.height > height * size.width {
        ((height * size.width).div_ceil(size.height).clamp(1, width), height)
    } else {
        (width, (width * size.height).div_ceil(size.width).clamp(1, height))
    };
    let part = crop(picture, (width - crop_width) / 2, (height - crop_height) / 2, crop_width, crop_height);
    scale(&part, size.width, size.height)
}

/// The middle of the picture whose edges are multiples of `multiple`, and the offset of its first pixel.
/// `None` if an edge is shorter than `multiple`.
pub fn crop_to_multiple(picture: &Picture, multiple: usize) -> Option<(Picture, [usize; 2])> {
    let floor = |edge: usize| edge / multiple * multiple;
    let (width, height) = (floor(picture.width()), floor(picture.height()));
    let offset = [(picture.width() - width) / 2, (picture.height() - height) / 2];
    (width > 0 && height > 0).then(|| (crop(picture, offset[0], offset[1], width, height), offset))
}

/// The picture with its edge pixels repeated on all sides until its edges are multiples of `multiple`, and
/// the offset of the source's first pixel in it.
pub fn pad_to_multiple(picture: &Picture, multiple: usize) -> (Picture, [usize; 2]) {
    let ceil = |edge: usize| edge.max(1).div_ceil(multiple) * multiple;
    let (width, height) = (ceil(picture.width()), ceil(picture.height()));
    let offset = [(width - picture.width()) / 2, (height - picture.height()) / 2];
    let nearest = |at: usize, offset: usize, edge: usize| at.saturating_sub(offset).min(edge - 1);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let row = nearest(y, offset[1], picture.height());
        for x in 0..width {
            rgb.extend(picture.pixel(nearest(x, offset[0], picture.width()), row));
        }
    }
    (from_rgb(width, height, rgb), offset)
}

/// The picture scaled down to at most `max_pixels`, its aspect ratio kept; `None` if it is no larger.
pub fn shrink_to_pixels(picture: &Picture, max_pixels: usize) -> Option<Picture> {
    let (width, height) = (picture.width(), picture.height());
    if width * height <= max_pixels {
        return None;
    }
    let factor = (max_pixels as f64 / (width * height) as f64).sqrt();
    let edge = |length: usize| ((length as f64 * factor).floor() as usize).max(1);
    // If one edge was rounded up to 1 pixel, the other must shrink.
    let (width, height) = (edge(width), edge(height));
    let fitting = |length: usize, other: usize| length.min((max_pixels / other).max(1));
    let width = fitting(width, height);
    Some(scale(picture, width, fitting(height, width)))
}

/// The picture scaled down so that its longer edge has at most `max_edge` pixels, its aspect ratio kept; `None` if it is
/// no larger.
pub fn shrink_to_edge(picture: &Picture, max_edge: usize) -> Option<Picture> {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    let edge = |length: usize| ((length * max_edge + longer / 2) / longer).max(1);
    (longer > max_edge).then(|| scale(picture, edge(width), edge(height)))
}

/// The picture with each pixel as a square of `factor` × `factor`.
pub fn enlarged(picture: &Picture, factor: usize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut rgb = Vec::with_capacity(width * height * 3 * factor * factor);
    for y in 0..height * factor {
        rgb.extend((0..width * factor).flat_map(|x| picture.pixel(x / factor, y / factor)));
    }
    from_rgb(width * factor, height * factor, rgb)
}

/// The picture scaled to exactly this size.
pub(in crate::formats) fn scale(picture: &Picture, width: usize, height: usize) -> Picture {
    if (width, height) == (picture.width(), picture.height()) {
        return picture.clone();
    }
    let source: ImageBuffer<Rgb<u8>, &[u8]> =
        ImageBuffer::from_raw(picture.width() as u32, picture.height() as u32, picture.rgb())
            .expect("a picture's bytes fill its size");
    let scaled = resize(&source, width as u32, height as u32, FilterType::Lanczos3);
    from_rgb(width, height, scaled.into_raw())
}

fn crop(picture: &Picture, left: usize, top: usize, width: usize, height: usize) -> Picture {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in top..top + height {
        rgb.extend_from_slice(&picture.rgb()[(y * picture.width() + left) * 3..][..width * 3]);
    }
    from_rgb(width, height, rgb)
}

fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Picture {
    Picture::new(width, height, rgb).expect("every pixel was filled")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose red is the column and whose green is the row.
    fn ramp(width: usize, height: usize) -> Picture {
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 7]));
        from_rgb(width, height, rgb.collect())
    }

    #[test]
    fn covering_keeps_the_middle() {
        let covered = cover(&ramp(40, 10), ImageSize::new(10, 10));
        assert_eq!(covered, crop(&ramp(40, 10), 15, 0, 10, 10));
        let covered = cover(&ramp(150, 90), ImageSize::new(30, 30));
        // A pixel of the result lies over three of the source, whose columns start at 30.
        assert_eq!(covered.pixel(15, 15), [76, 46, 7]);
        assert_eq!((covered.width(), covered.height()), (30, 30));
    }

    #[test]
    fn a_sliver_covers_a_square_without_a_huge_picture_between() {
        let covered = cover(&ramp(1, 5000), ImageSize::new(64, 64));
        assert_eq!((covered.width(), covered.height()), (64, 64));
    }

    #[test]
    fn cropping_and_padding_reach_the_same_multiples_from_both_sides() {
        let source = ramp(21, 13);
        let (cropped, offset) = crop_to_multiple(&source, 8).unwrap();
        assert_eq!((cropped.width(), cropped.height(), offset), (16, 8, [2, 2]));
        assert_eq!(cropped.pixel(0, 0), source.pixel(2, 2));
        let (padded, offset) = pad_to_multiple(&source, 8);
        assert_eq!((padded.width(), padded.height(), offset), (24, 16, [1, 1]));
        assert_eq!(padded.pixel(0, 0), source.pixel(0, 0));
        assert_eq!(padded.pixel(23, 15), source.pixel(20, 12));
        assert_eq!(padded.pixel(1, 1), source.pixel(0, 0));
        assert!(crop_to_multiple(&source, 16).is_none());
    }

    #[test]
    fn the_longer_edge_is_scaled_to_a_limit() {
        assert!(shrink_to_edge(&ramp(256, 100), 256).is_none());
        let edges = |picture: &Picture| (picture.width(), picture.height());
        assert_eq!(edges(&shrink_to_edge(&ramp(90, 60), 30).unwrap()), (30, 20));
        assert_eq!(edges(&shrink_to_edge(&ramp(60, 90), 30).unwrap()), (20, 30));
        assert_eq!(edges(&shrink_to_edge(&ramp(1000, 1), 30).unwrap()), (30, 1));
        // A pixel of the result lies over three of the source.
        assert_eq!(shrink_to_edge(&ramp(90, 60), 30).unwrap().pixel(10, 10), [31, 31, 7]);
    }

    #[test]
    fn only_a_large_picture_is_scaled_down() {
        assert!(shrink_to_pixels(&ramp(20, 10), 200).is_none());
        let small = shrink_to_pixels(&ramp(200, 100), 5000).unwrap();
        assert_eq!((small.width(), small.height()), (100, 50));
        let sliver = shrink_to_pixels(&ramp(1, 5000), 100).unwrap();
        assert!(sliver.width() * sliver.height() <= 100);
    }
}
