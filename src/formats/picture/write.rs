//! [`Picture`] → picture files, with or without their settings.

use std::io::Write;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::embed::{CREATOR_TOOL, exif_with_user_comment, jpeg_with, webp_with, xmp_packet};
use crate::formats::atomic::{WriteFileError, write_atomically};
use crate::formats::metadata::{GenerationFacts, a1111, is_unambiguous_latin1};
use crate::reason::{Reason, ReasonKind};
use crate::request::Picture;

/// A format for writing pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PictureFormat {
    /// Lossless.
    #[default]
    Png,
    /// Lossy.
    Jpeg,
    /// Written lossless.
    Webp,
}

impl PictureFormat {
    /// Every format, in the order a chooser shows them.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Webp];

    /// The name shown to users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Webp => "WebP",
        }
    }

    /// File name extensions, the usual one first.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Webp => &["webp"],
        }
    }

    /// The format of a file name's extension, and the path. A name without an extension gets `.png`.
    ///
    /// A pipe or a device without an extension, such as `/dev/null`, keeps its name and gets PNG.
    ///
    /// # Errors
    /// [`WritePictureError::UnknownExtension`].
    pub fn of_path(path: &Path) -> Result<(Self, PathBuf), WritePictureError> {
        if path.extension().is_none() && std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            return Ok((Self::Png, path.to_owned()));
        }
        let Some(extension) = path.extension().map(|e| e.to_string_lossy().to_lowercase()) else {
            let mut with_extension = path.as_os_str().to_owned();
            with_extension.push(".png");
            return Ok((Self::Png, with_extension.into()));
        };
        let format = Self::ALL.into_iter().find(|f| f.extensions().contains(&extension.as_str()));
        format
            .map(|f| (f, path.to_owned()))
            .ok_or(WritePictureError::UnknownExtension { extension, path: path.to_owned() })
    }
}

/// Options for writing a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// JPEG quality, 1..=100.
    pub jpeg_quality: u8,
    /// Whether the settings are written into the file.
    pub metadata: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { jpeg_quality: 92, metadata: true }
    }
}

/// Why a picture could not be written. An older file of the same name is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum WritePictureError {
    /// The extension is not that of a supported format.
    #[error("cannot write pictures as ‘.{extension}’: use .png, .jpg or .webp: {}", path.display())]
    UnknownExtension {
        /// The extension, lower case.
        extension: String,
        /// The path as it was given.
        path: PathBuf,
    },
    /// The encoder does not support the picture, such as an edge of more than 16 384 pixels in WebP.
    #[error("could not encode the picture as {format}: {reason} (try PNG)")]
    Encode {
        /// The format.
        format: &'static str,
        /// The encoder's error.
        reason: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] WriteFileError),
}

/// Writes a picture in the format of its extension, completely or not at all. Returns the path written, with `.png`
/// added if it had no extension.
///
/// With `facts` and [`WriteOptions::metadata`]: AUTOMATIC1111's text and XMP with IPTC's source type.
///
/// # Errors
/// [`WritePictureError`] with the path.
pub fn write_picture(
    path: &Path,
    picture: &Picture,
    facts: Option<&GenerationFacts>,
    options: &WriteOptions,
) -> Result<PathBuf, WritePictureError> {
    let (format, path) = PictureFormat::of_path(path)?;
    let bytes = encode_picture(picture, format, facts, options)?;
    write_atomically(&path, |file| file.write_all(&bytes))?;
    Ok(path)
}

/// A picture as the bytes of a file.
///
/// # Errors
/// [`WritePictureError::Encode`] if the format does not support the picture.
pub fn encode_picture(
    picture: &Picture,
    format: PictureFormat,
    facts: Option<&GenerationFacts>,
    options: &WriteOptions,
) -> Result<Vec<u8>, WritePictureError> {
    let facts = facts.filter(|_| options.metadata);
    let failed = |reason: String| WritePictureError::Encode { format: format.name(), reason };
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let mut bytes = Vec::new();
    match format {
        PictureFormat::Png => {
            encode_png(&mut bytes, picture, facts).map_err(|e| failed(e.to_string()))?;
            return Ok(bytes);
        }
        PictureFormat::Jpeg => JpegEncoder::new_with_quality(&mut bytes, options.jpeg_quality.clamp(1, 100))
            .write_image(picture.rgb(), width, height, ExtendedColorType::Rgb8),
        PictureFormat::Webp => WebPEncoder::new_lossless(&mut bytes).write_image(
            picture.rgb(),
            width,
            height,
            ExtendedColorType::Rgb8,
        ),
    }
    .map_err(|e| failed(e.to_string()))?;
    let Some(facts) = facts else { return Ok(bytes) };
    let text = a1111::write(facts);
    if format == PictureFormat::Jpeg {
        return Ok(jpeg_with(&bytes, &text, facts));
    }
    let (exif, xmp) = (exif_with_user_comment(&text), xmp_packet(facts));
    Ok(webp_with(&bytes, picture.width(), picture.height(), &exif, &xmp))
}

/// PNG with its text chunks before the pixels, where readers that stop early still find them.
fn encode_png(
    bytes: &mut Vec<u8>,
    picture: &Picture,
    facts: Option<&GenerationFacts>,
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(bytes, picture.width() as u32, picture.height() as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if let Some(facts) = facts {
        add_png_facts(&mut encoder, facts)?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture.rgb())?;
    writer.finish()
}

/// Adds the text chunks of the settings, which come before the pixels.
pub(in crate::formats) fn add_png_facts<W: Write>(
    encoder: &mut png::Encoder<'_, W>,
    facts: &GenerationFacts,
) -> Result<(), png::EncodingError> {
    // Pillow's rule, which AUTOMATIC1111's pictures follow: tEXt if the text is Latin-1, else iTXt.
    let (keyword, text) = ("parameters".to_owned(), a1111::write(facts));
    // Latin-1 that readers would take for UTF-8 is written as UTF-8.
    if is_unambiguous_latin1(&text) {
        encoder.add_text_chunk(keyword, text)?;
    } else {
        encoder.add_itxt_chunk(keyword, text)?;
    }
    encoder.add_text_chunk("Software".to_owned(), CREATOR_TOOL.to_owned())?;
    encoder.add_itxt_chunk("XML:com.adobe.xmp".to_owned(), xmp_packet(facts))
}

impl From<&WritePictureError> for Reason {
    fn from(error: &WritePictureError) -> Self {
        use ReasonKind as Kind;
        match error {
            WritePictureError::UnknownExtension { extension, path } => {
                Self::new(Kind::UnknownExtension, error).with([extension as _]).at(path)
            }
            WritePictureError::Encode { format, reason } => {
                Self::new(Kind::EncodeFailed, error).with([format as _, reason as _])
            }
            WritePictureError::File(error) => error.into(),
        }
    }
}
