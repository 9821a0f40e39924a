//! The kind of a file, by its first bytes and not by its name.
//!
//! Many downloads that "do not open" are something else under the right name: a Git LFS pointer, a web page that asks
//! for a login, an empty file. Readers check this first, so that their errors say what the file is.

use std::fmt;
use std::io::Read;
use std::path::Path;

use crate::reason::{Reason, ReasonKind};

/// Number of bytes at the start of a file that are enough to recognise it.
pub const START_BYTES: usize = 1024;

/// The kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// No bytes at all.
    Empty,
    /// Only zeros, as far as checked: space was allocated, but no data arrived.
    Zeros,
    /// Tensors with a JSON header.
    Safetensors,
    /// One numpy array.
    Npy,
    /// A picture of a format that is read, by the format's name.
    Picture(&'static str),
    /// A picture of a format that is not read.
    ForeignPicture(&'static str),
    /// What Git leaves in place of a large file.
    LfsPointer,
    /// What git-annex leaves in place of a large file.
    AnnexPointer,
    /// The path of a link that was copied as a file, as from Hugging Face's cache.
    LinkText,
    /// HTML.
    WebPage,
    /// Other XML, as servers answer errors.
    Xml,
    /// A JSON text.
    Json,
    /// Any other text; its first line.
    Text(String),
    /// A Python pickle, plain or in PyTorch's archive.
    Pickle,
    /// An archive of numpy arrays.
    Npz,
    /// A quantised model for llama.cpp and stable-diffusion.cpp.
    Gguf,
    /// Weights of TensorFlow and Keras.
    Hdf5,
    /// An archive, by the format's name.
    Archive(&'static str),
    /// Another known format, by its name.
    Other(&'static str),
    /// Bytes of no known kind.
    Unknown,
}

/// First bytes of formats that have no other mark.
const SIGNATURES: [(&[u8], Content); 28] = [
    (b"\x89PNG\r\n\x1a\n", Content::Picture("PNG")),
    (b"\xff\xd8\xff", Content::Picture("JPEG")),
    (b"GIF87a", Content::Picture("GIF")),
    (b"GIF89a", Content::Picture("GIF")),
    (b"II\x2a\0", Content::Picture("TIFF")),
    (b"MM\0\x2a", Content::Picture("TIFF")),
    (b"\x93NUMPY", Content::Npy),
    (b"GGUF", Content::Gguf),
    (b"\x89HDF\r\n\x1a\n", Content::Hdf5),
    (b"\xff\x0a", Content::ForeignPicture("JPEG XL")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", Content::ForeignPicture("JPEG XL")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Content::ForeignPicture("JPEG 2000")),
    (b"\xff\x4f\xff\x51", Content::ForeignPicture("JPEG 2000")),
    (b"8BPS", Content::ForeignPicture("Photoshop")),
    (b"gimp xcf", Content::ForeignPicture("GIMP")),
    (b"\x76\x2f\x31\x01", Content::ForeignPicture("OpenEXR")),
    (b"#?RADIANCE", Content::ForeignPicture("Radiance HDR")),
    (b"qoif", Content::ForeignPicture("QOI")),
    (b"DDS ", Content::ForeignPicture("DirectDraw Surface")),
    (b"II\x2b\0", Content::ForeignPicture("BigTIFF")),
    (b"MM\0\x2b", Content::ForeignPicture("BigTIFF")),
    (b"\x1f\x8b", Content::Archive("gzip")),
    (b"7z\xbc\xaf\x27\x1c", Content::Archive("7-Zip")),
    (b"Rar!\x1a\x07", Content::Archive("RAR")),
    (b"\x28\xb5\x2f\xfd", Content::Archive("Zstandard")),
    (b"\xfd7zXZ\0", Content::Archive("xz")),
    (b"%PDF", Content::Other("a PDF document")),
    (b"\x1aE\xdf\xa3", Content::Other("a video")),
];

impl Content {
    /// The kind of a file that begins with `bytes`. Only the first [`START_BYTES`] count; fewer should be the whole
    /// file.
    pub fn of(bytes: &[u8]) -> Self {
        let start = &bytes[..bytes.len().min(START_BYTES)];
        if start.is_empty() {
            return Self::Empty;
        }
        // The length of the header in 8 bytes, then the header. Checked first, since the length may equal another
        // format's signature (640 is 80 02, as a pickle), which is never followed by such a header.
        if let [_, _, _, _, 0, 0, 0, 0, b'{', ..] = start {
            return Self::Safetensors;
        }
        if let Some((_, content)) = SIGNATURES.iter().find(|(magic, _)| start.starts_with(magic)) {
            return content.clone();
        }
        match start {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::Picture("WebP"),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => of_brand(start),
            [b'P', b'K', 3, 4 | 6, ..] | [b'P', b'K', 5, 6, ..] => of_zip(start),
            // Protocols 2 to 5 begin with PROTO and their number.
            [0x80, 2..=5, ..] => Self::Pickle,
            [b'B', b'M', ..] if start.get(6..10) == Some(&[0; 4]) => Self::Picture("BMP"),
            _ if start.len() >= 16 && start.iter().all(|b| *b == 0) => Self::Zeros,
            _ => text_in(start).map_or(Self::Unknown, |text| of_text(&text)),
        }
    }

    /// The kind of the file at a path. Only a regular file is opened, since reading others may block.
    ///
    /// # Errors
    /// The operating system's, or that the path is not a regular file.
    pub fn of_file(path: &Path) -> std::io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let mut start = Vec::with_capacity(START_BYTES);
        std::fs::File::open(path)?.take(START_BYTES as u64).read_to_end(&mut start)?;
        Ok(Self::of(&start))
    }

    /// Whether it is what a failed copy or download leaves in place of the right file.
    pub const fn is_stand_in(&self) -> bool {
        matches!(
            self,
            Self::Zeros | Self::LfsPointer | Self::AnnexPointer | Self::LinkText | Self::WebPage | Self::Xml
        )
    }

    /// What to do about it.
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Empty | Self::Zeros => "copy or download it again",
            Self::LfsPointer => "run ‘git lfs pull’ in its folder to get the file itself",
            Self::AnnexPointer => "run ‘git annex get’ in its folder to get the file itself",
            Self::LinkText => "copy the folder again with its links followed (cp -L)",
            Self::WebPage | Self::Xml => "download the file again, logged in where its page asks for it",
            Self::Json | Self::Text(_) => "if it should be something else, download it again",
            Self::Pickle => {
                "opening a pickle can run any code, so it is not read; save it as safetensors instead"
            }
            Self::Npz => "save the one array with numpy.save",
            Self::Hdf5 => "convert it to safetensors",
            Self::Archive(_) => "unpack it first",
            Self::ForeignPicture(_) => "convert it to PNG first",
            _ => return None,
        })
    }
}

