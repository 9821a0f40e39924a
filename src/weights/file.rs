//! A file of weights, read in pieces where they lie.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// One file of weights. It is never mapped: a mapped file that another program shortens, or whose disk goes away,
/// ends this program; a read that fails is an error.
#[derive(Debug)]
pub struct WeightFile {
    /// Where it is, for messages.
    pub path: PathBuf,
    bytes: WeightBytes,
}

#[derive(Debug)]
enum WeightBytes {
    /// Inside the program.
    Embedded(&'static [u8]),
    /// On a disk.
    File(File),
}

impl WeightFile {
    /// A file inside the program.
    pub fn embedded(path: PathBuf, bytes: &'static [u8]) -> Self {
        Self { path, bytes: WeightBytes::Embedded(bytes) }
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe waits for its writer.
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            let reason = "it is a folder; name the file of weights in it";
            return Err(io::Error::new(io::ErrorKind::IsADirectory, reason));
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Self { path: path.to_owned(), bytes: WeightBytes::File(File::open(path)?) })
    }

    /// Bytes of the file now.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn bytes_now(&self) -> io::Result<u64> {
        match &self.bytes {
            WeightBytes::Embedded(bytes) => Ok(bytes.len() as u64),
            WeightBytes::File(file) => Ok(file.metadata()?.len()),
        }
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the file ends before, and what the operating system says.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.bytes {
            WeightBytes::Embedded(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let part = bytes.get(from..).and_then(|rest| rest.get(..buffer.len()));
                buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            WeightBytes::File(file) => file_read_exact_at(file, buffer, offset),
        }
    }
}

fn file_read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    let read = |buffer: &mut [u8], offset| std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    #[cfg(windows)]
    let read = |buffer: &mut [u8], offset| std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
    while !buffer.is_empty() {
        match read(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_a_file_that_became_shorter_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, b"0123456789").unwrap();
        let embedded = WeightFile::embedded("inside".into(), b"0123456789");
        let on_disk = WeightFile::open(&path).unwrap();
        let mut part = [0; 4];
        for file in [&embedded, &on_disk] {
            assert_eq!(file.bytes_now().unwrap(), 10);
            file.read_exact_at(&mut part, 6).unwrap();
            assert_eq!(&part, b"6789");
            for offset in [7, 10, u64::from(u32::MAX)] {
                let error = file.read_exact_at(&mut part, offset).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            }
        }
        File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
        assert!(on_disk.read_exact_at(&mut part, 4).is_err());
        let error = WeightFile::open(folder.path()).unwrap_err().to_string();
        assert_eq!(error, "it is a folder; name the file of weights in it");
    }
}
