//! The files in `tests/fixtures`, and tensors recorded by the reference implementations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The folder of the package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file or folder in `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// A picture, latent or other file in `tests/fixtures/files`, which `make_files.py` writes.
pub(crate) fn file(name: &str) -> PathBuf {
    fixture("files").join(name)
}

pub(crate) fn file_bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

/// The JSON document of a file.
pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The numbers of a JSON list as token ids.
pub(crate) fn token_ids(list: &serde_json::Value) -> Vec<u32> {
    list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// Recorded f32 tensors by name: shape and values.
pub(crate) type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// The tensors of a safetensors file of f32.
pub(crate) fn tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values =
        |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    tensors
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), values(view.data()))))
        .collect()
}
