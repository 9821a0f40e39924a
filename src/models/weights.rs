//! Weights from safetensors files: read once into place, named in errors.

use std::collections::HashMap;
use std::io;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use half::vec::HalfBitsVecExt as _;
use safetensors::tensor::Metadata;

use super::ModelError;
use crate::content::{Content, START_BYTES, json};
use crate::networks::{Parameters, Runtime};
use crate::store::WeightFile;

/// The format's own limit for a header, bytes.
const MAX_HEADER: u64 = 100_000_000;
/// Bytes that are read at once to be hashed.
const HASHED: usize = 1 << 20;

struct Entry {
    file: usize,
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    /// Where the values begin in the file.
    offset: u64,
    /// Bytes of the values.
    len: usize,
}

/// All tensors of a part's files.
pub(super) struct Weights {
    files: Vec<WeightFile>,
    entries: HashMap<String, Entry>,
}

/// Why a file gave no bytes.
fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the file became shorter while it was read; if it is still being copied or downloaded, open the model again afterwards".to_owned()
        }
        _ => format!("the file cannot be read: {error}"),
    }
}

impl Weights {
    /// Reads the headers of `files`.
    pub(super) fn open(files: Vec<WeightFile>) -> Result<Self, ModelError> {
        let mut entries = HashMap::new();
        for (index, file) in files.iter().enumerate() {
            let damaged = |reason: String| ModelError::Weights { reason, path: file.path.clone() };
            read_header(file, index, &mut entries).map_err(damaged)?;
        }
        Ok(Self { files, entries })
    }

    /// Values in all tensors.
    pub(super) fn parameters(&self) -> u64 {
        self.entries.values().map(|entry| entry.shape.iter().product::<usize>() as u64).sum()
    }

    /// Bytes that the tensors take in memory as [`Self::into_parameters`] gives them.
    pub(super) fn bytes_in(&self, dtype: DType, device: &Device) -> u64 {
        let bytes = |entry: &Entry| {
            let values: usize = entry.shape.iter().product();
            let stored = dtype_of(entry.dtype).filter(|stored| stays(*stored, &entry.shape, dtype, device));
            (values * stored.unwrap_or(dtype).size_in_bytes()) as u64
        };
        self.entries.values().map(bytes).sum()
    }

    /// blake3 over all tensors, in the order of their names, hex.
    ///
    /// # Errors
    /// If a file cannot be read to its end.
    pub(super) fn hash(&self) -> Result<String, ModelError> {
        let mut names: Vec<&String> = self.entries.keys().collect();
        names.sort();
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; HASHED];
        for name in names {
            let entry = &self.entries[name];
            let file = &self.files[entry.file];
            hasher.update(name.as_bytes());
            for from in (0..entry.len).step_by(HASHED) {
                let piece = &mut buffer[..HASHED.min(entry.len - from)];
                file.read_exact_at(piece, entry.offset + from as u64).map_err(|error| {
                    ModelError::Weights { reason: unreadable(&error), path: file.path.clone() }
                })?;
                hasher.update(piece);
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// What networks are built from. On a CPU in f32, matrices of 16 bits stay as they are stored: the operations
    /// widen them where they multiply.
    pub(super) fn into_parameters(self, runtime: &Runtime) -> Parameters<'static> {
        let tensors = VarBuilder::from_backend(Box::new(self), runtime.dtype(), runtime.device().clone());
        Parameters::new(tensors, runtime)
    }

    fn tensor(
        &self,
        name: &str,
        entry: &Entry,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let file = &self.files[entry.file];
        let failed = |why: String| {
            candle_core::Error::Msg(format!("the tensor ‘{name}’: {why}: {}", file.path.display()))
        };
        let Some(stored) = dtype_of(entry.dtype) else {
            return Err(failed(format!("its number format {:?} is not supported", entry.dtype)));
        };
        let shape = entry.shape.as_slice();
        // Read into the buffer that the tensor keeps: nothing is held twice.
        let tensor = match stored {
            DType::F32 => {
                values::<f32>(file, entry).map(|values| Tensor::from_vec(values, shape, &Device::Cpu))
            }
            DType::F64 => {
                values::<f64>(file, entry).map(|values| Tensor::from_vec(values, shape, &Device::Cpu))
            }
            DType::BF16 => values::<u16>(file, entry)
                .map(|bits| Tensor::from_vec(bits.reinterpret_into::<half::bf16>(), shape, &Device::Cpu)),
            _ => values::<u16>(file, entry)
                .map(|bits| Tensor::from_vec(bits.reinterpret_into::<half::f16>(), shape, &Device::Cpu)),
        };
        let tensor = tensor.map_err(|error| failed(unreadable(&error)))??;
        if stays(stored, shape, dtype, device) {
            Ok(tensor)
        } else {
            tensor.to_dtype(dtype)?.to_device(device)
        }
    }

    fn places(&self) -> String {
        self.files.first().map(|file| file.path.display().to_string()).unwrap_or_default()
    }
}

/// The values of a tensor as they are stored.
fn values<T: bytemuck::Pod>(file: &WeightFile, entry: &Entry) -> io::Result<Vec<T>> {
    let mut values = vec![T::zeroed(); entry.len / size_of::<T>()];
    file.read_exact_at(bytemuck::cast_slice_mut(&mut values), entry.offset)?;
    Ok(values)
}

/// Adds a file's tensors to `entries`; what is wrong with the file otherwise.
fn read_header(file: &WeightFile, index: usize, entries: &mut HashMap<String, Entry>) -> Result<(), String> {
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
    let is_short = |needed: u64| {
        format!(
            "the file ends too early: it has {len} bytes and should have {needed}; download or copy it again"
        )
    };
    if data_start > len {
        return Err(is_short(data_start));
    }
    let header = read(8, header_len)?;
    let metadata: Metadata =
        json::from_slice(&header).map_err(|error| format!("its header cannot be read: {error}"))?;
    let needed = data_start + metadata.data_len() as u64;
    if len < needed {
        return Err(is_short(needed));
    }
    if len > needed {
        return Err(format!("the file has {len} bytes and should have {needed}"));
    }
    for (name, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let entry = Entry {
            file: index,
            dtype: info.dtype,
            shape: info.shape.clone(),
            offset: data_start + from as u64,
            len: to - from,
        };
        entries.insert(name, entry);
    }
    Ok(())
}

/// The number format in candle's terms, of those that weights are read in.
fn dtype_of(stored: safetensors::Dtype) -> Option<DType> {
    Some(match stored {
        safetensors::Dtype::F32 => DType::F32,
        safetensors::Dtype::F16 => DType::F16,
        safetensors::Dtype::BF16 => DType::BF16,
        safetensors::Dtype::F64 => DType::F64,
        _ => return None,
    })
}

/// Whether a tensor is given as it is stored: a matrix of 16 bits, which the operations on a CPU take as it is.
fn stays(stored: DType, shape: &[usize], dtype: DType, device: &Device) -> bool {
    let is_half_matrix = matches!(stored, DType::F16 | DType::BF16) && shape.len() >= 2;
    is_half_matrix && dtype == DType::F32 && device.is_cpu()
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
            let path = self.files[entry.file].path.display();
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