impl fmt::Display for Content {
    /// A noun with its article, and the advice in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty file"),
            Self::Zeros => f.write_str("a file of zeros, as an interrupted download leaves it"),
            Self::Safetensors => f.write_str("a safetensors file"),
            Self::Npy => f.write_str("a numpy array"),
            Self::Picture(format) => write!(f, "a {format} picture"),
            Self::ForeignPicture(format) => write!(f, "a {format} picture, a format that is not supported"),
            Self::LfsPointer => f.write_str("a Git LFS pointer and not the file itself"),
            Self::AnnexPointer => f.write_str("a git-annex pointer and not the file itself"),
            Self::LinkText => f.write_str("the text of a link and not the file that it led to"),
            Self::WebPage => f.write_str("a web page (HTML)"),
            Self::Xml => f.write_str("an XML text, such as a server's error message"),
            Self::Json => f.write_str("a JSON text"),
            Self::Text(line) => write!(f, "a text that begins ‘{line}’"),
            Self::Pickle => f.write_str("a Python pickle (.pt, .ckpt, .bin)"),
            Self::Npz => f.write_str("an archive of numpy arrays (.npz)"),
            Self::Gguf => f.write_str("a GGUF file"),
            Self::Hdf5 => f.write_str("an HDF5 file (.h5)"),
            Self::Archive(format) => write!(f, "a {format} archive"),
            Self::Other(name) => f.write_str(name),
            Self::Unknown => f.write_str("a file of an unknown kind"),
        }?;
        self.advice().map_or(Ok(()), |advice| write!(f, " ({advice})"))
    }
}

