//! The EXIF and XMP blocks that are written into pictures.

use crate::formats::metadata::{EXTENSION_SEGMENT, GenerationFacts, IDENTITY_LEN, XMP_SEGMENT, escaped};

/// Name and version of this program.
pub(super) const CREATOR_TOOL: &str = concat!("Safelight ", env!("CARGO_PKG_VERSION"));

/// A text as `UserComment`: `UNICODE\0` and UTF-16 (Exif 2.32, 4.6.5; big-endian as piexif writes and others read).
fn unicode_comment(text: &str) -> Vec<u8> {
    let mut comment = b"UNICODE\0".to_vec();
    comment.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    comment
}

/// The same in UTF-8, which for most languages is half as long: declared as ASCII, or as "undefined", which readers take
/// for UTF-8.
fn narrow_comment(text: &str) -> Vec<u8> {
    let mut comment = if text.is_ascii() { b"ASCII\0\0\0".to_vec() } else { vec![0; 8] };
    comment.extend(text.as_bytes());
    comment
}

/// An EXIF block (TIFF structure, big-endian) that holds a text as `UserComment`.
pub(in crate::formats) fn exif_with_user_comment(text: &str) -> Vec<u8> {
    exif_with(&unicode_comment(text))
}

/// Layout: header, IFD 0 with one entry that points to the Exif IFD, which has one entry: tag 0x9286,
/// type UNDEFINED.
fn exif_with(comment: &[u8]) -> Vec<u8> {
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

/// An XMP packet that declares the picture as generated (IPTC's `DigitalSourceType`), and by which program.
///
/// Source: IPTC Photo Metadata Standard 2025.1 and its vocabulary
/// <http://cv.iptc.org/newscodes/digitalsourcetype/>.
pub(in crate::formats) fn xmp_packet(facts: &GenerationFacts) -> String {
    xmp_packet_with(facts, "")
}

/// The same with further attributes of the description element.
fn xmp_packet_with(facts: &GenerationFacts, attributes: &str) -> String {
    // A picture that started from another one is a composite.
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
            "Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/{}\"{}/>",
            "</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
        ),
        CREATOR_TOOL, source_type, attributes
    )
}

/// The longest content of a JPEG segment, bytes: its 16-bit length includes itself.
const MAX_SEGMENT_LEN: usize = 65_533;

/// A JPEG file with the settings and XMP in APP1 segments after `SOI` and `APP0`.
///
/// A text that is too long for a segment in UTF-16 (over 32 000 characters) is written in UTF-8; if it is still too
/// long, as extended XMP, which may have any number of segments.
pub(super) fn jpeg_with(jpeg: &[u8], text: &str, facts: &GenerationFacts) -> Vec<u8> {
    const EXIF_SEGMENT: &[u8] = b"Exif\0\0";
    // The encoder writes SOI, then APP0 with its length in two bytes.
    let app0_end = match jpeg {
        [_, _, 0xff, 0xe0, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 2,
    };
    let mut result = jpeg[..app0_end].to_vec();
    let mut segment = |parts: &[&[u8]]| {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        result.extend([0xff, 0xe1]);
        result.extend(((len + 2) as u16).to_be_bytes());
        for part in parts {
            result.extend(*part);
        }
    };
    let blocks = [unicode_comment, narrow_comment].into_iter().map(|comment| exif_with(&comment(text)));
    let exif = blocks.into_iter().find(|block| EXIF_SEGMENT.len() + block.len() <= MAX_SEGMENT_LEN);
    if let Some(exif) = exif {
        segment(&[EXIF_SEGMENT, &exif]);
        segment(&[XMP_SEGMENT, xmp_packet(facts).as_bytes()]);
    } else {
        let extension = extended_packet(text);
        // The specification takes MD5 for the identity; readers only compare it with the packet's.
        let identity = blake3::hash(extension.as_bytes()).to_hex()[..IDENTITY_LEN].to_uppercase();
        let attributes =
            format!(" xmlns:xmpNote=\"http://ns.adobe.com/xmp/note/\" xmpNote:HasExtendedXMP=\"{identity}\"");
        segment(&[XMP_SEGMENT, xmp_packet_with(facts, &attributes).as_bytes()]);
        let len = (extension.len() as u32).to_be_bytes();
        for (i, part) in extension.as_bytes().chunks(MAX_EXTENSION_LEN).enumerate() {
            let place = ((i * MAX_EXTENSION_LEN) as u32).to_be_bytes();
            segment(&[EXTENSION_SEGMENT, identity.as_bytes(), &len, &place, part]);
        }
    }
    result.extend(&jpeg[app0_end..]);
    result
}

/// The longest part of an extended packet in one segment (XMP Specification, part 3, 1.1.3.1).
const MAX_EXTENSION_LEN: usize = 65_400;

/// An XMP packet with a text as the picture's comment.
fn extended_packet(text: &str) -> String {
    format!(
        concat!(
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">",
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">",
            "<rdf:Description rdf:about=\"\" xmlns:exif=\"http://ns.adobe.com/exif/1.0/\">",
            "<exif:UserComment><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></exif:UserComment>",
            "</rdf:Description></rdf:RDF></x:xmpmeta>"
        ),
        escaped(text)
    )
}

/// Converts a simple WebP file to an extended one with EXIF and XMP chunks after the pixels.
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
