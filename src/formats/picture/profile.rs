//! Colour profiles in picture files, and their conversion to sRGB.

use std::io::Cursor;
use std::sync::Arc;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

use crate::formats::metadata::webp_chunk;
use crate::formats::png_chunks;

/// The largest profile that is used, bytes; profiles of scanners and printers are two or three MiB.
const MAX_PROFILE_LEN: usize = 8 << 20;

/// A file's embedded profile.
pub(super) enum EmbeddedProfile {
    None,
    /// Its bytes.
    Some(Vec<u8>),
    /// It is too large or damaged.
    Unusable,
}

impl EmbeddedProfile {
    /// The profile of a file, within the memory limit of a profile.
    pub(super) fn of(kind: ImageFormat, bytes: &[u8], decoder: &mut impl ImageDecoder) -> Self {
        let profile = match kind {
            ImageFormat::Png => return png_profile(bytes),
            // The decoder would allocate what a chunk claims before it reads.
            ImageFormat::WebP => webp_chunk(bytes, *b"ICCP").map(<[u8]>::to_vec),
            _ => match decoder.icc_profile() {
                Ok(profile) => profile,
                Err(_) => return Self::Unusable,
            },
        };
        match profile {
            Some(profile) if profile.len() > MAX_PROFILE_LEN => Self::Unusable,
            Some(profile) => Self::Some(profile),
            None => Self::None,
        }
    }
}

/// The compressed profile of a PNG, decompressed in a picture of one pixel, whose decoder has a memory limit.
fn png_profile(bytes: &[u8]) -> EmbeddedProfile {
    let Some(chunk) = png_chunks::chunks(bytes).find(|chunk| &chunk.name == b"iCCP") else {
        return EmbeddedProfile::None;
    };
    if chunk.content.len() > MAX_PROFILE_LEN {
        return EmbeddedProfile::Unusable;
    }
    let file = png_chunks::one_pixel_with(std::iter::once((chunk.name, chunk.content)));
    let mut options = png::DecodeOptions::default();
    options.set_ignore_checksums(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(file), options);
    // The compressed chunk and the profile.
    decoder.set_limits(png::Limits { bytes: chunk.content.len() + MAX_PROFILE_LEN });
    let profile = decoder.read_info().ok().and_then(|reader| reader.info().icc_profile.clone());
    profile.map_or(EmbeddedProfile::Unusable, |profile| EmbeddedProfile::Some(profile.into_owned()))
}

/// Bits of each value.
pub(super) fn bits_per_channel(color: ColorType) -> u8 {
    (color.bits_per_pixel() / u16::from(color.channel_count())) as u8
}

/// The conversion from an embedded ICC profile to sRGB, for pixels as they were decoded.
pub(super) enum SrgbTransform {
    Rgb8(Arc<dyn TransformExecutor<u8> + Send + Sync>),
    Rgb16(Arc<dyn TransformExecutor<u16> + Send + Sync>),
    Grey16(Arc<dyn TransformExecutor<u16> + Send + Sync>),
}

impl SrgbTransform {
    /// `None` if the profile is damaged or of another colour space than the pixels (a CMYK JPEG is already decoded to
    /// RGB here).
    pub(super) fn new(icc: &[u8], color: ColorType) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(icc).ok()?;
        let srgb = ColorProfile::new_srgb();
        let (options, rgba) = (TransformOptions::default(), Layout::Rgba);
        match profile.color_space {
            DataColorSpace::Rgb if bits_per_channel(color) == 8 => {
                profile.create_transform_8bit(rgba, &srgb, rgba, options).ok().map(Self::Rgb8)
            }
            DataColorSpace::Rgb => {
                profile.create_transform_16bit(rgba, &srgb, rgba, options).ok().map(Self::Rgb16)
            }
            DataColorSpace::Gray if !color.has_color() => {
                profile.create_transform_16bit(Layout::GrayAlpha, &srgb, rgba, options).ok().map(Self::Grey16)
            }
            _ => None,
        }
    }

    /// The pixels as sRGB with transparency, 8 bits: `[H, W, 4]`. Row by row, so that a large picture is not
    /// held twice.
    pub(super) fn rgba_from(&self, pixels: DynamicImage) -> Vec<u8> {
        let row_len = pixels.width() as usize * 4;
        match self {
            Self::Rgb8(transform) => {
                let mut rgba = pixels.into_rgba8().into_raw();
                let mut converted = vec![0; row_len];
                for row in rgba.chunks_exact_mut(row_len) {
                    // Fails only if lengths do not match; the row then keeps its colours.
                    if transform.transform(row, &mut converted).is_ok() {
                        row.copy_from_slice(&converted);
                    }
                }
                rgba
            }
            Self::Rgb16(transform) => {
                eight_bit_rows(transform.as_ref(), &pixels.into_rgba16(), row_len, row_len)
            }
            Self::Grey16(transform) => {
                eight_bit_rows(transform.as_ref(), &pixels.into_luma_alpha16(), row_len / 2, row_len)
            }
        }
    }
}

/// Rows of 16-bit values converted and rounded to 8 bits.
fn eight_bit_rows(
    transform: &(dyn TransformExecutor<u16> + Send + Sync),
    source: &[u16],
    source_row_len: usize,
    row_len: usize,
) -> Vec<u8> {
    let mut converted = vec![0u16; row_len];
    let mut rgba = Vec::with_capacity(source.len() / source_row_len * row_len);
    for row in source.chunks_exact(source_row_len) {
        // Fails only if lengths do not match, which is impossible here.
        if transform.transform(row, &mut converted).is_err() {
            converted.fill(0);
        }
        rgba.extend(converted.iter().map(|&v| ((u32::from(v) * 255 + 32_767) / 65_535) as u8));
    }
    rgba
}
