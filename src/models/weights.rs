//! Weights from safetensors files: mapped, copied once, named in errors.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use safetensors::SafeTensors;

use super::ModelError;
use crate::store::{WeightBytes, WeightFile};

/// The format's own limit for a header, bytes.
const MAX_HEADER: u64 = 100_000_000;

struct Entry {
    file: usize,
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    /// Byte range in the file.
    range: std::ops::Range<usize>,
}

/// All tensors of a part's files.
pub(super) struct Weights {
    files: Vec<(PathBuf, WeightBytes)>,
    entries: HashMap<String, Entry>,
}

impl Weights {
    /// Reads the headers of `files`.
    pub(super) fn open(files: Vec<WeightFile>) -> Result<Self, ModelError> {
        let mut weights = Self { files: Vec::new(), entries: HashMap::new() };
        for (index, WeightFile { path, bytes }) in files.into_iter().enumerate() {
            let damaged = |reason: String| ModelError::Weights { reason, path: path.clone() };
            let header = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
            match header {
                None => return Err(damaged("the file is too short".into())),
                Some(length) if length > MAX_HEADER => {
                    return Err(damaged(format!("its header claims {length} bytes")));
                }
                Some(_) => {}
            }
            let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
            let start = bytes.as_ptr() as usize;
            for (name, view) in tensors.iter() {
                let from = view.data().as_ptr() as usize - start;
                let range = from..from + view.data().len();
                let entry = Entry { file: index, dtype: view.dtype(), shape: view.shape().to_vec(), range };
                weights.entries.insert(name.to_owned(), entry);
            }
            weights.files.push((path, bytes));
        }
        Ok(weights)
    }

    /// Values in all tensors.
    pub(super) fn parameters(&self) -> u64 {
        self.entries.values().map(|entry| entry.shape.iter().product::<usize>() as u64).sum()
    }

    /// blake3 over all tensors, in the order of their names, hex.
    pub(super) fn hash(&self) -> String {
        let mut names: Vec<&String> = self.entries.keys().collect();
        names.sort();
        let mut hasher = blake3::Hasher::new();
        for name in names {
            let entry = &self.entries[name];
            hasher.update(name.as_bytes());
            hasher.update(&self.files[entry.file].1[entry.range.clone()]);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// What networks are built from. On a CPU in f32, matrices of 16 bits stay as they are stored: the operations
    /// widen them where they multiply.
    pub(super) fn into_var_builder(self, dtype: DType, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), dtype, device.clone())
    }

    fn tensor(
        &self,
        name: &str,
        entry: &Entry,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let (path, bytes) = &self.files[entry.file];
        let data = &bytes[entry.range.clone()];
        let stored = match entry.dtype {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            safetensors::Dtype::F64 => DType::F64,
            other => {
                let message =
                    format!("the tensor ‘{name}’ has the number format {other:?}: {}", path.display());
                return Err(candle_core::Error::Msg(message));
            }
        };
        let mut tensor = Tensor::from_raw_buffer(data, stored, &entry.shape, &Device::Cpu)?;
        if !(stays_stored(stored, &entry.shape) && dtype == DType::F32 && device.is_cpu()) {
            tensor = tensor.to_dtype(dtype)?.to_device(device)?;
        }
        // What was converted is not held twice.
        bytes.release(entry.range.clone());
        Ok(tensor)
    }

    fn places(&self) -> String {
        self.files.first().map(|(path, _)| path.display().to_string()).unwrap_or_default()
    }
}

/// Whether a tensor is a matrix of 16 bits, which the operations take as it is.
fn stays_stored(stored: DType, shape: &[usize]) -> bool {
    matches!(stored, DType::F16 | DType::BF16) && shape.len() >= 2
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        expected: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let Some(entry) = self.entries.get(name) else {
            let message = format!("the tensor ‘{name}’ {:?} is missing: {}", expected.dims(), self.places());
            return Err(candle_core::Error::Msg(message));
        };
        if entry.shape != expected.dims() {
            let path = self.files[entry.file].0.display();
            let message = format!(
                "the tensor ‘{name}’ should be {:?} and is {:?}: {path}",
                expected.dims(),
                entry.shape
            );
            return Err(candle_core::Error::Msg(message));
        }
        self.tensor(name, entry, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        match self.entries.get(name) {
            Some(entry) => self.tensor(name, entry, dtype, device),
            None => {
                Err(candle_core::Error::Msg(format!("the tensor ‘{name}’ is missing: {}", self.places())))
            }
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }
}
