//! What kind of model a folder holds.

use super::{ModelFiles, StoreError};

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
