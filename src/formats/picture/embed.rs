//! What is written into a picture beside its pixels: EXIF and XMP blocks.

use crate::formats::metadata::GenerationFacts;

/// Text that names this program and its version.
pub(super) const CREATOR_TOOL: &str = concat!("Safelight ", env!("CARGO_PKG_VERSION"));

/// An EXIF block (TIFF structure, big-endian) that holds `text` as `UserComment`.
///
/// Layout: header, IFD 0 with one entry that points to the Exif IFD, which has one entry: tag 0x9286,
/// type UNDEFINED, `UNICODE\0` and UTF-16 (Exif 2.32, 4.6.5; big-endian as piexif writes and others read).
pub(super) fn exif_with_user_comment(text: &str) -> Vec<u8> {
    let mut comment = b"UNICODE\0".to_vec();
    comment.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    let mut exif = b"MM\0\x2a\0\0\0\x08".to_vec();
    let mut directory = |tag: u16, kind: u16, count: u32, value: u32| {
        exif.extend(1u16.to_be_bytes());
        exif.extend(tag.to_be_bytes());
        exif.extend(kind.to_be_bytes());
        exif.extend(count.to_be_bytes());
        exif.extend(value.to_be_bytes());
        exif.extend(0u32.to_be_bytes()); // no further directory
    };
    // The header has 8 bytes and a directory of one entry 18: the Exif IFD starts at 26, its value at 44.
    directory(0x8769, 4, 1, 26);
    directory(0x9286, 7, comment.len() as u32, 44);
    exif.extend(comment);
    exif
}

/// An XMP packet that says a machine made the picture (IPTC's `DigitalSourceType`), and with what.
///
/// Source: IPTC Photo Metadata Standard 2025.1 and its vocabulary
/// <http://cv.iptc.org/newscodes/digitalsourcetype/>.
pub(super) fn xmp_packet(facts: &GenerationFacts) -> String {
    // A picture that started from another one is composed of both.
    let source_type = if facts.denoising_strength.is_some() {
        "compositeWithTrainedAlgorithmicMedia"
    } else {
        "trainedAlgorithmicMedia"
    };
    format!(
        concat!(
            "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>",
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">",
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">",
            "<rdf:Description rdf:about=\"\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" ",
            "xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" ",
            "xmp:CreatorTool=\"{}\" ",
            "Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/{}\"/>",
            "</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
        ),
        CREATOR_TOOL, source_type
    )
}

/// The longest content of a JPEG segment: its 16-bit length counts itself.
const MAX_SEGMENT_LEN: usize = 65_533;

/// A JPEG file with its EXIF and XMP in APP1 segments behind `SOI` and `APP0`; a block too long for a
/// segment is left out (a prompt of over 30 000 characters).
pub(super) fn jpeg_with(jpeg: &[u8], exif: &[u8], xmp: &str) -> Vec<u8> {
    // The encoder writes SOI, then APP0 with its length in two bytes.
    let app0_end = match jpeg {
        [_, _, 0xff, 0xe0, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 2,
    };
    let mut result = jpeg[..app0_end].to_vec();
    for (name, block) in [(&b"Exif\0\0"[..], exif), (b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes())] {
        let len = name.len() + block.len();
        if len <= MAX_SEGMENT_LEN {
            result.extend([0xff, 0xe1]);
            result.extend(((len + 2) as u16).to_be_bytes());
            result.extend(name);
            result.extend(block);
        }
    }
    result.extend(&jpeg[app0_end..]);
    result
}

/// A simple WebP file made an extended one with EXIF and XMP chunks behind the pixels.
///
/// Source: the WebP container specification (RFC 9649, 2.7).
pub(super) fn webp_with(webp: &[u8], width: usize, height: usize, exif: &[u8], xmp: &str) -> Vec<u8> {
    const EXIF_FLAG: u8 = 1 << 3;
    const XMP_FLAG: u8 = 1 << 2;
    let mut chunks = b"WEBP".to_vec();
    let mut push = |name: &[u8; 4], content: &[u8]| {
        chunks.extend(name);
        chunks.extend((content.len() as u32).to_le_bytes());
        chunks.extend(content);
        chunks.extend(&[0][..content.len() % 2]);
    };
    let mut header = vec![EXIF_FLAG | XMP_FLAG, 0, 0, 0];
    header.extend(&((width - 1) as u32).to_le_bytes()[..3]);
    header.extend(&((height - 1) as u32).to_le_bytes()[..3]);
    push(b"VP8X", &header);
    // The encoder's file is `RIFF`, length, `WEBP` and one chunk of pixels.
    let mut pixels = [0; 4];
    pixels.copy_from_slice(&webp[12..16]);
    let len = u32::from_le_bytes([webp[16], webp[17], webp[18], webp[19]]) as usize;
    push(&pixels, &webp[20..20 + len]);
    push(b"EXIF", exif);
    push(b"XMP ", xmp.as_bytes());
    let mut result = b"RIFF".to_vec();
    result.extend((chunks.len() as u32).to_le_bytes());
    result.extend(chunks);
    result
}
