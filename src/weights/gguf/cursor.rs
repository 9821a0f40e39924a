//! Numbers and texts of a header, one after another, each checked against the file before memory is taken for it.

use super::super::WeightFile;
use super::super::error::unreadable;

/// A longer header is refused, bytes: the largest vocabularies of language models take a tenth.
const MAX_HEADER: u64 = 256 << 20;
/// Bytes that are read from the file at once.
const CHUNK: usize = 64 << 10;

/// Where a file is read.
pub(super) struct Cursor<'a> {
    file: &'a WeightFile,
    /// Of the file when it was opened.
    len: u64,
    /// Of the byte after those of `chunk`.
    next: u64,
    chunk: Vec<u8>,
    /// Bytes of `chunk` that were given.
    given: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a file of `len` bytes.
    pub(super) fn new(file: &'a WeightFile, len: u64) -> Self {
        Self { file, len, next: 0, chunk: Vec::new(), given: 0 }
    }

    /// The next byte's place in the file.
    pub(super) fn at(&self) -> u64 {
        self.next - (self.chunk.len() - self.given) as u64
    }

    /// Checks that a header may go on for `count` more things of at least `size` bytes each, and gives the number.
    pub(super) fn count(&self, count: u64, size: u64) -> Result<usize, String> {
        let (at, needed) = (self.at(), count.saturating_mul(size));
        if needed > self.len - at {
            return Err(format!(
                "its header claims {needed} bytes from byte {at} on, and the file ends at {}; download or copy it again",
                self.len
            ));
        }
        if at + needed > MAX_HEADER {
            return Err(format!("its header is longer than {MAX_HEADER} bytes, more than any header has"));
        }
        usize::try_from(count).map_err(|_| "its header is larger than the memory".to_owned())
    }

    /// Fills `out` with the next bytes, which were counted.
    fn fill(&mut self, mut out: &mut [u8]) -> Result<(), String> {
        while !out.is_empty() {
            if self.given == self.chunk.len() {
                let rest = self.len - self.next;
                self.chunk.resize(rest.min(CHUNK as u64) as usize, 0);
                self.given = 0;
                self.file.read_exact_at(&mut self.chunk, self.next).map_err(|error| unreadable(&error))?;
                self.next += self.chunk.len() as u64;
            }
            let ready = &self.chunk[self.given..];
            let len = ready.len().min(out.len());
            let (now, later) = out.split_at_mut(len);
            now.copy_from_slice(&ready[..len]);
            self.given += len;
            out = later;
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.count(N as u64, 1)?;
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A number.
    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number.
    pub(super) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `count` bytes.
    pub(super) fn bytes(&mut self, count: u64) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; self.count(count, 1)?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `count` bytes, after those of `to`.
    pub(super) fn append(&mut self, count: u64, to: &mut Vec<u8>) -> Result<(), String> {
        let (before, count) = (to.len(), self.count(count, 1)?);
        to.resize(before + count, 0);
        self.fill(&mut to[before..])
    }

    /// A name: its length, then UTF-8.
    pub(super) fn name(&mut self) -> Result<String, String> {
        /// GGML's own names have at most 63 bytes.
        const MAX_NAME: u64 = 1024;
        let at = self.at();
        let len = self.u64()?;
        if len > MAX_NAME {
            return Err(format!("its header claims a name of {len} bytes at byte {at}"));
        }
        let bytes = self.bytes(len)?;
        String::from_utf8(bytes).map_err(|_| format!("its header has a name that is no text at byte {at}"))
    }
}
