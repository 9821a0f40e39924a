//! A picture in words (BLIP).

use std::path::Path;

use super::pixels::PixelRules;
use super::{beside, check_memory, tokenizer_beside};
use crate::models::{ModelError, TextTokenizer};
use crate::networks::Runtime;
use crate::networks::meaning::{BlipConfig, BlipNetwork};
use crate::request::{CancelToken, Picture};
use crate::weights::open_weights;

/// Its name in messages.
const PART: &str = "picture description";
/// The longest description, tokens.
pub const MAX_TOKENS: usize = 40;

/// A loaded BLIP model.
pub struct PictureDescriber {
    network: BlipNetwork,
    tokenizer: TextTokenizer,
    rules: PixelRules,
}

impl PictureDescriber {
    /// Loads the model of a file of weights, whose `config.json` and `tokenizer.json` lie beside it.
    ///
    /// # Errors
    /// For files that are missing, damaged or of another network, and too little memory.
    pub fn open(weights: &Path, threads: Option<usize>) -> Result<Self, ModelError> {
        let files = beside(weights);
        let config: BlipConfig = files.json("config.json")?;
        config.check().map_err(ModelError::in_part(PART))?;
        let rules = PixelRules::of_blip(config.vision_config.image_size).read(&files)?;
        let tokenizer = tokenizer_beside(&files)?;
        let source = open_weights(weights)?;
        check_memory("the model that describes pictures", &*source)?;
        let network = BlipNetwork::new(source, config, &Runtime::processor(threads))
            .map_err(ModelError::in_part(PART))?;
        Ok(Self { network, tokenizer, rules })
    }

    /// The tokens of a picture's description, without those that begin and end it.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] and [`ModelError::Part`].
    pub fn ids(&mut self, picture: &Picture, cancel: &CancelToken) -> Result<Vec<u32>, ModelError> {
        let pixels = self.rules.prepare(picture);
        self.network.describe(&pixels, MAX_TOKENS, cancel).map_err(ModelError::in_part(PART))
    }

    /// A picture in words.
    ///
    /// # Errors
    /// As [`Self::ids`], and [`ModelError::Tokenizer`].
    pub fn describe(&mut self, picture: &Picture, cancel: &CancelToken) -> Result<String, ModelError> {
        let ids = self.ids(picture, cancel)?;
        Ok(self.tokenizer.text(&ids)?.trim().to_owned())
    }
}
