//! What the networks that find pictures have in common.

use crate::models::ModelError;
use crate::networks::NetworkError;

/// Its name in messages.
pub(super) const PART: &str = "picture search";

/// The two encoders of a model, with its tokenizer.
pub(super) trait Encoders {
    /// The tokens of words, as the text encoder takes them.
    fn ids(&self, words: &str) -> Result<Vec<u32>, ModelError>;

    /// The features of words, not normalised. `ids`: their tokens.
    fn words(&self, ids: &[u32]) -> Result<Vec<f32>, NetworkError>;

    /// The features of a picture, not normalised. `pixels`: `[3, S, S]`, normalised.
    fn picture(&self, pixels: &[f32], edge: usize) -> Result<Vec<f32>, NetworkError>;
}
