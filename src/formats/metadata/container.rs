//! Finds the texts in PNG, JPEG and WebP files without decoding pixels.

use std::io::Cursor;

use super::exif::{comfyui_prompt, image_description, plain_text, user_comment};
use super::xmp::{self, EXTENSION_SEGMENT, IDENTITY_LEN, XMP_SEGMENT};
use crate::formats::png_chunks;

/// The longest embedded text that is read, bytes. Longer ones are not settings.
pub const MAX_TEXT_LEN: usize = 1 << 20;
/// Keywords of the texts that may hold settings, in order of precedence: AUTOMATIC1111's and ComfyUI's, InvokeAI's
/// since version 3 and before, NovelAI's, comments and descriptions of EXIF and XMP, and the graph of ComfyUI's editor.
/// Case is ignored, since programs that copy texts change it.
pub(super) const READ_KEYWORDS: [&str; 8] = [
    "parameters",
    "prompt",
    "invokeai_metadata",
    "sd-metadata",
    "Comment",
    "UserComment",
    "Description",
    "workflow",
];
/// Limit of all text chunks of a PNG together, compressed and decompressed, bytes; further chunks are ignored.
const MAX_CHUNKS_LEN: usize = 4 * MAX_TEXT_LEN;
/// The keyword of XMP in a PNG.
const XMP_KEYWORD: &str = "XML:com.adobe.xmp";

/// The embedded texts with their keywords: text chunks of a PNG under their own names, comments of a JPEG as `Comment`
/// or by the keyword in them, comments of EXIF and XMP as `UserComment`, their descriptions as `Description`, and
/// ComfyUI's graph in EXIF as `prompt`.
///
/// Texts longer than [`MAX_TEXT_LEN`] are left out, and compressed texts under keywords that are not read.
pub fn embedded_texts(bytes: &[u8]) -> Vec<(String, String)> {
    let mut texts = if bytes.starts_with(png_chunks::SIGNATURE) {
        png_texts(bytes)
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        jpeg_texts(bytes)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        let exif = webp_chunk(bytes, *b"EXIF").map(exif_texts).unwrap_or_default();
        let xmp = webp_chunk(bytes, *b"XMP ").map(xmp_texts).unwrap_or_default();
        exif.into_iter().chain(xmp).collect()
    } else {
        Vec::new()
    };
    texts.retain(|(_, text)| text.len() <= MAX_TEXT_LEN);
    texts
}

