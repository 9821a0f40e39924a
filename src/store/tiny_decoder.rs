//! Files of tiny decoders.

use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::names::{Renamed, tiny_decoder_names};
use crate::content::Content;
use crate::reason::{Reason, ReasonKind};
use crate::weights::{TensorSource, WeightsKind, open_weights};

/// The tensors of the tiny decoder in a file, by diffusers' names (`decoder.layers.N…`).
///
/// # Errors
/// [`StoreError::Read`] for a file that cannot be read, [`StoreError::Weights`] for a damaged one, and
/// [`StoreError::NotATinyDecoder`] for one of another kind.
pub fn open_tiny_decoder(path: &Path) -> Result<Arc<dyn TensorSource>, StoreError> {
    let content = match Content::of_file(path) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::NoFolder(path.to_owned()));
        }
        Err(error) => return Err(StoreError::Read { reason: error.to_string(), path: path.to_owned() }),
    };
    let other = |found: Reason| StoreError::NotATinyDecoder { found, path: path.to_owned() };
    match content {
        Content::Safetensors | Content::Gguf => {}
        content => return Err(other((&content).into())),
    }
    let source = open_weights(path)?;
    match (WeightsKind::of(&*source), tiny_decoder_names(&*source)) {
        (WeightsKind::TinyVae, Some(names)) => Ok(Arc::new(Renamed::new(source, names))),
        (WeightsKind::TinyVae, None) => {
            Err(other(Reason::new(ReasonKind::TinyEncoderAlone, "a tiny encoder without its decoder")))
        }
        (kind, _) => Err(other(kind.into())),
    }
}
