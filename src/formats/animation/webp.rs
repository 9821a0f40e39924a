//! Animated WebP with lossless frames.
//!
//! The encoder gives still pictures; their bitstreams become the frames of the extended file format.
//!
//! Source: the WebP container specification (RFC 9649, 2.7): `RIFF`, length, `WEBP`, then chunks of a name, a length and
//! content of an even length: `VP8X` (what the file has, and its size), `ANIM` (background, number of plays), an `ANMF`
//! for each frame (place and size, duration, flags, bitstream), `EXIF`, `XMP `.

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};

use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::changed_rectangle::Rectangle;
use super::{AnimationError, AnimationFrame, AnimationSettings, Frames};
use crate::formats::metadata::a1111;
use crate::formats::picture::{exif_with_user_comment, xmp_packet};
use crate::request::Picture;

const ANIMATION_FLAG: u8 = 1 << 1;
const XMP_FLAG: u8 = 1 << 2;
const EXIF_FLAG: u8 = 1 << 3;
/// Flag of a frame whose pixels replace those below.
const REPLACES_FLAG: u8 = 1 << 1;
/// A still picture is `RIFF`, length, `WEBP` before its one chunk.
const STILL_HEAD: usize = 12;

pub(super) fn write(
    file: &mut BufWriter<&File>,
    settings: &AnimationSettings<'_>,
    frames: &mut Frames<'_>,
) -> Result<(), AnimationError> {
    let [width, height] = settings.size;
    let metadata = settings.facts.map(|facts| {
        let exif = exif_with_user_comment(&a1111::write(facts));
        (exif, xmp_packet(facts))
    });
    // The length follows at the end.
    file.write_all(b"RIFF\0\0\0\0WEBP")?;
    let flags = ANIMATION_FLAG | if metadata.is_some() { EXIF_FLAG | XMP_FLAG } else { 0 };
    let mut head = vec![flags, 0, 0, 0];
    head.extend(three_bytes(width - 1));
    head.extend(three_bytes(height - 1));
    chunk(file, *b"VP8X", &head)?;
    // The background, which no pixel shows, is black.
    let [low, high] = settings.plays.to_le_bytes();
    chunk(file, *b"ANIM", &[0, 0, 0, 255, low, high])?;
    let mut before: Option<Picture> = None;
    for frame in frames {
        let AnimationFrame { picture, millis } = frame?;
        let rectangle = before.as_ref().map_or_else(
            || Rectangle::whole(&picture),
            |before| Rectangle::changed(before, &picture).at_even_places(),
        );
        let mut content = Vec::new();
        for value in [rectangle.left / 2, rectangle.top / 2, rectangle.width - 1, rectangle.height - 1] {
            content.extend(three_bytes(value));
        }
        content.extend(three_bytes(millis as usize));
        content.push(REPLACES_FLAG);
        content.extend(bitstream(&rectangle, &picture)?);
        chunk(file, *b"ANMF", &content)?;
        before = Some(picture);
    }
    if let Some((exif, xmp)) = metadata {
        chunk(file, *b"EXIF", &exif)?;
        chunk(file, *b"XMP ", xmp.as_bytes())?;
    }
    let len = u32::try_from(file.stream_position()? - 8)
        .map_err(|_| encode_error(&"it would be larger than 4 GiB"))?;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&len.to_le_bytes())?;
    Ok(())
}

/// The chunk of the bitstream of a part of a picture, with its name and length.
fn bitstream(rectangle: &Rectangle, picture: &Picture) -> Result<Vec<u8>, AnimationError> {
    let mut still = Vec::new();
    let (width, height) = (rectangle.width as u32, rectangle.height as u32);
    WebPEncoder::new_lossless(&mut still)
        .write_image(&rectangle.cut(picture), width, height, ExtendedColorType::Rgb8)
        .map_err(|error| encode_error(&error))?;
    Ok(still.split_off(STILL_HEAD))
}

fn encode_error(reason: &impl ToString) -> AnimationError {
    AnimationError::Encode { format: "WebP", reason: reason.to_string() }
}

fn chunk(file: &mut BufWriter<&File>, name: [u8; 4], content: &[u8]) -> std::io::Result<()> {
    file.write_all(&name)?;
    file.write_all(&(content.len() as u32).to_le_bytes())?;
    file.write_all(content)?;
    file.write_all(&[0][..content.len() % 2])
}

fn three_bytes(value: usize) -> [u8; 3] {
    let [a, b, c, _] = (value as u32).to_le_bytes();
    [a, b, c]
}
