//! GGUF files: the header is checked before any value is read.
//!
//! Source: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod cursor;
mod metadata;
#[cfg(test)]
mod tests;
mod types;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

pub use metadata::{GgufMetadata, GgufNumber, GgufNumbers, GgufTexts, GgufValue};

use self::cursor::Cursor;
use super::error::{too_short, unreadable};
use super::{StoredTensor, TensorInfo, TensorSource, WeightDtype, WeightError, WeightFile};
use crate::content::{Content, START_BYTES};

/// More tensors than any model has.
const MAX_TENSORS: u64 = 1 << 16;
/// GGML itself has four.
const MAX_DIMENSIONS: usize = 8;

struct Entry {
    /// `None` in a format that this program does not read; it is named then.
    dtype: Result<WeightDtype, String>,
    shape: Vec<usize>,
    /// Where the values begin in the file.
    offset: u64,
}

/// All tensors of one GGUF file, and what it says about itself.
pub struct GgufFile {
    file: WeightFile,
    metadata: GgufMetadata,
    entries: BTreeMap<String, Entry>,
}

impl GgufFile {
    /// Reads the header of `file`.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] for what is no GGUF file of the versions 2 and 3, or ends before its last tensor.
    pub fn open(file: WeightFile) -> Result<Self, WeightError> {
        let damaged = |reason: String| WeightError::Damaged { reason, path: file.path.clone() };
        let (metadata, entries) = read_header(&file).map_err(damaged)?;
        Ok(Self { file, metadata, entries })
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &GgufMetadata {
        &self.metadata
    }

    fn read_values(&self, name: &str, rows: Option<Range<usize>>) -> Result<StoredTensor, WeightError> {
        let path = self.path(name);
        let Some(entry) = self.entries.get(name) else {
            return Err(WeightError::Missing { name: name.into(), shape: Vec::new(), path });
        };
        let failed = |reason: String| WeightError::Tensor { name: name.into(), reason, path: path.clone() };
        let dtype = entry
            .dtype
            .clone()
            .map_err(|found| failed(format!("its number format {found} is not supported")))?;
        let (mut shape, mut offset) = (entry.shape.clone(), entry.offset);
        if let Some(rows) = rows {
            assert!(rows.end <= shape[0], "rows of the tensor");
            // Where this is beyond all numbers, there are no rows.
            let row = shape[1..].iter().try_fold(1_usize, |row, edge| row.checked_mul(*edge)).unwrap_or(0);
            let is_whole = row.is_multiple_of(dtype.block_values());
            let before = dtype.bytes_of(&[row * rows.start]).filter(|_| is_whole);
            offset += before.ok_or_else(|| {
                failed(format!("a row of {row} values is not whole blocks of {}", dtype.name()))
            })? as u64;
            shape[0] = rows.len();
        }
        // Blocks of a tensor with another shape than that of its blocks go from one row to the next.
        let values: usize = shape.iter().product();
        let stored = StoredTensor::read(dtype, &[values], |bytes| self.file.read_exact_at(bytes, offset));
        stored.map(|stored| stored.reshaped(&shape)).map_err(|error| failed(unreadable(&error)))
    }
}

impl TensorSource for GgufFile {
    fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let entry = self.entries.get(name)?;
        // What a format that is not read would take does not matter: reading it is an error.
        let dtype = *entry.dtype.as_ref().unwrap_or(&WeightDtype::F32);
        Some(TensorInfo { dtype, shape: entry.shape.clone() })
    }

    fn format_name(&self, name: &str) -> Option<Cow<'_, str>> {
        let entry = self.entries.get(name)?;
        Some(match &entry.dtype {
            Ok(dtype) => dtype.name().into(),
            Err(not_read) => not_read.into(),
        })
    }

    fn path(&self, _: &str) -> PathBuf {
        self.file.path.clone()
    }

    fn gguf_metadata(&self) -> Option<&GgufMetadata> {
        Some(&self.metadata)
    }

    fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
        self.read_values(name, None)
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<StoredTensor, WeightError> {
        self.read_values(name, Some(rows))
    }
}

