//! Picture files → [`Picture`]: 8-bit sRGB, upright, without transparency.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::profile::{EmbeddedProfile, SrgbTransform, bits_per_channel};
use super::structure::Structure;
use crate::content::Content;
use crate::formats::input::{MAX_INPUT_BYTES, ReadFileError, Sources, read_bytes};
use crate::formats::metadata::{GenerationFacts, facts_from_bytes, lists_fit, webp_chunk};
use crate::formats::png_chunks;
use crate::reason::{Reason, ReasonKind};
use crate::request::Picture;

/// Options and limits for reading a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The colour behind transparent pixels, sRGB.
    pub background: [u8; 3],
    /// The largest number of pixels; a file that claims more is not decoded.
    pub max_pixels: u64,
    /// The largest file, bytes; a larger one is not read.
    pub max_file_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        // 8192 × 8192 pixels take 256 MiB while they are decoded.
        Self { background: [255; 3], max_pixels: 8192 * 8192, max_file_bytes: MAX_INPUT_BYTES }
    }
}

/// A picture and what its file contains beside the pixels.
#[derive(Clone, Debug)]
pub struct ReadPicture {
    /// The pixels.
    pub picture: Picture,
    /// The name of the file's format, such as "PNG".
    pub format: &'static str,
    /// Bits per colour value in the file.
    pub bits_per_channel: u8,
    /// Whether the file has transparency; its pixels are blended with the background.
    pub had_transparency: bool,
    /// Whether colours were converted from an embedded profile.
    pub converted_profile: bool,
    /// The settings it was generated with, if the file contains them.
    pub facts: Option<GenerationFacts>,
    /// The parts of the file that were ignored.
    pub remarks: Vec<PictureRemark>,
}

/// A part of a picture file that was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureRemark {
    /// The file has this number of frames or pages, and only the first is read.
    FirstOfFrames(usize),
    /// Its colour profile cannot be used, so its colours are taken for sRGB.
    ProfileIgnored,
}

impl std::fmt::Display for PictureRemark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FirstOfFrames(frames) => write!(f, "only the first of {frames} frames is read"),
            Self::ProfileIgnored => f.write_str(
                "the colour profile is damaged or too large and is ignored: colours are taken for sRGB",
            ),
        }
    }
}

/// Why a picture could not be read. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    File(#[from] ReadFileError),
    /// It is empty.
    #[error("the picture file is empty: it may not have been copied or downloaded completely")]
    Empty,
    /// It is not a picture of a supported format.
    #[error("this is not a picture of a known format but {found}: use PNG, JPEG, WebP, BMP, TIFF or GIF")]
    UnknownFormat {
        /// What it is, with advice.
        found: Content,
    },
    /// It is truncated.
    #[error("the {format} file is cut off: it ends {place} (copy or download it again)")]
    Truncated {
        /// The file's format.
        format: &'static str,
        /// Where it ends, as a part of a sentence.
        place: String,
    },
    /// It is larger than the limit.
    #[error("the file has {bytes} bytes, more than the limit of {limit}: make it smaller first")]
    TooManyBytes {
        /// Its size, bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It has more pixels than the limit.
    #[error("the picture has {width}×{height} pixels, more than the limit of {limit}: scale it down first")]
    TooManyPixels {
        /// Width, pixels.
        width: u32,
        /// Height, pixels.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// It is damaged, or of a kind that the decoder does not support.
    #[error(
        "the {format} file is damaged or of an unsupported kind: {reason} (open it in an image editor and save it again)"
    )]
    Damaged {
        /// The file's format.
        format: &'static str,
        /// The decoder's error, in plain words.
        reason: String,
    },
}

/// Reads a picture file of any supported format, recognised by content and not by name. A pipe is read once to its end.
///
/// # Errors
/// [`PictureError`] with the reason and what to try.
pub fn read_picture(path: &Path, options: &ReadOptions) -> Result<ReadPicture, PictureError> {
    picture_from_bytes(&read_bytes(path, options.max_file_bytes, Sources::Any)?, options)
}

