//! TIFF structures: the texts of an EXIF block, and whether the lists of a TIFF file are within it.

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

    /// A list of SHORT or LONG values in the directory at `at`, cut at the end of the file.
    fn list(&self, at: usize, tag: u16) -> Option<Vec<usize>> {
        let entries = usize::from(self.u16(at)?);
        let found = (0..entries).map(|i| at + 2 + 12 * i).find(|&entry| self.u16(entry) == Some(tag))?;
        let size = match self.u16(found + 2)? {
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let count = self.u32(found + 4)?;
        let len = count.checked_mul(size)?;
        // Values of up to four bytes are in the entry itself.
        let start = if len <= 4 { found + 8 } else { self.u32(found + 8)? };
        self.bytes.get(start..start.checked_add(len)?)?;
        let value = |at| if size == 2 { self.u16(at).map(usize::from) } else { self.u32(at) };
        (0..count).map(|i| value(start + i * size)).collect()
    }

    /// Count and value (or its offset) of a tag in the directory at `at`.
    fn entry(&self, at: usize, tag: u16) -> Option<(usize, usize)> {
        let entries = usize::from(self.u16(at)?);
        let found = (0..entries).map(|i| at + 2 + 12 * i).find(|&entry| self.u16(entry) == Some(tag))?;
        Some((self.u32(found + 4)?, self.u32(found + 8)?))
    }
}

/// Whether every list of a TIFF file's first directory is within the file, since a decoder may allocate what an entry
/// claims before it reads. `None` if the file is not a classic TIFF.
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
        // Values of up to four bytes are in the entry itself.
        let offset = if len <= 4 { at + 8 } else { tiff.u32(at + 8)? };
        Some(offset.checked_add(len)? <= bytes.len())
    };
    Some((0..entries).all(|i| fits(i) == Some(true)))
}

/// The parts of a TIFF file that hold pixels.
#[derive(Debug)]
pub(in crate::formats) struct TiffParts {
    /// Number of strips or tiles of the first page.
    pub(in crate::formats) all: usize,
    /// Number of those that are within the file.
    pub(in crate::formats) within_file: usize,
    /// Number of pages.
    pub(in crate::formats) pages: usize,
}

/// Counts the strips or tiles and the pages of a TIFF file. `None` if it is not a classic TIFF or lists none.
pub(in crate::formats) fn tiff_parts(bytes: &[u8]) -> Option<TiffParts> {
    /// The largest number of pages, since their list may be circular.
    const MAX_PAGES: usize = 10_000;
    let tiff = Tiff::new(bytes)?;
    let first = tiff.u32(4)?;
    let list = |tags: [u16; 2]| tags.into_iter().find_map(|tag| tiff.list(first, tag));
    let (offsets, lens) = (list([273, 324])?, list([279, 325])?);
    let end = |(offset, len): (&usize, &usize)| offset.checked_add(*len);
    let within_file =
        offsets.iter().zip(&lens).filter(|&part| end(part).is_some_and(|end| end <= bytes.len())).count();
    let next = |&page: &usize| {
        let entries = usize::from(tiff.u16(page)?);
        tiff.u32(page + 2 + 12 * entries).filter(|&next| next != 0)
    };
    let pages = std::iter::successors(Some(first), next).take(MAX_PAGES).count();
    Some(TiffParts { all: offsets.len(), within_file, pages })
}

/// The `UserComment` of an EXIF block, with or without the `Exif\0\0` before it.
pub(super) fn user_comment(exif: &[u8]) -> Option<String> {
    let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let tiff = Tiff::new(bytes)?;
    let (_, exif_directory) = tiff.entry(tiff.u32(4)?, 0x8769)?;
    let (len, offset) = tiff.entry(exif_directory, 0x9286)?;
    comment_text(bytes.get(offset..offset.checked_add(len)?)?, tiff.big_endian)
}

/// The first directory's `ImageDescription`.
pub(super) fn image_description(exif: &[u8]) -> Option<String> {
    let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let tiff = Tiff::new(bytes)?;
    let (len, offset) = tiff.entry(tiff.u32(4)?, 0x010e)?;
    Some(plain_text(bytes.get(offset..offset.checked_add(len)?)?).trim_matches('\0').to_owned())
}

/// ComfyUI's graph in a WebP: a text of the first directory that begins with `prompt:`, usually in the tag `Model`.
pub(super) fn comfyui_prompt(exif: &[u8]) -> Option<String> {
    let bytes = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let tiff = Tiff::new(bytes)?;
    let directory = tiff.u32(4)?;
    (0..usize::from(tiff.u16(directory)?)).find_map(|i| {
        let entry = directory + 2 + 12 * i;
        let (len, offset) = (tiff.u32(entry + 4)?, tiff.u32(entry + 8)?);
        let text = std::str::from_utf8(bytes.get(offset..offset.checked_add(len)?)?).ok()?;
        let graph = text.strip_prefix("prompt:").or_else(|| text.strip_prefix("Prompt:"))?;
        Some(graph.trim_end_matches('\0').to_owned())
    })
}

/// The comment after its 8-byte character code (Exif 2.32, 4.6.5, table 9), which some programs omit.
fn comment_text(comment: &[u8], big_endian: bool) -> Option<String> {
    let text = match comment.split_at_checked(8) {
        Some((b"UNICODE\0", text)) => utf16_text(text, big_endian),
        Some((b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0", text)) => plain_text(text),
        Some((b"JIS\0\0\0\0\0", _)) => return None,
        _ => plain_text(comment),
    };
    let text = text.trim_matches(['\0', ' ', '\u{feff}']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// Decodes UTF-8, or Latin-1 if the bytes are not UTF-8.
pub(super) fn plain_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Decodes UTF-16. Its byte order is not agreed: piexif and this program write big-endian, others use the order of the
/// block, some a byte order mark, and some write UTF-8 instead.
fn utf16_text(bytes: &[u8], big_endian: bool) -> String {
    let decoded = |bytes: &[u8], big_endian: bool| {
        let unit = |b: &[u8; 2]| if big_endian { u16::from_be_bytes(*b) } else { u16::from_le_bytes(*b) };
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(unit).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xfe, 0xff, rest @ ..] => return decoded(rest, true),
        [0xff, 0xfe, rest @ ..] => return decoded(rest, false),
        _ => {}
    }
    // Settings are mostly ASCII, so the order that gives more ASCII is right; without any, the one with fewer invalid
    // characters.
    let (own, other) = (decoded(bytes, big_endian), decoded(bytes, !big_endian));
    let ascii = |text: &str| text.chars().filter(|&c| c.is_ascii() && c != '\0').count();
    let broken = |text: &str| text.chars().filter(|&c| c == char::REPLACEMENT_CHARACTER).count();
    let key = |text: &str| (ascii(text), std::cmp::Reverse(broken(text)));
    let utf16 = if key(&other) > key(&own) { other } else { own };
    // UTF-16 of settings contains zeros, for their digits; UTF-8 does not.
    match std::str::from_utf8(bytes) {
        Ok(text)
            if !text.trim_end_matches('\0').contains('\0')
                && (text.is_ascii() || ascii(text) > ascii(&utf16)) =>
        {
            text.to_owned()
        }
        _ => utf16,
    }
}
