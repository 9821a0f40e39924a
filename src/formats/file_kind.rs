//! The kind of a file to open, by its content.

use std::path::Path;

use crate::content::Content;

/// The kind of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture, in a format that is read or for which the error gives advice.
    Picture,
    /// A latent: safetensors or npy.
    Latent,
    /// A folder, which may be a model.
    Folder,
    /// Something else, or unreadable; [`Content::of_file`] says what it is.
    Unknown,
}

/// The kind of the file at a path, by content and not by name. A safetensors file may also hold a model's weights.
///
/// Reads only the first bytes, so it is not for pipes, which can be read only once: see
/// [`read_input`](super::read_input). Anything but a regular file is [`FileKind::Unknown`] and is not opened.
pub fn file_kind(path: &Path) -> FileKind {
    let Ok(metadata) = std::fs::metadata(path) else { return FileKind::Unknown };
    if metadata.is_dir() {
        return FileKind::Folder;
    }
    if !metadata.is_file() {
        return FileKind::Unknown;
    }
    Content::of_file(path).map_or(FileKind::Unknown, |content| kind_of(&content))
}

/// The kind of a file, by its first bytes.
pub fn kind_of_bytes(bytes: &[u8]) -> FileKind {
    kind_of(&Content::of(bytes))
}

fn kind_of(content: &Content) -> FileKind {
    match content {
        Content::Safetensors | Content::Npy => FileKind::Latent,
        Content::Picture(_) | Content::ForeignPicture(_) => FileKind::Picture,
        _ => FileKind::Unknown,
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
            (b"\x80\x02\0\0\0\0\0\0{\"x\":{}}", FileKind::Latent),
            (b"GIF89a\x10\0\x7b\0\0\0\0", FileKind::Picture),
            (b"\0\0\0\x18ftypheic", FileKind::Picture),
            (b"\xff\x0a\xfa\x1f", FileKind::Picture),
            (b"", FileKind::Unknown),
            (b"hello", FileKind::Unknown),
            (b"version https://git-lfs.github.com/spec/v1\n", FileKind::Unknown),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(file_kind(&path), kind);
        }
        assert_eq!(file_kind(&folder.path().join("absent")), FileKind::Unknown);
    }
}
