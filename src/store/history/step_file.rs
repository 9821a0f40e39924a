//! The steps of a run in one file, to which each is appended: `steps.bin`.
//!
//! The file begins with the line `safelight steps 1`. Then follow the steps, each as the number of its bytes (u64,
//! little-endian), the first 8 bytes of their blake3 hash, and the bytes of a safetensors file ([`super::kept_step`]).
//! What was written last may be torn by a kill or a power cut: reading ends before the first step that is not whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::error::HistoryError;
use crate::formats::atomic::WriteFileError;

/// The beginning of the file, without the number of its format.
const MAGIC: &[u8] = b"safelight steps ";
const HEADER: &[u8] = b"safelight steps 1\n";
/// Bytes before those of a step.
const PREFIX_LEN: u64 = 16;

/// Where steps are written: a file, or what a test puts in its place.
pub(super) trait StepSink: Write + Send {
    /// Waits until everything that was written is on the disk.
    fn sync(&mut self) -> std::io::Result<()>;
}

impl StepSink for File {
    fn sync(&mut self) -> std::io::Result<()> {
        self.sync_data()
    }
}

/// Appends the bytes of a step, in one call of the system.
pub(super) fn append(sink: &mut dyn StepSink, step: &[u8]) -> std::io::Result<()> {
    let mut record = Vec::with_capacity(PREFIX_LEN as usize + step.len());
    record.extend((step.len() as u64).to_le_bytes());
    record.extend(check_of(step));
    record.extend(step);
    sink.write_all(&record)
}

fn check_of(step: &[u8]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(step).as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// Makes the file of a new run.
pub(super) fn create(path: &Path) -> Result<File, HistoryError> {
    let make = || {
        let mut file = File::options().write(true).create_new(true).open(path)?;
        file.write_all(HEADER)?;
        Ok(file)
    };
    make().map_err(|cause| WriteFileError { cause, path: path.to_owned() }.into())
}

/// Opens the file of a run to append to it, without what is not whole at its end. Returns the number of steps in it, too.
pub(super) fn reopen(path: &Path) -> Result<(File, usize), HistoryError> {
    let Some(mut steps) = Steps::open(path)? else { return Ok((create(path)?, 0)) };
    let mut count = 0;
    while steps.next()?.is_some() {
        count += 1;
    }
    let end = steps.end;
    let cut = || {
        let mut file = File::options().write(true).open(path)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        if end == 0 {
            file.write_all(HEADER)?;
        }
        file.sync_data()?;
        Ok(file)
    };
    let file = cut().map_err(|cause| WriteFileError { cause, path: path.to_owned() })?;
    Ok((file, count))
}

/// The whole steps of a file, one after the other.
pub(super) struct Steps<'a> {
    reader: BufReader<File>,
    path: &'a Path,
    /// Bytes of the file.
    len: u64,
    /// Where the last whole step ends; 0 if not even the first line is whole.
    end: u64,
}

impl<'a> Steps<'a> {
    /// The steps in a file; `None` if there is no file.
    ///
    /// # Errors
    /// [`HistoryError::Newer`], [`HistoryError::Damaged`] if it is no file of steps, and [`HistoryError::Read`].
    pub(super) fn open(path: &'a Path) -> Result<Option<Self>, HistoryError> {
        let unread = |cause| HistoryError::Read { cause, path: path.to_owned() };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        let len = file.metadata().map_err(unread)?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        reader.by_ref().take(HEADER.len() as u64 + 20).read_until(b'\n', &mut line).map_err(unread)?;
        if line == HEADER {
            return Ok(Some(Self { reader, path, len, end: HEADER.len() as u64 }));
        }
        if HEADER.starts_with(&line) {
            return Ok(Some(Self { reader, path, len: 0, end: 0 }));
        }
        let format = line.strip_prefix(MAGIC).and_then(|rest| rest.strip_suffix(b"\n"));
        match format.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) {
            Some(found) => Err(HistoryError::Newer { found, path: path.to_owned() }),
            None => Err(damaged("it does not begin as a file of steps does".to_owned(), path)),
        }
    }

    /// The bytes of the next step; `None` at the end of those that are whole.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, HistoryError> {
        self.next_bytes().map_err(|cause| HistoryError::Read { cause, path: self.path.to_owned() })
    }

    fn next_bytes(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let left = self.len.saturating_sub(self.end);
        if left < PREFIX_LEN {
            return Ok(None);
        }
        let (mut len, mut check) = ([0; 8], [0; 8]);
        self.reader.read_exact(&mut len)?;
        self.reader.read_exact(&mut check)?;
        let len = u64::from_le_bytes(len);
        // Never more memory than the file has bytes.
        let step = if len > left - PREFIX_LEN {
            None
        } else {
            let mut step = vec![0; len as usize];
            self.reader.read_exact(&mut step)?;
            Some(step).filter(|step| check_of(step) == check)
        };
        match &step {
            Some(_) => self.end += PREFIX_LEN + len,
            // Nothing after it is read.
            None => self.len = self.end,
        }
        Ok(step)
    }

    /// Bytes after the last whole step, once [`Self::next`] returned `None`.
    pub(super) fn unread_len(&self) -> u64 {
        self.reader.get_ref().metadata().map_or(0, |data| data.len().saturating_sub(self.end))
    }
}

