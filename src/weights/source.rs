//! Where tensors come from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{GgufMetadata, StoredTensor, WeightDtype, WeightError};

/// What is known of a tensor before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// The number format.
    pub dtype: WeightDtype,
    /// The edges, the slowest first.
    pub shape: Vec<usize>,
}

/// Named tensors, read one by one.
pub trait TensorSource: Send + Sync {
    /// The names of all tensors, sorted.
    fn names(&self) -> Vec<&str>;

    /// What is known of a tensor, `None` if there is none of this name.
    fn info(&self, name: &str) -> Option<TensorInfo>;

    /// The name of the number format of a tensor, also of one that is not read.
    fn format_name(&self, name: &str) -> Option<Cow<'_, str>> {
        self.info(name).map(|info| info.dtype.name().into())
    }

    /// The file that holds a tensor, or where one of this name was searched; for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// What the file says about itself and its tokenizer, if it is a GGUF file.
    fn gguf_metadata(&self) -> Option<&GgufMetadata> {
        None
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// [`WeightError::Missing`] and [`WeightError::Tensor`].
    fn read(&self, name: &str) -> Result<StoredTensor, WeightError>;

    /// Reads some of a tensor's rows: parts along its first dimension. Sources that can, read no others.
    ///
    /// # Errors
    /// As [`Self::read`].
    ///
    /// # Panics
    /// If there are no such rows.
    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<StoredTensor, WeightError> {
        Ok(self.read(name)?.rows(rows))
    }
}

impl TensorInfo {
    /// The number of values. A file may claim any shape for a tensor whose format is not read, so there may be more than
    /// can be counted: then it is the largest number.
    pub fn values(&self) -> u64 {
        self.shape.iter().fold(1, |values: u64, edge| values.saturating_mul(*edge as u64))
    }
}

/// Values in all tensors of a source; the largest number for more.
pub fn parameters(source: &dyn TensorSource) -> u64 {
    sum(source, |info| info.values())
}

/// The sum of a number of each tensor; the largest number where it is beyond that.
pub fn sum(source: &dyn TensorSource, of: impl Fn(TensorInfo) -> u64) -> u64 {
    let infos = source.names().into_iter().filter_map(|name| source.info(name));
    infos.map(of).fold(0, u64::saturating_add)
}

/// Bytes of all tensors of a source as they are stored.
pub fn stored_bytes(source: &dyn TensorSource) -> u64 {
    sum(source, |info| info.dtype.bytes_of(&info.shape).unwrap_or_default() as u64)
}

/// The end of a batch norm's counter of training steps, an integer that no network reads.
const COUNTER: &str = ".num_batches_tracked";

/// blake3 over all weights and their names, in the order of the names, hex.
///
/// # Errors
/// If one cannot be read.
pub fn hash(source: &dyn TensorSource) -> Result<String, WeightError> {
    let mut hasher = blake3::Hasher::new();
    for name in source.names().into_iter().filter(|name| !name.ends_with(COUNTER)) {
        hasher.update(name.as_bytes());
        let stored = source.read(name)?;
        hasher.update(stored.view().bytes);
        hasher.update(bytemuck::cast_slice(stored.view().scales));
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Tensors in memory.
#[derive(Clone, Debug, Default)]
pub struct TensorMap {
    tensors: BTreeMap<String, StoredTensor>,
}

impl TensorMap {
    /// Adds a tensor, or replaces the one of this name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: StoredTensor) {
        self.tensors.insert(name.into(), tensor);
    }
}

impl TensorSource for TensorMap {
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let tensor = self.tensors.get(name)?;
        Some(TensorInfo { dtype: tensor.dtype(), shape: tensor.shape().to_vec() })
    }

    fn path(&self, _: &str) -> PathBuf {
        Path::new("in memory").to_owned()
    }

    fn read(&self, name: &str) -> Result<StoredTensor, WeightError> {
        let missing = || WeightError::Missing { name: name.into(), shape: vec![], path: self.path(name) };
        self.tensors.get(name).cloned().ok_or_else(missing)
    }
}
