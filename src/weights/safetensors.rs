//! Safetensors files: the header is checked before any value is read.
//!
//! Source: <https://huggingface.co/docs/safetensors>.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use safetensors::tensor::Metadata;

use super::error::{too_short, unreadable};
use super::{StoredTensor, TensorInfo, TensorSource, WeightDtype, WeightError, WeightFile};
use crate::content::{Content, START_BYTES, json};

/// The format's own limit for a header, bytes.
const MAX_HEADER: u64 = 100_000_000;

struct Entry {
    file: usize,
    /// `None` in a format that this program does not read; it is named then.
    dtype: Result<WeightDtype, String>,
    shape: Vec<usize>,
    /// Where the values begin in the file.
    offset: u64,
}

/// All tensors of one file, or of the shards of one network.
pub struct SafetensorsFiles {
    files: Vec<WeightFile>,
    entries: BTreeMap<String, Entry>,
}

impl SafetensorsFiles {
    /// Reads the headers of `files`.
    ///
    /// # Errors
    /// [`WeightError::Damaged`] for what is no safetensors file, or ends before its last tensor.
    pub fn open(files: Vec<WeightFile>) -> Result<Self, WeightError> {
        let mut entries = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let damaged = |reason: String| WeightError::Damaged { reason, path: file.path.clone() };
            read_header(file, index, &mut entries).map_err(damaged)?;
        }
        Ok(Self { files, entries })
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
            offset += (dtype.bytes_of(&shape).unwrap_or_default() / shape[0].max(1) * rows.start) as u64;
            shape[0] = rows.len();
        }
        let file = &self.files[entry.file];
        StoredTensor::read(dtype, &shape, |bytes| file.read_exact_at(bytes, offset))
            .map_err(|error| failed(unreadable(&error)))
    }
}

impl TensorSource for SafetensorsFiles {
    fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let entry = self.entries.get(name)?;
        // What a format that is not read would take does not matter: reading it is an error.
        let dtype = *entry.dtype.as_ref().unwrap_or(&WeightDtype::F32);
        Some(TensorInfo { dtype, shape: entry.shape.clone() })
    }

    fn path(&self, name: &str) -> PathBuf {
        let file = self.entries.get(name).map_or(0, |entry| entry.file);
        self.files.get(file).map(|file| file.path.clone()).unwrap_or_default()
    }

    fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
        self.read_values(name, None)
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<StoredTensor, WeightError> {
        self.read_values(name, Some(rows))
    }
}

/// Adds a file's tensors to `entries`; what is wrong with the file otherwise.
fn read_header(file: &WeightFile, index: usize, entries: &mut BTreeMap<String, Entry>) -> Result<(), String> {
    let len = file.bytes_now().map_err(|error| unreadable(&error))?;
    let read = |from: u64, count: u64| {
        let mut bytes = vec![0; count as usize];
        file.read_exact_at(&mut bytes, from).map(|()| bytes).map_err(|error| unreadable(&error))
    };
    let start = read(0, len.min(START_BYTES as u64))?;
    let header_len = match (Content::of(&start), start.first_chunk::<8>()) {
        (Content::Safetensors | Content::Unknown, Some(bytes)) => u64::from_le_bytes(*bytes),
        (Content::Unknown, None) => return Err("the file is too short".to_owned()),
        (content, _) => return Err(format!("this is {content}, where a safetensors file should be")),
    };
    if header_len > MAX_HEADER {
        return Err(format!("its header claims {header_len} bytes, more than any header has"));
    }
    let data_start = 8 + header_len;
    if data_start > len {
        return Err(too_short(len, data_start));
    }
    let header = read(8, header_len)?;
    let metadata: Metadata =
        json::from_slice(&header).map_err(|error| format!("its header cannot be read: {error}"))?;
    let needed = data_start + metadata.data_len() as u64;
    if len < needed {
        return Err(too_short(len, needed));
    }
    if len > needed {
        return Err(format!("the file has {len} bytes and should have {needed}"));
    }
    for (name, info) in metadata.tensors() {
        let entry = Entry {
            file: index,
            dtype: dtype_of(info.dtype).ok_or_else(|| format!("{:?}", info.dtype)),
            shape: info.shape.clone(),
            offset: data_start + info.data_offsets.0 as u64,
        };
        entries.insert(name, entry);
    }
    Ok(())
}

/// The number format in this program's terms, of those that weights are read in.
fn dtype_of(stored: safetensors::Dtype) -> Option<WeightDtype> {
    Some(match stored {
        safetensors::Dtype::F32 => WeightDtype::F32,
        safetensors::Dtype::F16 => WeightDtype::F16,
        safetensors::Dtype::BF16 => WeightDtype::Bf16,
        safetensors::Dtype::F64 => WeightDtype::F64,
        safetensors::Dtype::F8_E4M3 => WeightDtype::F8E4m3,
        safetensors::Dtype::F8_E5M2 => WeightDtype::F8E5m2,
        _ => return None,
    })
}
