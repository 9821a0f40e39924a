//! Pictures and words in one space (CLIP, SigLIP).

use std::path::Path;

use super::clip::Clip;
use super::encoders::{Encoders, PART};
use super::pixels::PixelRules;
use super::siglip::SigLip;
use super::{beside, check_memory};
use crate::models::ModelError;
use crate::networks::{NetworkError, Runtime};
use crate::request::Picture;
use crate::store::history::PictureMeaning;
use crate::weights::{hash, open_weights};

/// The key of `config.json` that says which network it is.
#[derive(serde::Deserialize)]
struct ModelType {
    model_type: String,
}

/// A loaded model that finds pictures.
pub struct PictureSearch {
    encoders: Box<dyn Encoders>,
    rules: PixelRules,
    hash: String,
}

impl PictureSearch {
    /// Loads the model of a file of weights, whose `config.json` lies beside it, and `tokenizer.json` where it is no
    /// CLIP.
    ///
    /// # Errors
    /// For files that are missing, damaged or of another network, and too little memory.
    pub fn open(weights: &Path, threads: Option<usize>) -> Result<Self, ModelError> {
        let files = beside(weights);
        let ModelType { model_type } = files.json("config.json")?;
        let runtime = Runtime::processor(threads);
        let opened = || {
            let source = open_weights(weights)?;
            check_memory("the model that finds pictures", &*source)?;
            Ok::<_, ModelError>(source)
        };
        let (encoders, rules, hash): (Box<dyn Encoders>, _, _) = match model_type.as_str() {
            "clip" => {
                let config = Clip::config(&files)?;
                let rules = PixelRules::of_clip(config.vision_config.image_size).read(&files)?;
                let source = opened()?;
                let hash = hash(&*source)?;
                (Box::new(Clip::new(files, &config, source, &runtime)?), rules, hash)
            }
            "siglip" => {
                let config = SigLip::config(&files)?;
                let rules = PixelRules::of_siglip(config.vision_config.image_size).read(&files)?;
                let source = opened()?;
                let hash = hash(&*source)?;
                (Box::new(SigLip::new(&files, &config, source, &runtime)?), rules, hash)
            }
            _ => {
                let supported =
                    "clip, and siglip, which SigLIP 2 for one size of pictures is, too (not NaFlex)";
                let cause = NetworkError::Unsupported { key: "model_type", value: model_type, supported };
                return Err(ModelError::Part { part: PART, cause });
            }
        };
        Ok(Self { encoders, rules, hash })
    }

    /// The hash of its weights (blake3, hex).
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The place of a picture.
    ///
    /// # Errors
    /// [`ModelError::Part`] and [`ModelError::NonFinite`].
    pub fn picture(&self, picture: &Picture) -> Result<PictureMeaning, ModelError> {
        let pixels = self.rules.prepare(picture);
        let features = self.encoders.picture(&pixels, self.rules.edge).map_err(ModelError::in_part(PART))?;
        self.meaning(&features)
    }

    /// The place of words. Those beyond the longest text are left out, as by transformers.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`], [`ModelError::TokenWithoutRow`], [`ModelError::Part`] and [`ModelError::NonFinite`].
    pub fn words(&self, words: &str) -> Result<PictureMeaning, ModelError> {
        let features = self.encoders.words(&self.ids(words)?).map_err(ModelError::in_part(PART))?;
        self.meaning(&features)
    }

    /// The tokens of words, as the network takes them: CLIP's from the start to the end token, SigLIP's with an end
    /// token, padded to the length of its texts.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::TokenWithoutRow`].
    pub fn ids(&self, words: &str) -> Result<Vec<u32>, ModelError> {
        self.encoders.ids(words)
    }

    fn meaning(&self, features: &[f32]) -> Result<PictureMeaning, ModelError> {
        PictureMeaning::new(&self.hash, features).ok_or(ModelError::NonFinite { part: PART })
    }
}
