//! The texts in PNG, JPEG and WebP files, found without decoding pixels.

use std::io::Cursor;

use super::MAX_TEXT_LEN;
use super::exif::{comfyui_prompt, user_comment};

/// All text chunks of a PNG together, as they stand in the file; more is left out.
const MAX_CHUNKS_LEN: usize = 4 * MAX_TEXT_LEN;

/// The embedded texts with their keywords: PNG's text chunks as they are named, the EXIF comment as
/// `UserComment`, ComfyUI's graph in EXIF as `prompt`. Texts longer than [`MAX_TEXT_LEN`] are left out.
pub fn embedded_texts(bytes: &[u8]) -> Vec<(String, String)> {
    let mut texts = if let Some(chunks) = bytes.strip_prefix(PNG_SIGNATURE) {
        png_texts(chunks)
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        jpeg_exif(bytes).map(exif_texts).unwrap_or_default()
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        webp_chunk(bytes, *b"EXIF").map(exif_texts).unwrap_or_default()
    } else {
        Vec::new()
    };
    texts.retain(|(_, text)| text.len() <= MAX_TEXT_LEN);
    texts
}

/// The texts of an EXIF block: the comment, and ComfyUI's graph under the name it has in PNGs.
fn exif_texts(exif: &[u8]) -> Vec<(String, String)> {
    let named = |name: &str, text: Option<String>| Some((name.to_owned(), text?));
    [named("prompt", comfyui_prompt(exif)), named("UserComment", user_comment(exif))]
        .into_iter()
        .flatten()
        .collect()
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The text chunks of a PNG, before or after the pixels, and its EXIF comment.
///
/// The chunks are copied into a picture of one pixel, which the decoder then reads: a broken or huge
/// picture does not hide its text, and the decoder's memory has a limit that no header can raise.
fn png_texts(chunks: &[u8]) -> Vec<(String, String)> {
    let mut one_pixel = PNG_SIGNATURE.to_vec();
    let mut push = |name: &[u8], content: &[u8]| {
        one_pixel.extend((content.len() as u32).to_be_bytes());
        one_pixel.extend(name);
        one_pixel.extend(content);
        one_pixel.extend([0; 4]); // checksums are not looked at
    };
    push(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    let mut exif = None;
    let (mut rest, mut taken) = (chunks, 0);
    while let Some((len, name, after)) = chunk_header(rest) {
        let Some((content, after)) = after.split_at_checked(len) else { break };
        if matches!(name, b"tEXt" | b"zTXt" | b"iTXt") && taken + len <= MAX_CHUNKS_LEN {
            push(name, content);
            taken += len;
        } else if name == b"eXIf" {
            exif = Some(content);
        }
        rest = after.get(4..).unwrap_or_default();
    }
    push(b"IDAT", &[]);

    let mut options = png::DecodeOptions::default();
    options.set_ignore_checksums(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(one_pixel), options);
    decoder.set_limits(png::Limits { bytes: 2 * MAX_CHUNKS_LEN });
    let mut texts = Vec::new();
    if let Ok(reader) = decoder.read_info() {
        let info = reader.info();
        texts.extend(info.uncompressed_latin1_text.iter().map(|c| (c.keyword.clone(), c.text.clone())));
        for chunk in &info.utf8_text {
            let mut chunk = chunk.clone();
            if chunk.decompress_text_with_limit(MAX_TEXT_LEN).is_ok() {
                texts.extend(chunk.get_text().ok().map(|text| (chunk.keyword.clone(), text)));
            }
        }
        for chunk in &info.compressed_latin1_text {
            let mut chunk = chunk.clone();
            if chunk.decompress_text_with_limit(MAX_TEXT_LEN).is_ok() {
                texts.extend(chunk.get_text().ok().map(|text| (chunk.keyword.clone(), text)));
            }
        }
    }
    texts.extend(exif.map(exif_texts).unwrap_or_default());
    texts
}

/// Length, name and rest of a PNG chunk.
fn chunk_header(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(8)?;
    Some((u32::from_be_bytes(header[..4].try_into().ok()?) as usize, &header[4..], rest))
}

/// The EXIF block of a JPEG: the first APP1 segment of that name before the pixels.
fn jpeg_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(2..)?;
    loop {
        let marker = match rest {
            // Fill bytes may stand before a marker.
            [0xff, 0xff, ..] => {
                rest = &rest[1..];
                continue;
            }
            [0xff, marker, ..] => *marker,
            _ => return None,
        };
        // Start of scan and end of image: no more segments.
        if matches!(marker, 0xda | 0xd9) {
            return None;
        }
        let len = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        let segment = rest.get(4..2 + len)?;
        if marker == 0xe1 && segment.starts_with(b"Exif\0\0") {
            return Some(segment);
        }
        rest = &rest[2 + len..];
    }
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