/// The error of a file of steps that is damaged.
pub(super) fn damaged(reason: String, path: &Path) -> HistoryError {
    HistoryError::Damaged { reason, path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these steps, as bytes.
    fn written(folder: &Path, steps: &[&[u8]]) -> Vec<u8> {
        let path = folder.join("written");
        let mut file = create(&path).unwrap();
        for step in steps {
            append(&mut file, step).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        bytes
    }

    fn read(path: &Path) -> Vec<Vec<u8>> {
        let mut steps = Steps::open(path).unwrap().unwrap();
        std::iter::from_fn(|| steps.next().unwrap()).collect()
    }

    #[test]
    fn a_file_cut_anywhere_in_its_last_step_has_the_others_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.bin");
        let steps: [&[u8]; 3] = [b"first", b"", b"the third step"];
        let bytes = written(folder.path(), &steps);
        let last = bytes.len() - 16 - steps[2].len();
        for cut in last..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(read(&path), [&b"first"[..], b""], "{cut}");
            let (mut file, count) = reopen(&path).unwrap();
            assert_eq!(count, 2);
            append(&mut file, b"another").unwrap();
            assert_eq!(read(&path), [&b"first"[..], b"", b"another"], "{cut}");
        }
        for cut in 0..HEADER.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert!(read(&path).is_empty());
            let (mut file, count) = reopen(&path).unwrap();
            append(&mut file, b"another").unwrap();
            assert_eq!((count, read(&path)), (0, vec![b"another".to_vec()]));
        }
    }

    #[test]
    fn nothing_is_read_from_a_changed_byte_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.bin");
        let steps: [&[u8]; 3] = [b"first", b"second", b"third"];
        let bytes = written(folder.path(), &steps);
        let start_of = |step: usize| HEADER.len() + steps[..step].iter().map(|s| s.len() + 16).sum::<usize>();
        for (at, bit) in (HEADER.len()..bytes.len()).flat_map(|at| [(at, 1), (at, 0x80)]) {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            std::fs::write(&path, &changed).unwrap();
            let whole = (0..3).take_while(|step| start_of(step + 1) <= at).count();
            assert_eq!(read(&path), steps[..whole], "{at}");
            let mut all = Steps::open(&path).unwrap().unwrap();
            while all.next().unwrap().is_some() {}
            assert_eq!(all.unread_len() as usize, bytes.len() - start_of(whole));
        }
    }

    #[test]
    fn zeros_that_a_power_cut_left_are_no_steps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.bin");
        let mut bytes = written(folder.path(), &[b"first"]);
        bytes.resize(bytes.len() + 4096, 0);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path), [b"first"]);
        assert_eq!(reopen(&path).unwrap().1, 1);
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, bytes.len() - 4096);
    }

    #[test]
    fn other_files_and_later_formats_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.bin");
        assert!(Steps::open(&path).unwrap().is_none());
        std::fs::write(&path, b"safelight steps 12\nwhatever").unwrap();
        let error = Steps::open(&path).err().unwrap().to_string();
        assert!(error.contains("in format 12; update the program"), "{error}");
        assert!(reopen(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"safelight steps 12\nwhatever");
        std::fs::write(&path, b"something else entirely, long enough").unwrap();
        let error = reopen(&path).err().unwrap().to_string();
        assert!(error.contains("does not begin as a file of steps does"), "{error}");
    }
}
