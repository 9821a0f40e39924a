//! What a dropped file is, by its first bytes.

use std::io::Read;
use std::path::Path;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture of a format that is read.
    Picture,
    /// A latent: safetensors or npy.
    Latent,
    /// A folder: a model, perhaps.
    Folder,
    /// Something else, or nothing that can be read.
    Unknown,
}

/// What a path leads to, by content and not by name. A safetensors file may also hold a model's weights.
pub fn file_kind(path: &Path) -> FileKind {
    if path.is_dir() {
        return FileKind::Folder;
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    if read.is_err() {
        FileKind::Unknown
    } else if start.starts_with(b"\x93NUMPY") || start.get(8) == Some(&b'{') {
        // safetensors: the header's length in 8 bytes, then JSON.
        FileKind::Latent
    } else if image::guess_format(&start).is_ok() || start.get(4..8) == Some(b"ftyp") {
        // The second: AVIF and HEIC; the reader says that they are not read, and what to try.
        FileKind::Picture
    } else {
        FileKind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_and_not_the_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(file_kind(folder.path()), FileKind::Folder);
        let path = folder.path().join("misnamed.png");
        for (content, kind) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], FileKind::Picture),
            (b"\xff\xd8\xff\xe0....", FileKind::Picture),
            (b"\x93NUMPY\x01\0", FileKind::Latent),
            (b"\x10\0\0\0\0\0\0\0{\"x\":{}}", FileKind::Latent),
            (b"\0\0\0\x18ftypheic", FileKind::Picture),
            (b"", FileKind::Unknown),
            (b"hello", FileKind::Unknown),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(file_kind(&path), kind);
        }
        assert_eq!(file_kind(&folder.path().join("absent")), FileKind::Unknown);
    }
}
