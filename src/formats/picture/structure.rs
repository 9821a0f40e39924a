//! Checks the structure of a picture file before it is decoded: whether the file is complete, which sizes its parts
//! claim, and how many frames it has.
//!
//! Decoders accept a truncated file and fill the rest with grey, and some allocate what a part claims before they check
//! that the bytes exist.

use image::ImageFormat;

use crate::formats::metadata::tiff_parts;
use crate::formats::png_chunks;

/// The structure of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// Where the file is cut off, as a part of a sentence; `None` if it may be complete.
    pub(super) cut: Option<String>,
    /// The largest size that a part of the picture claims, in addition to the picture's own.
    pub(super) part: Option<(u32, u32)>,
    /// Frames or pages.
    pub(super) frames: usize,
}

impl Structure {
    pub(super) fn of(kind: ImageFormat, bytes: &[u8]) -> Self {
        match kind {
            ImageFormat::Png => png(bytes),
            ImageFormat::Jpeg => jpeg(bytes),
            ImageFormat::WebP => webp(bytes),
            ImageFormat::Gif => gif(bytes).unwrap_or_else(|| Self::cut("within its first frame")),
            ImageFormat::Bmp => bmp(bytes),
            ImageFormat::Tiff => tiff(bytes),
            _ => Self::default(),
        }
    }

    fn cut(why: impl Into<String>) -> Self {
        Self { cut: Some(why.into()), ..Self::default() }
    }
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The largest compression ratio of deflate: 258 bytes from two bits.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// PNG: the compressed bytes must be enough for the pixels.
fn png(bytes: &[u8]) -> Structure {
    let (mut packed, mut frames, mut needed) = (0u64, 1, 0);
    for chunk in png_chunks::chunks(bytes) {
        match &chunk.name {
            b"IHDR" => {
                let edge = |at| be32(chunk.content, at).map_or(0, u64::from);
                let bits = chunk.content.get(8).map_or(0, |&bits| u64::from(bits));
                let samples = match chunk.content.get(9) {
                    Some(2) => 3,
                    Some(4) => 2,
                    Some(6) => 4,
                    _ => 1,
                };
                needed = edge(0).saturating_mul(bits * samples).div_ceil(8).saturating_mul(edge(4));
            }
            b"acTL" => frames = be32(chunk.content, 0).map_or(1, |n| n.max(1) as usize),
            b"IDAT" => packed += chunk.content.len() as u64,
            _ => {}
        }
    }
    // An incomplete last chunk counts as if it were complete.
    packed += bytes.len() as u64 - png_chunks::chunks(bytes).map(|c| c.whole.len() as u64).sum::<u64>();
    let cut =
        (packed.saturating_mul(MAX_DEFLATE_RATIO) < needed).then(|| "long before its pixels do".to_owned());
    Structure { cut, part: None, frames }
}

/// JPEG: it must end with its end marker, and have at least one bit for each block of 8×8 pixels, the shortest code of
/// a block's mean.
fn jpeg(bytes: &[u8]) -> Structure {
    let (mut at, mut blocks, mut coded) = (2, 0u64, 0u64);
    loop {
        let Some(marker_at) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff)) else {
            return Structure::cut("before its end marker");
        };
        at += marker_at;
        let Some(&marker) = bytes.get(at + 1) else { return Structure::cut("before its end marker") };
        match marker {
            0xff => at += 1,
            0xd9 => break,
            // Markers without content.
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some(high) = bytes.get(at + 2).zip(bytes.get(at + 3)) else {
                    return Structure::cut("before its end marker");
                };
                let content = at + 4;
                at += 2 + usize::from(u16::from_be_bytes([*high.0, *high.1]));
                // A start of frame: precision, height, width.
                if matches!(marker, 0xc0..=0xc2) {
                    let edge = |at: usize| {
                        bytes.get(at..at + 2).map_or(0, |b| u64::from(u16::from_be_bytes([b[0], b[1]])))
                    };
                    blocks = edge(content + 1).div_ceil(8) * edge(content + 3).div_ceil(8);
                }
                if marker == 0xda {
                    let start = at;
                    at = end_of_scan(bytes, at);
                    coded += at.saturating_sub(start) as u64;
                }
            }
        }
    }
    if coded * 8 < blocks {
        Structure::cut("long before its pixels do")
    } else {
        Structure { frames: 1, ..Structure::default() }
    }
}

