//! Picture files → [`Picture`]: 8-bit sRGB, upright, without transparency.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

use crate::formats::metadata::{GenerationFacts, facts_from_bytes, lists_fit, webp_chunk};
use crate::request::Picture;

/// How a picture is read, and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The colour behind transparent pixels, sRGB.
    pub background: [u8; 3],
    /// The most pixels; a file that claims more is not decoded.
    pub max_pixels: u64,
    /// The longest file, bytes; a longer one is not read.
    pub max_file_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        // 8192 × 8192 pixels take 256 MiB while they are decoded.
        Self { background: [255; 3], max_pixels: 8192 * 8192, max_file_bytes: 512 << 20 }
    }
}

/// A picture and what its file says about it.
#[derive(Clone, Debug)]
pub struct ReadPicture {
    /// The pixels.
    pub picture: Picture,
    /// The file's format for people, such as "PNG".
    pub format: &'static str,
    /// Bits of each colour value in the file.
    pub bits_per_channel: u8,
    /// Whether the file has transparency, now laid over the background.
    pub had_transparency: bool,
    /// Whether colours were converted from an embedded profile.
    pub converted_profile: bool,
    /// The settings it was generated with, where the file holds them.
    pub facts: Option<GenerationFacts>,
}

/// A picture that could not be read. Each says why and what to try.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or read.
    #[error("could not read the picture: {source}: {}", path.display())]
    Read {
        /// What the operating system said.
        source: std::io::Error,
        /// Which file.
        path: PathBuf,
    },
    /// Nothing in it.
    #[error("the picture file is empty: it may not have been copied or downloaded completely")]
    Empty,
    /// No known format.
    #[error(
        "this is not a picture of a known format: use PNG, JPEG, WebP, BMP, TIFF or GIF{}",
        hint.map(|h| format!(" ({h})")).unwrap_or_default()
    )]
    UnknownFormat {
        /// What it looks like instead.
        hint: Option<&'static str>,
    },
    /// Longer than the limit.
    #[error("the file has {bytes} bytes, more than the {limit} that are read: save it smaller first")]
    TooManyBytes {
        /// The file's length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// More pixels than the limit.
    #[error(
        "the picture claims {width}×{height} pixels, more than the {limit} that are decoded: scale it down first"
    )]
    TooManyPixels {
        /// Width, pixels.
        width: u32,
        /// Height, pixels.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// The decoder gave up.
    #[error(
        "the {format} file is damaged or of an unsupported kind: {reason} (open it in an image editor and save it again)"
    )]
    Damaged {
        /// The file's format.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

/// Reads a picture file of any supported format; its content counts, not its name.
pub fn read_picture(path: &Path, options: &ReadOptions) -> Result<ReadPicture, PictureError> {
    let failed = |source| PictureError::Read { source, path: path.to_owned() };
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    let limit = options.max_file_bytes;
    if metadata.len() > limit {
        return Err(PictureError::TooManyBytes { bytes: metadata.len(), limit });
    }
    let mut bytes = Vec::new();
    // A device or a growing file may give more than its length says.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    picture_from_bytes(&bytes, options)
}

/// Reads a picture from a file's bytes: what was pasted or dropped.
pub fn picture_from_bytes(bytes: &[u8], options: &ReadOptions) -> Result<ReadPicture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if bytes.len() as u64 > options.max_file_bytes {
        return Err(PictureError::TooManyBytes { bytes: bytes.len() as u64, limit: options.max_file_bytes });
    }
    let Some((kind, format)) = image::guess_format(bytes).ok().and_then(|f| Some((f, format_name(f)?)))
    else {
        return Err(PictureError::UnknownFormat { hint: foreign_hint(bytes) });
    };
    let damaged = |e: image::ImageError| PictureError::Damaged { format, reason: e.to_string() };

    if kind == ImageFormat::Tiff && lists_fit(bytes) != Some(true) {
        let reason = "its directory does not fit into it, or it is a BigTIFF".to_owned();
        return Err(PictureError::Damaged { format, reason });
    }
    if let Some((width, height)) = webp_frame_size(bytes).filter(|_| kind == ImageFormat::WebP)
        && u64::from(width) * u64::from(height) > options.max_pixels
    {
        return Err(PictureError::TooManyPixels { width, height, limit: options.max_pixels });
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    let mut limits = Limits::default();
    // The pixels at up to 16 bytes each (f32 RGBA), and as much again for a decoder's own buffers.
    limits.max_alloc = Some(options.max_pixels.saturating_mul(16).max(1 << 20));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > options.max_pixels {
        return Err(PictureError::TooManyPixels { width, height, limit: options.max_pixels });
    }
    if pixels == 0 {
        return Err(PictureError::Damaged { format, reason: "it has no pixels".to_owned() });
    }
    // Broken orientation or profile data does not make the pixels unreadable.
    let (orientation, profile) = if kind == ImageFormat::WebP {
        // The decoder would make room for what a chunk claims before it looks.
        let exif = webp_chunk(bytes, *b"EXIF");
        let exif = exif.map(|block| block.strip_prefix(b"Exif\0\0").unwrap_or(block));
        (exif.and_then(Orientation::from_exif_chunk), webp_chunk(bytes, *b"ICCP").map(<[u8]>::to_vec))
    } else {
        (decoder.orientation().ok(), decoder.icc_profile().ok().flatten())
    };
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    if let Some(orientation) = orientation {
        pixels.apply_orientation(orientation);
    }
    let transform = profile.and_then(|icc| SrgbTransform::new(&icc, color));
    let converted_profile = transform.is_some();
    let rgb = match transform {
        Some(transform) => over_background(transform.rgba_from(pixels), options.background),
        None if color.has_alpha() => over_background(pixels.into_rgba8().into_raw(), options.background),
        None => pixels.into_rgb8().into_raw(),
    };
    // Turned by a quarter, width and height change places.
    let (width, height) = match orientation {
        Some(o) if o.to_exif() >= 5 => (height, width),
        _ => (width, height),
    };
    let picture = Picture::new(width as usize, height as usize, rgb)
        .map_err(|e| PictureError::Damaged { format, reason: e.to_string() })?;
    Ok(ReadPicture {
        picture,
        format,
        bits_per_channel: bits_per_channel(color),
        had_transparency: color.has_alpha(),
        converted_profile,
        // Settings that cannot be read are settings that are not there: the picture is what was asked for.
        facts: facts_from_bytes(bytes),
    })
}

/// The size that a lossy WebP's first frame itself claims (RFC 6386, 9.1). An extended file has a size of its
/// own, and the decoder compares the two only after decoding.
fn webp_frame_size(bytes: &[u8]) -> Option<(u32, u32)> {
    // A chunk's search starts 12 bytes in, and an animation's frame has 16 bytes before its chunks.
    let first_frame = webp_chunk(bytes, *b"ANMF").and_then(|frame| frame.get(4..));
    let frame = webp_chunk(first_frame.unwrap_or(bytes), *b"VP8 ")?;
    let edge =
        |at: usize| Some(u32::from(u16::from_le_bytes([*frame.get(at)?, *frame.get(at + 1)?]) & 0x3fff));
    Some((edge(6)?, edge(8)?))
}

/// The name for people of a format that is read.
fn format_name(format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Png => Some("PNG"),
        ImageFormat::Jpeg => Some("JPEG"),
        ImageFormat::WebP => Some("WebP"),
        ImageFormat::Bmp => Some("BMP"),
        ImageFormat::Tiff => Some("TIFF"),
        ImageFormat::Gif => Some("GIF"),
        _ => None,
    }
}

