//! CLIP with its own tokenizer.

use std::sync::Arc;

use super::encoders::{Encoders, PART};
use super::start_of;
use crate::models::tokenizer::guarded;
use crate::models::{ModelError, PromptTokenizer};
use crate::networks::meaning::{ClipConfig, ClipNetwork};
use crate::networks::{NetworkError, Runtime};
use crate::store::ModelFiles;
use crate::weights::TensorSource;

/// A loaded CLIP model.
pub(super) struct Clip {
    network: ClipNetwork,
    tokenizer: PromptTokenizer,
    files: ModelFiles,
    /// Longest text in tokens, start and end included.
    length: usize,
}

impl Clip {
    /// Reads and checks its configuration.
    pub(super) fn config(files: &ModelFiles) -> Result<ClipConfig, ModelError> {
        let config: ClipConfig = files.json("config.json")?;
        config.check().map_err(ModelError::in_part(PART))?;
        Ok(config)
    }

    /// Builds the network and reads the tokenizer, that of the program if the model has none.
    pub(super) fn new(
        files: ModelFiles,
        config: &ClipConfig,
        source: Arc<dyn TensorSource>,
        runtime: &Runtime,
    ) -> Result<Self, ModelError> {
        let network = ClipNetwork::new(source, config, runtime).map_err(ModelError::in_part(PART))?;
        let tokenizer = guarded(&files, || PromptTokenizer::open(&files, "clip"))?;
        Ok(Self { network, tokenizer, files, length: config.text_config.max_position_embeddings })
    }
}

impl Encoders for Clip {
    fn ids(&self, words: &str) -> Result<Vec<u32>, ModelError> {
        let ids = guarded(&self.files, || self.tokenizer.ids(start_of(words)))?;
        let words = ids.into_iter().take(self.length - 2);
        Ok(std::iter::once(self.tokenizer.start).chain(words).chain([self.tokenizer.end]).collect())
    }

    fn words(&self, ids: &[u32]) -> Result<Vec<f32>, NetworkError> {
        self.network.text_features(ids)
    }

    fn picture(&self, pixels: &[f32], edge: usize) -> Result<Vec<f32>, NetworkError> {
        self.network.image_features(pixels, edge)
    }
}