/// The end of the coded pixels: a marker that is neither a stuffed byte nor a restart.
fn end_of_scan(bytes: &[u8], from: usize) -> usize {
    let scan = bytes.get(from..).unwrap_or_default();
    let end =
        scan.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff));
    end.map_or(bytes.len(), |end| from + end)
}

/// WebP: the chunks of pixels must be complete. Also finds the sizes that an animation's first frame and a lossy frame
/// claim (RFC 9649, 2.7.1; RFC 6386, 9.1), which the decoder checks only after it has allocated them.
fn webp(bytes: &[u8]) -> Structure {
    let mut structure = Structure::default();
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((header, after)) = rest.split_at_checked(8) {
        let len = le32(header, 4).unwrap_or_default() as usize;
        let content = &after[..len.min(after.len())];
        let name = &header[..4];
        let is_pixels = matches!(name, b"VP8 " | b"VP8L" | b"ALPH" | b"ANMF");
        if is_pixels && len > after.len() && structure.frames == 0 {
            structure.cut = Some("within its pixels".to_owned());
        }
        if is_pixels && name != b"ALPH" {
            structure.frames += usize::from(len <= after.len());
        }
        if structure.part.is_none() {
            structure.part = match name {
                b"VP8 " => lossy_size(content),
                b"ANMF" => animated_size(content),
                _ => None,
            };
        }
        rest = after.get(len.saturating_add(len % 2)..).unwrap_or_default();
    }
    structure
}

/// The size in the header of a lossy frame.
fn lossy_size(frame: &[u8]) -> Option<(u32, u32)> {
    Some((le16(frame, 6)? & 0x3fff, le16(frame, 8)? & 0x3fff))
}

/// The larger of the sizes that an animation's frame and the lossy frame in it claim.
fn animated_size(frame: &[u8]) -> Option<(u32, u32)> {
    let edge = |at: usize| Some((le32(frame, at)? & 0x00ff_ffff) + 1);
    let claimed = (edge(6)?, edge(9)?);
    let inner = frame
        .get(16..)
        .filter(|chunk| chunk.starts_with(b"VP8 "))
        .and_then(|chunk| lossy_size(chunk.get(8..)?));
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    Some(inner.filter(|&inner| area(inner) > area(claimed)).unwrap_or(claimed))
}

/// GIF: reads the blocks up to the end; `None` if the first frame is incomplete.
/// Source: GIF89a specification, sections 18 to 23.
fn gif(bytes: &[u8]) -> Option<Structure> {
    let colours = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3usize << ((flags & 7) + 1) };
    let mut structure = Structure::default();
    let mut at = 13 + colours(*bytes.get(10)?);
    // The sub-blocks of a part, each with its length, up to an empty one.
    let end_of_blocks = |mut at: usize| loop {
        let len = usize::from(*bytes.get(at)?);
        at += 1 + len;
        if len == 0 {
            break Some(at);
        }
    };
    loop {
        let next = match bytes.get(at) {
            Some(0x21) => end_of_blocks(at + 2),
            Some(0x2c) => {
                let size = (le16(bytes, at + 5)?, le16(bytes, at + 7)?);
                structure.part = structure.part.or(Some(size));
                // The colour table of the frame is followed by the code length.
                let end = bytes.get(at + 9).and_then(|&flags| end_of_blocks(at + 10 + colours(flags) + 1));
                structure.frames += usize::from(end.is_some());
                end
            }
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None if structure.frames > 0 => return Some(structure),
            None => return None,
        }
    }
}