/// What a file that is no picture looks like.
fn foreign_hint(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.get(4..8) == Some(b"ftyp") {
        Some("this looks like AVIF, HEIC or a video: convert it first")
    } else if starts(b"%PDF") {
        Some("this looks like a PDF")
    } else if starts(b"PK\x03\x04") {
        Some("this looks like a ZIP archive: unpack it first")
    } else if starts(b"<svg") || starts(b"<?xml") {
        Some("this looks like SVG or XML text")
    } else {
        None
    }
}

fn bits_per_channel(color: ColorType) -> u8 {
    (color.bits_per_pixel() / u16::from(color.channel_count())) as u8
}

/// The way from an embedded ICC profile to sRGB, for the pixels as they were decoded.
enum SrgbTransform {
    Rgb8(Arc<dyn TransformExecutor<u8> + Send + Sync>),
    Rgb16(Arc<dyn TransformExecutor<u16> + Send + Sync>),
    Grey16(Arc<dyn TransformExecutor<u16> + Send + Sync>),
}

impl SrgbTransform {
    /// `None` where the profile is broken or of another colour space than the pixels (a CMYK JPEG is
    /// already RGB when it arrives here).
    fn new(icc: &[u8], color: ColorType) -> Option<Self> {
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
    fn rgba_from(&self, pixels: DynamicImage) -> Vec<u8> {
        let row_len = pixels.width() as usize * 4;
        match self {
            Self::Rgb8(transform) => {
                let mut rgba = pixels.into_rgba8().into_raw();
                let mut converted = vec![0; row_len];
                for row in rgba.chunks_exact_mut(row_len) {
                    // Fails only on lengths that do not match; the row then keeps its colours.
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
        // Fails only on lengths that do not match, and those are fixed above.
        if transform.transform(row, &mut converted).is_err() {
            converted.fill(0);
        }
        rgba.extend(converted.iter().map(|&v| ((u32::from(v) * 255 + 32_767) / 65_535) as u8));
    }
    rgba
}

/// Transparent pixels laid over one colour, blended in the display's encoding as browsers do. In place.
fn over_background(mut rgba: Vec<u8>, background: [u8; 3]) -> Vec<u8> {
    let pixels = rgba.len() / 4;
    for at in 0..pixels {
        let alpha = u32::from(rgba[at * 4 + 3]);
        for (channel, &behind) in background.iter().enumerate() {
            let mixed = u32::from(rgba[at * 4 + channel]) * alpha + u32::from(behind) * (255 - alpha);
            rgba[at * 3 + channel] = ((mixed + 127) / 255) as u8;
        }
    }
    rgba.truncate(pixels * 3);
    rgba
}