/// A file's metadata and tensors; what is wrong with it otherwise.
fn read_header(file: &WeightFile) -> Result<(GgufMetadata, BTreeMap<String, Entry>), String> {
    let len = file.bytes_now().map_err(|error| unreadable(&error))?;
    let mut start = vec![0; len.min(START_BYTES as u64) as usize];
    file.read_exact_at(&mut start, 0).map_err(|error| unreadable(&error))?;
    match Content::of(&start) {
        Content::Gguf => {}
        content => return Err(format!("this is {content}, where a GGUF file should be")),
    }
    let mut cursor = Cursor::new(file, len);
    cursor.array::<4>()?;
    match cursor.u32()? {
        2 | 3 => {}
        version if version.trailing_zeros() >= 16 && version != 0 => {
            return Err("its numbers are big-endian, and only little-endian GGUF files are read".to_owned());
        }
        version => {
            return Err(format!("it is of GGUF's version {version}, and the versions 2 and 3 are read"));
        }
    }
    let (tensors, keys) = (cursor.u64()?, cursor.u64()?);
    if tensors > MAX_TENSORS {
        return Err(format!("its header claims {tensors} tensors, more than any model has"));
    }
    let metadata = GgufMetadata::read(&mut cursor, keys)?;
    if let Some(parts) = metadata.get("split.count").and_then(GgufValue::as_u64).filter(|parts| *parts > 1) {
        return Err(format!(
            "it is one of {parts} parts of a model; join them with ‘llama-gguf-split --merge’"
        ));
    }
    let alignment = alignment(&metadata)?;
    let mut entries = BTreeMap::new();
    for _ in 0..tensors {
        let (name, entry) = read_entry(&mut cursor, alignment)?;
        if entries.contains_key(&name) {
            return Err(format!("its header has the tensor ‘{name}’ twice"));
        }
        entries.insert(name, entry);
    }
    let data_start = cursor.at().next_multiple_of(alignment);
    place(&mut entries, data_start, len)?;
    for (name, entry) in &mut entries {
        if let Some(shape) = metadata.get(&format!("comfy.gguf.orig_shape.{name}")) {
            entry.shape = true_shape(shape, &entry.shape).ok_or_else(|| {
                format!("the tensor ‘{name}’ has another number of values than its true shape")
            })?;
        }
    }
    Ok((metadata, entries))
}

/// What the places of tensors are multiples of.
fn alignment(metadata: &GgufMetadata) -> Result<u64, String> {
    const DEFAULT: u64 = 32;
    const MOST: u64 = 1 << 20;
    let Some(value) = metadata.get("general.alignment") else { return Ok(DEFAULT) };
    value
        .as_u64()
        .filter(|alignment| alignment.is_power_of_two() && *alignment <= MOST)
        .ok_or_else(|| "its general.alignment is no power of two up to 1048576".to_owned())
}

/// A tensor's name and what is known of it; its place is still that in the file's data.
fn read_entry(cursor: &mut Cursor<'_>, alignment: u64) -> Result<(String, Entry), String> {
    let name = cursor.name()?;
    let rank = cursor.u32()? as usize;
    if rank > MAX_DIMENSIONS {
        return Err(format!("the tensor ‘{name}’ has {rank} dimensions, more than any tensor has"));
    }
    let mut shape = Vec::with_capacity(rank);
    for _ in 0..rank {
        let edge = cursor.u64()?;
        shape.push(usize::try_from(edge).map_err(|_| format!("the tensor ‘{name}’ is too large"))?);
    }
    // The dimension whose values follow each other comes first in the file.
    shape.reverse();
    let dtype = types::of(cursor.u32()?);
    let offset = cursor.u64()?;
    if !offset.is_multiple_of(alignment) {
        return Err(format!("the tensor ‘{name}’ lies at {offset}, which is no multiple of {alignment}"));
    }
    Ok((name, Entry { dtype, shape, offset }))
}

/// Gives each tensor its place in the file, after it was checked.
fn place(entries: &mut BTreeMap<String, Entry>, data_start: u64, len: u64) -> Result<(), String> {
    let mut places = Vec::new();
    for (name, entry) in entries.iter_mut() {
        let Entry { dtype, shape, offset } = entry;
        // Of a format that is not read only the beginning is known.
        let bytes = match dtype {
            Ok(dtype) => {
                let block = dtype.block_values();
                let row = shape.last().copied().unwrap_or(1);
                if !row.is_multiple_of(block) {
                    let format = dtype.name();
                    return Err(format!(
                        "the tensor ‘{name}’ has rows of {row} values, which are no whole blocks of {block} ({format})"
                    ));
                }
                dtype.bytes_of(shape)
            }
            Err(_) => shape.iter().try_fold(1_usize, |product, edge| product.checked_mul(*edge)).map(|_| 0),
        };
        let bytes = bytes.ok_or_else(|| format!("the tensor ‘{name}’ {shape:?} is too large"))? as u64;
        let from = data_start.saturating_add(*offset);
        let to = from.saturating_add(bytes);
        if to > len && bytes > 0 || from > len && dtype.is_err() {
            return Err(too_short(len, to));
        }
        *offset = from;
        places.push((from, to, name));
    }
    places.retain(|(from, to, _)| from < to);
    places.sort_unstable();
    for neighbours in places.windows(2) {
        let [(_, end, first), (start, _, second)] = neighbours else { unreachable!("pairs") };
        if start < end {
            return Err(format!("the tensors ‘{first}’ and ‘{second}’ lie over each other"));
        }
    }
    Ok(())
}

/// The shape that a tensor had before its values were put into rows of whole blocks, the slowest dimension first.
fn true_shape(value: &GgufValue, stored: &[usize]) -> Option<Vec<usize>> {
    let GgufValue::Numbers(numbers) = value else { return None };
    if numbers.len() > MAX_DIMENSIONS {
        return None;
    }
    let shape: Vec<usize> =
        numbers.iter().map(|number| usize::try_from(number.as_u64()?).ok()).collect::<Option<_>>()?;
    let values = shape.iter().try_fold(1_usize, |product, edge| product.checked_mul(*edge))?;
    (values == stored.iter().product::<usize>()).then_some(shape)
}
