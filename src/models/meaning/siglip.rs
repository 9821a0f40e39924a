//! SigLIP and SigLIP 2 with the tokenizer of `tokenizer.json`: words as these networks were trained on them.

use std::sync::Arc;

use super::encoders::{Encoders, PART};
use super::{start_of, tokenizer_beside};
use crate::models::text_tokenizer::check_rows;
use crate::models::{ModelError, TextTokenizer};
use crate::networks::meaning::{SigLipConfig, SigLipNetwork};
use crate::networks::{NetworkError, Runtime};
use crate::store::ModelFiles;
use crate::weights::TensorSource;

/// The tokens that end and fill up a text of SigLIP (sentencepiece).
const SENTENCE_PIECE: [&str; 2] = ["</s>", "</s>"];
/// Those of SigLIP 2 (Gemma), whose vocabulary has `</s>`, too, as a tag of web pages.
const GEMMA: [&str; 2] = ["<eos>", "<pad>"];

/// A loaded SigLIP model.
pub(super) struct SigLip {
    network: SigLipNetwork,
    tokenizer: TextTokenizer,
    /// How words are written before they become tokens.
    written: fn(&str) -> String,
    /// The token that ends a text.
    end: u32,
    /// The token that fills up its length.
    pad: u32,
    /// The length of every text in tokens.
    length: usize,
    /// Rows of the table of tokens.
    rows: usize,
}

impl SigLip {
    /// Reads and checks its configuration.
    pub(super) fn config(files: &ModelFiles) -> Result<SigLipConfig, ModelError> {
        let config: SigLipConfig = files.json("config.json")?;
        config.check().map_err(ModelError::in_part(PART))?;
        Ok(config)
    }

    /// Reads the tokenizer and builds the network.
    pub(super) fn new(
        files: &ModelFiles,
        config: &SigLipConfig,
        source: Arc<dyn TensorSource>,
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        let tokenizer = tokenizer_beside(files)?;
        let is_gemma = GEMMA.iter().all(|token| tokenizer.id(token).is_ok());
        let [end, pad] = if is_gemma { GEMMA } else { SENTENCE_PIECE };
        let (end, pad) = (tokenizer.id(end)?, tokenizer.id(pad)?);
        let network = SigLipNetwork::new(source, config, runtime).map_err(ModelError::in_part(PART))?;
        Ok(Self {
            network,
            tokenizer,
            written: if is_gemma { in_lower_case } else { canonical },
            end,
            pad,
            length: config.text_config.max_position_embeddings,
            rows: config.text_config.vocab_size,
        })
    }
}

impl Encoders for SigLip {
    fn ids(&self, words: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.tokenizer.ids(&(self.written)(start_of(words)))?;
        ids.truncate(self.length - 1);
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        check_rows(&ids, self.rows, |id| self.tokenizer.token(id))?;
        Ok(ids)
    }

    fn words(&self, ids: &[u32]) -> Result<Vec<f32>, NetworkError> {
        self.network.text_features(ids)
    }

    fn picture(&self, pixels: &[f32], edge: usize) -> Result<Vec<f32>, NetworkError> {
        self.network.image_features(pixels, edge)
    }
}

/// SigLIP's text: in lower case, without punctuation, with single spaces. A `tokenizer.json` may do this itself, and
/// doing it twice changes nothing.
///
/// Source: transformers' `SiglipTokenizer.canonicalize_text`.
fn canonical(words: &str) -> String {
    let letters: String = words.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// SigLIP 2's text. Its files leave this to the program that reads them.
///
/// Source: transformers' `Siglip2Tokenizer`.
fn in_lower_case(words: &str) -> String {
    words.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_in_training() {
        for (words, wanted) in [
            ("Two  MOONS, over the lake; it's #9!", "two moons over the lake its 9"),
            ("  \tÉTÉ\n«naïve» _x_ ", "été «naïve» x"),
            ("-.-", ""),
        ] {
            assert_eq!(canonical(words), wanted);
            assert_eq!(canonical(wanted), wanted, "again it changes nothing");
        }
        assert_eq!(in_lower_case("Two  MOONS, É."), "two  moons, é.");
    }
}