/// BMP: the rows of an uncompressed bitmap must be within the file.
fn bmp(bytes: &[u8]) -> Structure {
    let rows = || {
        let offset = u64::from(le32(bytes, 10)?);
        // The oldest header has 16-bit edges and no compression.
        let (width, height, bits, compression) = if le32(bytes, 14)? == 12 {
            (le16(bytes, 18)?, le16(bytes, 20)?, le16(bytes, 24)?, 0)
        } else {
            let height = le32(bytes, 22)?.cast_signed().unsigned_abs();
            (le32(bytes, 18)?, height, le16(bytes, 28)?, le32(bytes, 30)?)
        };
        // Uncompressed values, with or without bit masks.
        let row = matches!(compression, 0 | 3 | 6)
            .then(|| (u64::from(width) * u64::from(bits)).div_ceil(32) * 4)?;
        let present = (bytes.len() as u64).saturating_sub(offset).checked_div(row)?;
        Some((present, u64::from(height)))
    };
    match rows() {
        Some((present, height)) if present < height => {
            Structure::cut(format!("within its pixels: {present} of {height} rows are present"))
        }
        _ => Structure { frames: 1, ..Structure::default() },
    }
}

/// TIFF: the strips or tiles of the first page must be within the file.
fn tiff(bytes: &[u8]) -> Structure {
    let Some(parts) = tiff_parts(bytes) else { return Structure::default() };
    let cut = (parts.within_file < parts.all)
        .then(|| format!("within its pixels: {} of {} strips are present", parts.within_file, parts.all));
    Structure { cut, part: None, frames: parts.pages }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_and_claims_are_seen_in_files_that_were_cut() {
        // A canvas of 16×8 with a frame that claims 16 384 × 16 384, of which the file has only the header.
        let mut webp_file = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x0f\0\0\x07\0\0".to_vec();
        webp_file.extend(b"ANMF\xff\xff\x10\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0\0\0\0\0VP8 ");
        let structure = webp(&webp_file);
        assert_eq!(structure.part, Some((16_384, 16_384)));
        assert!(structure.cut.is_some() && structure.frames == 0);

        // Two frames of one pixel, the second cut within its blocks.
        let mut gif_file = b"GIF89a\x01\0\x01\0\0\0\0".to_vec();
        let frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        gif_file.extend(b"\x21\xf9\x04\0\0\0\0\0");
        gif_file.extend(frame);
        assert_eq!(gif(&gif_file), Some(Structure { cut: None, part: Some((1, 1)), frames: 1 }));
        gif_file.extend(frame);
        assert_eq!(gif(&gif_file).unwrap().frames, 2);
        assert_eq!(gif(&gif_file[..gif_file.len() - 2]).unwrap().frames, 1);
        assert_eq!(gif(&gif_file[..30]), None);
    }

    #[test]
    fn a_jpeg_ends_with_its_marker_and_has_bits_for_its_blocks() {
        let file = |width: u16, coded: &[u8], end: &[u8]| {
            let mut file = b"\xff\xd8\xff\xe1\x00\x06\xff\xd9\xff\xd9\xff\xc0\x00\x0b\x08\x00\x08".to_vec();
            file.extend(width.to_be_bytes());
            file.extend(b"\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00");
            file.extend(coded);
            file.extend(end);
            file
        };
        assert_eq!(jpeg(&file(8, b"\x12\xff\x00\xff\xd0\x34", b"\xff\xd9")).cut, None);
        assert!(jpeg(&file(8, b"\x12\xff\x00\xff\xd0\x34", b"")).cut.is_some());
        assert!(jpeg(&file(8, b"\x12", b"\xff")).cut.is_some());
        assert!(jpeg(&file(8000, b"\x12\x34", b"\xff\xd9")).cut.is_some());
    }
}
