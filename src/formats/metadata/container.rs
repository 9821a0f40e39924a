//! The texts in PNG, JPEG and WebP files, found without decoding pixels.

use std::io::Cursor;

use super::exif::{comfyui_prompt, image_description, plain_text, user_comment};
use super::xmp::{self, EXTENSION_SEGMENT, IDENTITY_LEN, XMP_SEGMENT};
use crate::formats::png_chunks;

/// The longest embedded text that is looked at, bytes. Longer ones are not settings.
pub const MAX_TEXT_LEN: usize = 1 << 20;
/// Under which texts are looked for, in this order: AUTOMATIC1111's and ComfyUI's, InvokeAI's since version 3 and
/// before, NovelAI's, the comments and descriptions of EXIF and XMP, and ComfyUI's graph as its editor keeps it.
/// Programs that copy texts do not keep to their capitals.
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
/// All text chunks of a PNG together, as they stand in the file and unpacked; more is left out.
const MAX_CHUNKS_LEN: usize = 4 * MAX_TEXT_LEN;
/// The keyword of XMP in a PNG.
const XMP_KEYWORD: &str = "XML:com.adobe.xmp";

/// The embedded texts with their keywords: PNG's text chunks as they are named, a JPEG's comments as `Comment` or
/// by the keyword in them, the comments of EXIF and XMP as `UserComment` and their descriptions as `Description`,
/// ComfyUI's graph in EXIF as `prompt`.
/// Texts longer than [`MAX_TEXT_LEN`] are left out, and packed ones of other keywords than are read.
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

/// The texts of an EXIF block: the comment, and ComfyUI's graph under the name it has in PNGs.
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

/// A text whose bytes were taken for Latin-1. Bytes above 127 that are UTF-8 are hardly ever anything else:
/// stable-diffusion.cpp and others write it without saying so.
fn utf8_in_latin1(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let bytes = bytes.filter(|bytes| !bytes.is_ascii())?;
    String::from_utf8(bytes).ok()
}

/// Whether a text can stand where Latin-1 is expected without being taken for UTF-8.
pub(in crate::formats) fn is_plainly_latin1(text: &str) -> bool {
    text.chars().all(|c| u32::from(c) < 256) && utf8_in_latin1(text).is_none()
}

/// The text chunks of a PNG, before or after the pixels, and its EXIF comment.
///
/// The chunks are copied into a picture of one pixel, which the decoder then reads: a broken or huge
/// picture does not hide its text, and the decoder's memory has a limit that no header can raise.
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
                && unpack(&mut left, |limit| chunk.decompress_text_with_limit(limit).is_ok())
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
                && unpack(&mut left, |limit| chunk.decompress_text_with_limit(limit).is_ok())
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

/// Unpacks one more text within what all together may take; one that is too long uses up all that it was allowed.
fn unpack(left: &mut usize, unpack: impl FnOnce(usize) -> bool) -> bool {
    let limit = MAX_TEXT_LEN.min(*left);
    *left -= limit;
    limit > 0 && unpack(limit)
}

/// The marker and content of each segment of a JPEG before its pixels.
fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        // Fill bytes may stand before a marker.
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
            // Behind the identity: the whole packet's length and this part's place in it.
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

/// The content of a WebP's first chunk of this name, if it is whole.
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