/// Formats in the ISO base media container, by the brand after `ftyp`.
fn of_brand(start: &[u8]) -> Content {
    let brands = &start[8..start.len().min(40)];
    let has =
        |names: &[&[u8; 4]]| brands.chunks_exact(4).any(|brand| names.iter().any(|name| *name == brand));
    if has(&[b"avif", b"avis"]) {
        Content::ForeignPicture("AVIF")
    } else if has(&[b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"]) {
        Content::ForeignPicture("HEIC")
    } else {
        Content::Other("a video")
    }
}

/// An archive, by the name of the first file in it.
fn of_zip(start: &[u8]) -> Content {
    let length = start.get(26..28).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
    let name = start.get(30..(30 + length).min(start.len())).unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|end| name.ends_with(end));
    if ends(&[".npy"]) {
        Content::Npz
    } else if ends(&[".pkl", "/version", "/byteorder", ".format_version", ".storage_alignment"]) {
        // The first entry that torch.save writes, in different versions.
        Content::Pickle
    } else {
        Content::Archive("ZIP")
    }
}

/// The start of a file as text; `None` if it is not text. The last character may be cut.
fn text_in(start: &[u8]) -> Option<String> {
    if let [0xff, 0xfe, units @ ..] | [0xfe, 0xff, units @ ..] = start {
        let of = if start[0] == 0xff { u16::from_le_bytes } else { u16::from_be_bytes };
        let units = units.chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        return is_plain(&text).then_some(text);
    }
    let bytes = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    is_plain(text).then(|| text.to_owned())
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}'))
}

/// The longest line that is quoted, characters.
const QUOTED: usize = 60;

fn of_text(text: &str) -> Content {
    let text = text.trim_start();
    if text.is_empty() {
        return Content::Empty;
    }
    let lower = text.to_ascii_lowercase();
    let line = text.lines().next().unwrap_or_default().trim_end();
    if lower.starts_with("version https://git-lfs") || lower.starts_with("version https://hawser") {
        return Content::LfsPointer;
    }
    if line.contains("/annex/objects/") && text.lines().count() <= 2 {
        return Content::AnnexPointer;
    }
    let is_hash = |name: &str| name.len() >= 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if line.rsplit_once(['/', '\\']).is_some_and(|(folder, name)| folder.ends_with("blobs") && is_hash(name))
    {
        return Content::LinkText;
    }
    if lower.starts_with('<') {
        let is_page = ["<!doctype html", "<html", "<head", "<body", "<title"].iter();
        return if lower.contains("<svg") && !lower.contains("<html") {
            Content::ForeignPicture("SVG")
        } else if is_page.into_iter().any(|tag| lower.contains(tag)) {
            Content::WebPage
        } else {
            Content::Xml
        };
    }
    if text.starts_with(['{', '[']) {
        return Content::Json;
    }
    let netpbm = matches!(text.as_bytes(), [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..]);
    if netpbm {
        return Content::ForeignPicture("Netpbm");
    }
    let quoted = match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    Content::Text(quoted)
}

