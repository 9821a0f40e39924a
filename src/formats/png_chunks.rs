//! Splits a PNG file into its chunks without decoding them.

/// The first bytes of a PNG.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A complete chunk.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    pub(super) content: &'a [u8],
    /// Length, name, content and checksum as in the file.
    pub(super) whole: &'a [u8],
}

/// The chunks of a file up to the first incomplete one.
pub(super) fn chunks(file: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = file.strip_prefix(SIGNATURE).unwrap_or_default();
    std::iter::from_fn(move || {
        let (header, after) = rest.split_at_checked(8)?;
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let content = after.get(..len)?;
        // The last chunk of a truncated file may lack its checksum.
        let end = (8 + len + 4).min(rest.len());
        let whole = &rest[..end];
        rest = &rest[end..];
        Some(Chunk { name: [header[4], header[5], header[6], header[7]], content, whole })
    })
}

/// A picture of one pixel with these chunks between its header and its pixels, so that a decoder reads them without
/// the file's own pixels. Their checksums are not recomputed.
pub(super) fn one_pixel_with<'a>(extra: impl Iterator<Item = ([u8; 4], &'a [u8])>) -> Vec<u8> {
    let mut file = SIGNATURE.to_vec();
    let head: ([u8; 4], &[u8]) = (*b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
    for (name, content) in std::iter::once(head).chain(extra).chain([(*b"IDAT", &[][..])]) {
        file.extend((content.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(content);
        file.extend([0; 4]);
    }
    file
}