/// The texts of an EXIF block: comment, description, and ComfyUI's graph under the keyword it has in PNGs.
fn exif_texts(exif: &[u8]) -> Vec<(String, String)> {
    let named = |name: &str, text: Option<String>| Some((name.to_owned(), text?));
    [
        named("prompt", comfyui_prompt(exif)),
        named("UserComment", user_comment(exif)),
        named("Description", image_description(exif)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The comment and the description of an XMP packet.
fn xmp_texts(packet: &[u8]) -> Vec<(String, String)> {
    let packet = String::from_utf8_lossy(&packet[..packet.len().min(MAX_CHUNKS_LEN)]);
    let named = |name: &str, text: Option<String>| Some((name.to_owned(), text?));
    [named("UserComment", xmp::user_comment(&packet)), named("Description", xmp::description(&packet))]
        .into_iter()
        .flatten()
        .collect()
}

/// Decodes a text again whose bytes were read as Latin-1 but are UTF-8, which stable-diffusion.cpp and others write
/// undeclared. Latin-1 text with bytes above 127 is almost never valid UTF-8.
fn utf8_in_latin1(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let bytes = bytes.filter(|bytes| !bytes.is_ascii())?;
    String::from_utf8(bytes).ok()
}

/// Whether a text can be written as Latin-1 without being read as UTF-8.
pub(in crate::formats) fn is_unambiguous_latin1(text: &str) -> bool {
    text.chars().all(|c| u32::from(c) < 256) && utf8_in_latin1(text).is_none()
}

/// The text chunks of a PNG, before or after the pixels, and its EXIF comment.
///
/// The chunks are copied into a picture of one pixel, which the decoder then reads. The texts of a broken or huge
/// picture remain readable, and the memory of the decoder has a limit that no header can raise.
fn png_texts(file: &[u8]) -> Vec<(String, String)> {
    let (mut texts, mut exif, mut taken) = (Vec::new(), None, 0);
    for chunk in png_chunks::chunks(file) {
        if matches!(&chunk.name, b"tEXt" | b"zTXt" | b"iTXt") && taken + chunk.content.len() <= MAX_CHUNKS_LEN
        {
            texts.push((chunk.name, chunk.content));
            taken += chunk.content.len();
        } else if &chunk.name == b"eXIf" {
            exif = Some(chunk.content);
        }
    }
    let one_pixel = png_chunks::one_pixel_with(texts.into_iter());
    let mut options = png::DecodeOptions::default();
    options.set_ignore_checksums(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(one_pixel), options);
    decoder.set_limits(png::Limits { bytes: 2 * MAX_CHUNKS_LEN });
    let mut texts = Vec::new();
    if let Ok(reader) = decoder.read_info() {
        let info = reader.info();
        texts.extend(info.uncompressed_latin1_text.iter().map(|c| (c.keyword.clone(), c.text.clone())));
        let mut left = MAX_CHUNKS_LEN;
        for chunk in &info.compressed_latin1_text {
            let mut chunk = chunk.clone();
            if is_read(&chunk.keyword)
                && decompress(&mut left, |limit| chunk.decompress_text_with_limit(limit).is_ok())
            {
                texts.extend(chunk.get_text().ok().map(|text| (chunk.keyword.clone(), text)));
            }
        }
        for (_, text) in &mut texts {
            if let Some(utf8) = utf8_in_latin1(text) {
                *text = utf8;
            }
        }
        for chunk in &info.utf8_text {
            let mut chunk = chunk.clone();
            if is_read(&chunk.keyword)
                && decompress(&mut left, |limit| chunk.decompress_text_with_limit(limit).is_ok())
            {
                texts.extend(chunk.get_text().ok().map(|text| (chunk.keyword.clone(), text)));
            }
        }
    }
    let packets: Vec<_> = texts
        .iter()
        .filter(|(key, _)| key == XMP_KEYWORD)
        .flat_map(|(_, packet)| xmp_texts(packet.as_bytes()))
        .collect();
    texts.extend(packets);
    texts.extend(exif.map(exif_texts).unwrap_or_default());
    texts
}

fn is_read(keyword: &str) -> bool {
    READ_KEYWORDS.iter().any(|read| read.eq_ignore_ascii_case(keyword)) || keyword == XMP_KEYWORD
}

/// Decompresses one more text within the common limit. A text that is too long uses up its whole allowance.
fn decompress(left: &mut usize, decompress: impl FnOnce(usize) -> bool) -> bool {
    let limit = MAX_TEXT_LEN.min(*left);
    *left -= limit;
    limit > 0 && decompress(limit)
}

/// The marker and content of each segment of a JPEG before its pixels.
fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        // A marker may be preceded by fill bytes.
        while let [0xff, 0xff, ..] = rest {
            rest = &rest[1..];
        }
        let [0xff, marker, high, low, ..] = *rest else { return None };
        // Start of scan and end of image: no more segments.
        if matches!(marker, 0xda | 0xd9) {
            return None;
        }
        let end = 2 + usize::from(u16::from_be_bytes([high, low]));
        let content = rest.get(4..end)?;
        rest = &rest[end..];
        Some((marker, content))
    })
}

/// The texts of a JPEG's EXIF block, its XMP packet, the packet's extension and its comments.
fn jpeg_texts(bytes: &[u8]) -> Vec<(String, String)> {
    let (mut texts, mut has_exif, mut extension) = (Vec::new(), false, Vec::new());
    for (marker, content) in jpeg_segments(bytes) {
        if marker == 0xe1 && content.starts_with(b"Exif\0\0") && !has_exif {
            has_exif = true;
            texts.extend(exif_texts(content));
        } else if marker == 0xe1
            && let Some(packet) = content.strip_prefix(XMP_SEGMENT)
        {
            texts.extend(xmp_texts(packet));
        } else if marker == 0xe1
            && let Some(part) = content.strip_prefix(EXTENSION_SEGMENT)
        {
            // The identity is followed by the length of the whole packet and the offset of this part.
            if let Some((header, part)) = part.split_at_checked(IDENTITY_LEN + 8)
                && let Ok(place) = header[IDENTITY_LEN + 4..].try_into()
            {
                extension.push((u32::from_be_bytes(place), part));
            }
        } else if marker == 0xfe {
            let text = plain_text(content);
            // stable-diffusion.cpp writes a keyword, NUL and the text, as in a PNG.
            let (keyword, text) = match text.split_once('\0') {
                Some((keyword, text)) if READ_KEYWORDS.contains(&keyword) => (keyword, text),
                _ => ("Comment", text.as_str()),
            };
            texts.push((keyword.to_owned(), text.trim_matches('\0').to_owned()));
        }
    }
    extension.sort_by_key(|&(place, _)| place);
    let mut packet = Vec::new();
    for (place, part) in extension {
        if place as usize == packet.len() && packet.len() + part.len() <= MAX_CHUNKS_LEN {
            packet.extend(part);
        }
    }
    texts.extend(xmp_texts(&packet));
    texts
}

/// The content of the first chunk of this name in a WebP file, if it is complete.
pub(in crate::formats) fn webp_chunk(bytes: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let mut rest = bytes.get(12..)?;
    loop {
        let (header, after) = rest.split_at_checked(8)?;
        let len = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
        let content = after.get(..len)?;
        if header[..4] == name {
            return Some(content);
        }
        rest = after.get(len + len % 2..)?;
    }
}