impl From<&Content> for Reason {
    fn from(content: &Content) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, content);
        match content {
            Content::Empty | Content::Zeros => new(Kind::ContentEmpty),
            Content::LfsPointer => new(Kind::ContentPointer).with([&"git lfs pull" as _]),
            Content::AnnexPointer => new(Kind::ContentPointer).with([&"git annex get" as _]),
            Content::LinkText => new(Kind::ContentLink),
            Content::WebPage | Content::Xml => new(Kind::ContentPage),
            Content::Json => new(Kind::ContentText).with([&"JSON" as _]),
            Content::Text(line) => new(Kind::ContentText).with([line as _]),
            Content::Pickle => new(Kind::ContentPickle),
            Content::ForeignPicture(format) => new(Kind::ContentForeignPicture).with([format as _]),
            Content::Archive(format) => new(Kind::ContentArchive).with([format as _]),
            Content::Npz => new(Kind::ContentNamed).with([&".npz" as _]),
            Content::Hdf5 => new(Kind::ContentNamed).with([&"HDF5" as _]),
            Content::Safetensors => new(Kind::ContentNamed).with([&"safetensors" as _]),
            Content::Npy => new(Kind::ContentNamed).with([&".npy" as _]),
            Content::Gguf => new(Kind::ContentNamed).with([&"GGUF" as _]),
            Content::Picture(format) => new(Kind::ContentNamed).with([format as _]),
            Content::Other(_) | Content::Unknown => new(Kind::ContentUnknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_for_a_file_is_told_by_its_content() {
        let hash = "4d7a3b0f3a4a1f00aa8e2f22d1a3a9b8dfb1b3b6f9c4d0a7b3f0a0c1d2e3f4a5";
        let link = format!("../../blobs/{hash}");
        for (content, kind) in [
            (b"" as &[u8], Content::Empty),
            (b" \r\n", Content::Empty),
            (&[0; 100], Content::Zeros),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 34\n", Content::LfsPointer),
            (b"/annex/objects/SHA256E-s1048576--4d7a.safetensors\n", Content::AnnexPointer),
            (link.as_bytes(), Content::LinkText),
            (b"<!DOCTYPE html><html>gated</html>", Content::WebPage),
            (b"\xef\xbb\xbf\n <HTML lang=en>", Content::WebPage),
            (b"<!-- saved --><html>", Content::WebPage),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", Content::Xml),
            (
                b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
                Content::ForeignPicture("SVG"),
            ),
            (b"{\"error\":\"Repository not found\"}", Content::Json),
            (b"Entry not found\n", Content::Text("Entry not found".into())),
            (
                "Zugriff verweigert: gr\u{fc}n".as_bytes(),
                Content::Text("Zugriff verweigert: gr\u{fc}n".into()),
            ),
        ] {
            assert_eq!(Content::of(content), kind, "{}", String::from_utf8_lossy(content));
        }
        assert!(Content::of(b"<html>").is_stand_in() && !Content::of(b"{}").is_stand_in());
    }

    #[test]
    fn a_header_of_any_length_is_a_safetensors_files() {
        for len in (8u64..4096).step_by(8).chain([0x0aff, 0x8b1f, 0x4d42, 100_000_000]) {
            let file = [&len.to_le_bytes()[..], b"{\"latent_tensor\":"].concat();
            assert_eq!(Content::of(&file), Content::Safetensors, "{len}");
        }
        // 123 tensors, and 123 rows.
        assert_eq!(Content::of(b"GGUF\x03\0\0\0\x7b\0\0\0\0\0\0\0"), Content::Gguf);
        assert_eq!(Content::of(b"GIF89a\x10\0\x7b\0\0\0\0"), Content::Picture("GIF"));
    }

    #[test]
    fn formats_are_told_by_their_signatures() {
        let zip = |name: &str| {
            let mut bytes = b"PK\x03\x04".to_vec();
            bytes.resize(30, 0);
            bytes[26] = name.len() as u8;
            bytes.extend(name.as_bytes());
            bytes
        };
        for (content, kind) in [
            (b"\x89PNG\r\n\x1a\n....".to_vec(), Content::Picture("PNG")),
            (b"RIFF\x10\0\0\0WEBPVP8 ".to_vec(), Content::Picture("WebP")),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0".to_vec(), Content::Picture("BMP")),
            (b"\x93NUMPY\x01\0".to_vec(), Content::Npy),
            (b"\x10\0\0\0\0\0\0\0{\"x\":{}}".to_vec(), Content::Safetensors),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), Content::Pickle),
            (zip("archive/data.pkl"), Content::Pickle),
            (zip("model/.format_version"), Content::Pickle),
            (zip("arr_0.npy"), Content::Npz),
            (zip("readme.txt"), Content::Archive("ZIP")),
            (b"GGUF\x03\0\0\0".to_vec(), Content::Gguf),
            (b"\xff\x0a\xfa\x1f".to_vec(), Content::ForeignPicture("JPEG XL")),
            (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1".to_vec(), Content::ForeignPicture("AVIF")),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), Content::ForeignPicture("HEIC")),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif".to_vec(), Content::ForeignPicture("AVIF")),
            (b"\0\0\0\x18ftypisom".to_vec(), Content::Other("a video")),
            (b"\x01\x02\x03\x04".to_vec(), Content::Unknown),
            (vec![0xc3], Content::Unknown),
        ] {
            assert_eq!(Content::of(&content), kind, "{content:?}");
        }
    }

    #[test]
    fn a_file_is_looked_at_and_a_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
        let found = Content::of_file(&path).unwrap();
        assert_eq!(
            found.to_string(),
            "a Git LFS pointer and not the file itself (run ‘git lfs pull’ in its folder to get the file itself)"
        );
        assert!(Content::of_file(folder.path()).is_err());
    }
}
