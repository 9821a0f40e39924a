//! The part of a file that has come: hashed while it is written, hashed again when a later run goes on.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::HubError;
use super::disk::Disk;
use super::hash::{ContentHash, Hasher};
use crate::request::CancelToken;

/// Bytes read or written at once.
pub(super) const PIECE: usize = 1 << 20;

/// A file that is not complete.
pub(super) struct Part<'a> {
    file: File,
    path: PathBuf,
    disk: &'a dyn Disk,
    hash: Option<ContentHash>,
    hasher: Hasher,
    /// The size of the complete file, if it is known, bytes.
    size: Option<u64>,
    received: u64,
}

impl<'a> Part<'a> {
    /// Opens or makes a part. What is there already is hashed; what cannot be a part of the file is dropped. `None` if
    /// it was stopped.
    pub(super) fn open(
        path: &Path,
        size: Option<u64>,
        hash: Option<&ContentHash>,
        disk: &'a dyn Disk,
        cancel: &CancelToken,
    ) -> Result<Option<Self>, HubError> {
        let failed = |error: &std::io::Error| HubError::disk("write the part that came", path, error);
        // Never through a link that stands where the part should be.
        if path.is_symlink() {
            std::fs::remove_file(path).map_err(|error| failed(&error))?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| failed(&error))?;
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        let mut part = Self {
            file,
            path: path.to_owned(),
            disk,
            hash: hash.cloned(),
            hasher: Hasher::new(hash, size.unwrap_or_default()),
            size,
            received: 0,
        };
        if size.is_some_and(|size| length > size) {
            part.restart()?;
            return Ok(Some(part));
        }
        let mut buffer = vec![0; PIECE];
        while part.received < length {
            if cancel.is_stopped() {
                return Ok(None);
            }
            match part.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    part.hasher.update(&buffer[..count]);
                    part.received += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(Some(part))
    }

    /// Bytes that have come.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Writes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        // At its place and not at the end: on a file system without locks another program may write the same file.
        if let Err(error) = self.disk.write(&mut self.file, bytes) {
            // Half a piece is no loss: the file is cut to what was hashed.
            let _ = self.file.set_len(self.received);
            return Err(self.failed(&error));
        }
        self.hasher.update(bytes);
        self.received += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew: the server has another file than before.
    pub(super) fn restart(&mut self) -> Result<(), HubError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|error| self.failed(&error))?;
        self.hasher = Hasher::new(self.hash.as_ref(), self.size.unwrap_or_default());
        self.received = 0;
        Ok(())
    }

    /// Checks the complete file, makes it durable and gives it its name. Returns its hash. A wrong one is removed.
    pub(super) fn finish(self, target: &Path, name: &str) -> Result<ContentHash, HubError> {
        let got = self.hasher.finish();
        if let Some(listed) = self.hash.filter(|listed| *listed != got) {
            drop(self.file);
            let _ = std::fs::remove_file(&self.path);
            return Err(HubError::WrongHash {
                kind: listed.kind(),
                got: got.name().to_owned(),
                listed: listed.name().to_owned(),
                file: name.to_owned(),
            });
        }
        let failed = |error: &std::io::Error| HubError::disk("write the file", target, error);
        // Before it has its name: after a power cut there is no file with a good name and bad content.
        self.file.sync_all().map_err(|error| failed(&error))?;
        drop(self.file);
        std::fs::rename(&self.path, target).map_err(|error| failed(&error))?;
        Ok(got)
    }

    /// Removes what came.
    pub(super) fn discard(self) {
        drop(self.file);
        let _ = std::fs::remove_file(&self.path);
    }

    fn failed(&self, error: &std::io::Error) -> HubError {
        use std::io::ErrorKind;
        if let (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, Some(size)) = (error.kind(), self.size) {
            let folder = self.path.parent().unwrap_or(&self.path).to_owned();
            let free = self.disk.available(&folder).unwrap_or(0);
            return HubError::Space { needed: size.saturating_sub(self.received), free, folder };
        }
        HubError::disk("write the part that came", &self.path, error)
    }
}
