//! Weights as files hold them: number formats, tensors as they are stored, and where they come from.
//!
//! [`TensorSource`] is the one door for weights. A network asks for its tensors by their names in diffusers' layout and
//! does not know whether a file of safetensors, a GGUF file, another layout under other names or memory answers.

mod block_format;
mod buffer;
mod dtype;
mod error;
mod file;
mod gguf;
mod kind;
mod non_finite;
mod safetensors;
mod source;
mod stored;
mod vae_models;

use std::path::Path;
use std::sync::Arc;

use crate::content::Content;

pub use block_format::BlockFormat;
pub use buffer::free_spare_buffers;
pub use dtype::WeightDtype;
pub use error::WeightError;
pub use file::WeightFile;
pub use gguf::{GgufFile, GgufMetadata, GgufNumber, GgufNumbers, GgufTexts, GgufValue};
pub use kind::WeightsKind;
pub use non_finite::holds_non_finite;
pub use safetensors::{SafetensorsFiles, header_fault};
pub use source::{TensorInfo, TensorMap, TensorSource, hash, parameters, stored_bytes, sum};
pub use stored::{StoredTensor, WeightView};
pub use vae_models::{models_of_tiny_decoder, models_of_vae};

/// Opens a file of weights of any format that is known by its content; only its header is read.
///
/// # Errors
/// [`WeightError::Damaged`] for a file that cannot be read or is none of weights.
pub fn open_weights(path: &Path) -> Result<Arc<dyn TensorSource>, WeightError> {
    let file = WeightFile::open(path)
        .map_err(|error| WeightError::Damaged { reason: error::unreadable(&error), path: path.to_owned() })?;
    // What cannot be read is reported by the reader.
    match Content::of_file(path) {
        Ok(Content::Gguf) => Ok(Arc::new(GgufFile::open(file)?)),
        _ => Ok(Arc::new(SafetensorsFiles::open(vec![file])?)),
    }
}

/// What a file of weights holds, `None` if it is another kind of file, or damaged.
pub fn kind_of_weights(path: &Path) -> Option<WeightsKind> {
    match Content::of_file(path) {
        Ok(Content::Safetensors | Content::Gguf) => {
            open_weights(path).ok().map(|source| WeightsKind::of(&*source))
        }
        _ => None,
    }
}
