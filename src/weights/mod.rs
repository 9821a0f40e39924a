//! Weights as files hold them: number formats, tensors as they are stored, and where they come from.
//!
//! [`TensorSource`] is the one door for weights. A network asks for its tensors by their names in diffusers' layout and
//! does not know whether a file of safetensors, a GGUF file, another layout under other names or memory answers.

mod dtype;
mod error;
mod file;
mod gguf;
mod safetensors;
mod source;
mod stored;

pub use dtype::WeightDtype;
pub use error::WeightError;
pub use file::WeightFile;
pub use gguf::{GgufFile, GgufMetadata, GgufNumber, GgufNumbers, GgufTexts, GgufValue};
pub use safetensors::SafetensorsFiles;
pub use source::{TensorInfo, TensorMap, TensorSource, hash, parameters};
pub use stored::{StoredTensor, WeightView};
