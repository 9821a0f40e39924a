//! Pictures found by their meaning, and described in words.
//!
//! Both models are one file of weights with its configuration beside it, as transformers saves them, and run on the
//! processor in f32: they must not take a graphics card's memory from the model that draws.

mod clip;
mod describe;
mod encoders;
mod pixels;
mod scaling;
mod search;
mod siglip;

use std::path::Path;

use super::available_memory::available_bytes;
use super::{ModelError, TextTokenizer};
use crate::request::GenerationDraft;
use crate::store::ModelFiles;
use crate::weights::{TensorSource, parameters};

pub use describe::{MAX_TOKENS, PictureDescriber};
pub use pixels::PixelRules;
pub use scaling::{ScalingFilter, scaled};
pub use search::PictureSearch;

/// The files beside a file of weights.
fn beside(weights: &Path) -> ModelFiles {
    ModelFiles::of_network(weights.parent().unwrap_or(Path::new("")))
}

/// The tokenizer beside a file of weights.
fn tokenizer_beside(files: &ModelFiles) -> Result<TextTokenizer, ModelError> {
    const FILE: &str = "tokenizer.json";
    if files.contains(FILE) {
        return TextTokenizer::open(files, "");
    }
    let reason =
        format!("{FILE} is missing; it is in the model's repository: put it beside the file of weights");
    Err(ModelError::Tokenizer { reason, path: files.path(FILE) })
}

/// No more than this is read of words: a tokenizer's time grows with the text.
fn start_of(words: &str) -> &str {
    &words[..words.floor_char_boundary(GenerationDraft::MAX_PROMPT_BYTES)]
}

/// Refuses weights that do not fit into memory in f32.
fn check_memory(what: &str, source: &dyn TensorSource) -> Result<(), ModelError> {
    let needed = parameters(source).saturating_mul(4);
    match available_bytes() {
        Some(available) if available < needed => {
            Err(ModelError::TooLittleMemory { what: what.to_owned(), needed, available })
        }
        _ => Ok(()),
    }
}
