//! What a dropped file is, by its content.

use std::path::Path;

use crate::content::Content;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A picture of a format that is read, or of one whose reader says what to do.
    Picture,
    /// A latent: safetensors or npy.
    Latent,
    /// A folder: a model, perhaps.
    Folder,
    /// Something else, or nothing that can be read; [`Content::of_file`] says what.
    Unknown,
}

/// What a path leads to, by content and not by name. A safetensors file may also hold a model's weights.
///
/// Looks at the first bytes alone, so not for what can be read only once: see
/// [`read_input`](super::read_input). What is no file is [`FileKind::Unknown`] and is not opened.
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

/// What a file's bytes are, by the first of them.
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
