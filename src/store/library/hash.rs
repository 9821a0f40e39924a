//! sha256 of a file, by which model sites know it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::error::LibraryError;
use crate::request::CancelToken;

/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// The sha256 of a file, hexadecimal. `progress` gets the bytes read so far.
///
/// # Errors
/// [`LibraryError::Read`], and [`LibraryError::Stopped`].
pub(super) fn sha256(
    path: &Path,
    cancel: &CancelToken,
    progress: &dyn Fn(u64),
) -> Result<String, LibraryError> {
    let failed =
        |error: std::io::Error| LibraryError::Read { reason: error.to_string(), path: path.to_owned() };
    // Opening a pipe would block.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("it is not a regular file")));
    }
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut block, mut read) = (Sha256::new(), vec![0; BLOCK], 0);
    loop {
        if cancel.is_stopped() {
            return Err(LibraryError::Stopped);
        }
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&block[..count]);
                read += count as u64;
                progress(read);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_file_is_the_published_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        // FIPS 180-4's example, and a million times ‘a’.
        for (content, wanted) in [
            (b"abc".to_vec(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (vec![b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ] {
            std::fs::write(&path, &content).unwrap();
            let read = std::cell::Cell::new(0);
            let hash = sha256(&path, &CancelToken::new(), &|bytes| read.set(bytes)).unwrap();
            assert_eq!((hash.as_str(), read.get()), (wanted, content.len() as u64));
        }
        let cancel = CancelToken::new();
        cancel.stop();
        assert!(matches!(sha256(&path, &cancel, &|_| {}), Err(LibraryError::Stopped)));
        assert!(sha256(folder.path(), &CancelToken::new(), &|_| {}).is_err());
    }
}