/// Reads a picture from the bytes of a file.
///
/// # Errors
/// [`PictureError`] with the reason and what to try.
pub fn picture_from_bytes(bytes: &[u8], options: &ReadOptions) -> Result<ReadPicture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    if bytes.len() as u64 > options.max_file_bytes {
        return Err(PictureError::TooManyBytes { bytes: bytes.len() as u64, limit: options.max_file_bytes });
    }
    let Some((kind, format)) = image::guess_format(bytes).ok().and_then(|f| Some((f, format_name(f)?)))
    else {
        return Err(PictureError::UnknownFormat { found: Content::of(bytes) });
    };
    let check_pixels = |width: u32, height: u32| {
        if u64::from(width) * u64::from(height) > options.max_pixels {
            return Err(PictureError::TooManyPixels { width, height, limit: options.max_pixels });
        }
        Ok(())
    };

    if kind == ImageFormat::Tiff && lists_fit(bytes) != Some(true) {
        let place = "before the lists that say where its pixels are".to_owned();
        return Err(PictureError::Truncated { format, place });
    }
    let structure = Structure::of(kind, bytes);
    let refused = |error: image::ImageError| match (&structure.cut, error) {
        (Some(place), _) => PictureError::Truncated { format, place: place.clone() },
        (None, image::ImageError::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated { format, place: "before its pixels do".to_owned() }
        }
        (None, error) => PictureError::Damaged { format, reason: decoders_words(&error) },
    };
    if let Some((width, height)) = structure.part {
        check_pixels(width, height)?;
    }
    let pixels_only =
        if kind == ImageFormat::Png { Cow::Owned(png_pixels(bytes)) } else { Cow::Borrowed(bytes) };
    let mut reader = ImageReader::with_format(Cursor::new(&*pixels_only), kind);
    let mut limits = Limits::default();
    // Up to 16 bytes per pixel (f32 RGBA), and the same again for the buffers of the decoder.
    limits.max_alloc = Some(options.max_pixels.saturating_mul(16).max(1 << 20));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    check_pixels(width, height)?;
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged { format, reason: "it has no pixels".to_owned() });
    }
    if let Some(place) = structure.cut.clone() {
        return Err(PictureError::Truncated { format, place });
    }
    // A damaged orientation does not make the pixels unreadable.
    let orientation = if kind == ImageFormat::WebP {
        // The decoder would allocate what a chunk claims before it reads.
        let exif = webp_chunk(bytes, *b"EXIF");
        let exif = exif.map(|block| block.strip_prefix(b"Exif\0\0").unwrap_or(block));
        exif.and_then(Orientation::from_exif_chunk)
    } else {
        decoder.orientation().ok()
    };
    let profile = EmbeddedProfile::of(kind, bytes, &mut decoder);
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(refused)?;
    drop(pixels_only);
    if let Some(orientation) = orientation {
        pixels.apply_orientation(orientation);
    }
    let mut remarks = Vec::new();
    if structure.frames > 1 {
        remarks.push(PictureRemark::FirstOfFrames(structure.frames));
    }
    let transform = match profile {
        EmbeddedProfile::None => None,
        EmbeddedProfile::Some(icc) => SrgbTransform::new(&icc, color),
        EmbeddedProfile::Unusable => {
            remarks.push(PictureRemark::ProfileIgnored);
            None
        }
    };
    let converted_profile = transform.is_some();
    let rgb = match transform {
        Some(transform) => over_background(transform.rgba_from(pixels), options.background),
        None if color.has_alpha() => over_background(pixels.into_rgba8().into_raw(), options.background),
        None => pixels.into_rgb8().into_raw(),
    };
    // A rotation by a quarter swaps width and height.
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
        // Unreadable settings are ignored: the picture is what matters.
        facts: facts_from_bytes(bytes),
        remarks,
    })
}

/// The error of a decoder without the names of its internal types.
fn decoders_words(error: &image::ImageError) -> String {
    // The outer message only repeats the format.
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    let words = source.to_string();
    if words.contains("CRC error") {
        return "its checksum does not match its content".to_owned();
    }
    // Internal types of a decoder are printed with braces.
    words.split([':', '{']).next().filter(|_| words.contains('{')).unwrap_or(&words).trim().to_owned()
}

/// A PNG without its texts and its profile, which are read separately: they are compressed, and the decoder would
/// decompress all of them.
fn png_pixels(bytes: &[u8]) -> Vec<u8> {
    let mut file = png_chunks::SIGNATURE.to_vec();
    let kept =
        png_chunks::chunks(bytes).filter(|c| !matches!(&c.name, b"tEXt" | b"zTXt" | b"iTXt" | b"iCCP"));
    kept.for_each(|chunk| file.extend(chunk.whole));
    file
}

/// The name of a supported format.
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

/// Blends transparent pixels with one colour in place, in display encoding as browsers do.
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

impl From<&PictureError> for Reason {
    fn from(error: &PictureError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            PictureError::File(error) => error.into(),
            PictureError::Empty => new(Kind::PictureEmpty),
            PictureError::UnknownFormat { found } => new(Kind::PictureUnknown).because(found),
            PictureError::Truncated { format, .. } => new(Kind::PictureTruncated).with([format as _]),
            PictureError::TooManyBytes { bytes, limit } => {
                new(Kind::PictureTooManyBytes).with([bytes as _, limit as _])
            }
            PictureError::TooManyPixels { width, height, limit } => {
                new(Kind::PictureTooManyPixels).with([width as _, height as _, limit as _])
            }
            PictureError::Damaged { format, reason } => {
                new(Kind::PictureDamaged).with([format as _, reason as _])
            }
        }
    }
}
