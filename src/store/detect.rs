//! What kind of model a folder holds.

use super::{ModelFiles, StoreError};
use crate::request::ModelChoice;

/// `model_index.json`, as far as it matters here.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ModelIndex {
    /// The pipeline's class.
    #[serde(rename = "_class_name", default)]
    pub class_name: String,
    /// Where the pipeline came from, often the model's name.
    #[serde(rename = "_name_or_path", default)]
    pub name_or_path: String,
}

/// Pipelines of the Stable Diffusion family that differ only in what is done around the networks.
const SUPPORTED: [&str; 4] = [
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "LatentConsistencyModelPipeline",
    "StableDiffusionControlNetPipeline",
];

/// Reads the index and refuses families that are not supported.
pub fn detect(files: &ModelFiles) -> Result<ModelIndex, StoreError> {
    let index: ModelIndex = files.json("model_index.json")?;
    if SUPPORTED.contains(&index.class_name.as_str()) {
        Ok(index)
    } else {
        Err(StoreError::UnsupportedFamily {
            class: index.class_name,
            supported: "Stable Diffusion 1.x and 2.x are",
            path: files.path("model_index.json"),
        })
    }
}

/// Channels of a model's latents, from its autoencoder's configuration alone.
pub fn latent_channels(choice: &ModelChoice) -> Result<usize, StoreError> {
    #[derive(serde::Deserialize)]
    struct Config {
        /// diffusers' default.
        #[serde(default = "four")]
        latent_channels: usize,
    }
    const fn four() -> usize {
        4
    }
    let files = ModelFiles::open(choice)?;
    detect(&files)?;
    Ok(files.json::<Config>("vae/config.json")?.latent_channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_has_four_channels_and_a_missing_folder_is_an_error() {
        assert_eq!(latent_channels(&ModelChoice::Builtin).unwrap(), 4);
        assert!(latent_channels(&ModelChoice::Folder("/nowhere at all".into())).is_err());
    }
}
