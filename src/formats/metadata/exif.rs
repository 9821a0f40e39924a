//! TIFF structures: the user comment of an EXIF block, and whether a TIFF file's lists fit in it.

/// Reads numbers at offsets of a TIFF structure, in its byte order; `None` beyond its end.
struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"MM\0\x2a" => true,
            b"II\x2a\0" => false,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) } as usize)
    }

    /// Count and value (or its offset) of a tag in the directory at `at`.
    fn entry(&self, at: usize, tag: u16) -> Option<(usize, usize)> {
        let entries = usize::from(self.u16(at)?);
        let found = (0..entries).map(|i| at + 2 + 12 * i).find(|&entry| self.u16(entry) == Some(tag))?;
        Some((self.u32(found + 4)?, self.u32(found + 8)?))
    }
}

/// Whether every list of a TIFF file's first directory is as long as it says: a decoder may make room for
/// what an entry claims before it looks. `None` if the file is no plain TIFF.
pub(in crate::formats) fn lists_fit(bytes: &[u8]) -> Option<bool> {
    /// Bytes of one value of the types 1 to 13 (TIFF 6.0, section 2, and IFD).
    const SIZES: [usize; 14] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
    let tiff = Tiff::new(bytes)?;
    let directory = tiff.u32(4)?;
    let entries = usize::from(tiff.u16(directory)?);
    let fits = |i: usize| {
        let at = directory + 2 + 12 * i;
        let kind = usize::from(tiff.u16(at + 2)?);
        let len = tiff.u32(at + 4)?.checked_mul(SIZES.get(kind).copied().unwrap_or(1))?;
        // Up to four bytes stand in the entry itself.
        let offset = if len <= 4 { at + 8 } else { tiff.u32(at + 8)? };
        Some(offset.checked_add(len)? <= bytes.len())
    };
    Some((0..entries).all(|i| fits(i) == Some(true)))
}

/// The `UserComment` of an EXIF block, with or without the `Exif\0\0` before it.
pub(super) fn user_comment(exif: &[u8]) -> Option<String> {
    let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let tiff = Tiff::new(bytes)?;
    let (_, exif_directory) = tiff.entry(tiff.u32(4)?, 0x8769)?;
    let (len, offset) = tiff.entry(exif_directory, 0x9286)?;
    comment_text(bytes.get(offset..offset.checked_add(len)?)?, tiff.big_endian)
}

/// ComfyUI's graph in a WebP: the `Model` of the first directory, behind `prompt:`.
pub(super) fn comfyui_prompt(exif: &[u8]) -> Option<String> {
    let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let tiff = Tiff::new(bytes)?;
    let (len, offset) = tiff.entry(tiff.u32(4)?, 0x0110)?;
    let text = std::str::from_utf8(bytes.get(offset..offset.checked_add(len)?)?).ok()?;
    text.strip_prefix("prompt:").map(|graph| graph.trim_end_matches('\0').to_owned())
}

/// The comment behind its 8-byte character code. UTF-16 has no agreed byte order: piexif and we write
/// big-endian, others the block's own.
fn comment_text(comment: &[u8], big_endian: bool) -> Option<String> {
    let (code, text) = comment.split_at_checked(8)?;
    let text = if code == b"UNICODE\0" {
        let decoded = |big_endian: bool| {
            let units: Vec<u16> = text
                .chunks_exact(2)
                .map(|b| {
                    if big_endian {
                        u16::from_be_bytes([b[0], b[1]])
                    } else {
                        u16::from_le_bytes([b[0], b[1]])
                    }
                })
                .collect();
            String::from_utf16_lossy(&units)
        };
        // Settings are mostly ASCII: the order that gives more of it is the right one.
        let ascii = |text: &String| text.chars().filter(char::is_ascii).count();
        let (own, other) = (decoded(big_endian), decoded(!big_endian));
        if ascii(&other) > ascii(&own) { other } else { own }
    } else {
        String::from_utf8_lossy(if code.is_ascii() { text } else { comment }).into_owned()
    };
    let text = text.trim_matches(['\0', ' ', '\u{feff}']);
    (!text.is_empty()).then(|| text.to_owned())
}
