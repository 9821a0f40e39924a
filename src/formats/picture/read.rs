//! Picture files → [`Picture`]: 8-bit sRGB, upright, without transparency.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::profile::{EmbeddedProfile, SrgbTransform, bits_per_channel};
use super::whole::Structure;
use crate::content::Content;
use crate::formats::input::{MAX_INPUT_BYTES, ReadFileError, Sources, read_bytes};
use crate::formats::metadata::{GenerationFacts, facts_from_bytes, lists_fit, webp_chunk};
use crate::formats::png_chunks;
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
        Self { background: [255; 3], max_pixels: 8192 * 8192, max_file_bytes: MAX_INPUT_BYTES }
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
    /// What of the file is not in the pixels.
    pub remarks: Vec<PictureRemark>,
}

/// What of a picture file was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureRemark {
    /// The file has this number of frames or pages, and only the first is read.
    FirstOfFrames(usize),
    /// Its colour profile cannot be used, so that its colours are taken for sRGB.
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

/// A picture that could not be read. Each says why and what to try.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    File(#[from] ReadFileError),
    /// Nothing in it.
    #[error("the picture file is empty: it may not have been copied or downloaded completely")]
    Empty,
    /// Something else.
    #[error("this is not a picture of a known format but {found}: use PNG, JPEG, WebP, BMP, TIFF or GIF")]
    UnknownFormat {
        /// What it is, and what to do.
        found: Content,
    },
    /// The end is missing.
    #[error("the {format} file is cut off: it ends {place} (copy or download it again)")]
    Truncated {
        /// The file's format.
        format: &'static str,
        /// Where it ends, as a part of a sentence.
        place: String,
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

/// Reads a picture file of any supported format; its content counts, not its name. A pipe is read once to its end.
pub fn read_picture(path: &Path, options: &ReadOptions) -> Result<ReadPicture, PictureError> {
    picture_from_bytes(&read_bytes(path, options.max_file_bytes, Sources::Any)?, options)
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
    // The pixels at up to 16 bytes each (f32 RGBA), and as much again for a decoder's own buffers.
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
    // A broken orientation does not make the pixels unreadable.
    let orientation = if kind == ImageFormat::WebP {
        // The decoder would make room for what a chunk claims before it looks.
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
        remarks,
    })
}

/// What a decoder says, without how it names things inside.
fn decoders_words(error: &image::ImageError) -> String {
    // The outer sentence says again which format it is.
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    let words = source.to_string();
    if words.contains("CRC error") {
        return "its checksum does not fit its content".to_owned();
    }
    // Values of a decoder's own types are printed with braces.
    words.split([':', '{']).next().filter(|_| words.contains('{')).unwrap_or(&words).trim().to_owned()
}

/// A PNG without its texts and its profile, which are read apart: they are packed, and the decoder would unpack
/// each before it knows what it is for.
fn png_pixels(bytes: &[u8]) -> Vec<u8> {
    let mut file = png_chunks::SIGNATURE.to_vec();
    let kept =
        png_chunks::chunks(bytes).filter(|c| !matches!(&c.name, b"tEXt" | b"zTXt" | b"iTXt" | b"iCCP"));
    kept.for_each(|chunk| file.extend(chunk.whole));
    file
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
