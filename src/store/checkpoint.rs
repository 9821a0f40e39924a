//! An opened model: its files and its `model_index.json`, or the index of a modular pipeline.

use std::path::PathBuf;

use super::layout::repository_name;
use super::{ModelFiles, StoreError};
use crate::catalog::ModelSource;

/// The file that names a pipeline's class and parts.
const INDEX: &str = "model_index.json";
/// The same of diffusers' modular pipelines.
const MODULAR_INDEX: &str = "modular_model_index.json";

/// The files of a model of any family, with its index.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    source: ModelSource,
    files: ModelFiles,
    index: serde_json::Value,
}

impl Checkpoint {
    /// Opens the files of a model and reads their index.
    ///
    /// # Errors
    /// If the files are missing, damaged or not a model.
    pub fn open(source: &ModelSource) -> Result<Self, StoreError> {
        let files = ModelFiles::open(source)?;
        let name = index_name(&files);
        let index = files.json(name)?;
        Ok(Self { source: source.clone(), files, index })
    }

    /// The source it was opened from.
    pub fn source(&self) -> &ModelSource {
        &self.source
    }

    /// The model's files.
    pub fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// The path of the index, for messages.
    pub fn index_path(&self) -> PathBuf {
        self.files.path(index_name(&self.files))
    }

    fn text(&self, key: &str) -> &str {
        self.index.get(key).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    /// The pipeline's class in diffusers; may be empty.
    pub fn class_name(&self) -> &str {
        self.text("_class_name")
    }

    /// The name of the repository that the pipeline came from, if the index states it; otherwise empty.
    pub fn origin(&self) -> &str {
        repository_name(self.text("_name_or_path"))
    }

    /// A boolean of the index; `None` if it is missing.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.index.get(key)?.as_bool()
    }

    /// The class of a part. The index lists `[library, class]`; `None` if the part is missing or null.
    pub fn part_class(&self, part: &str) -> Option<&str> {
        match self.index.get(part)? {
            serde_json::Value::Array(pair) => pair.iter().rev().find_map(serde_json::Value::as_str),
            other => other.as_str(),
        }
    }
}

fn index_name(files: &ModelFiles) -> &'static str {
    if !files.contains(INDEX) && files.contains(MODULAR_INDEX) { MODULAR_INDEX } else { INDEX }
}

/// The number of latent channels of a model, from its VAE's configuration alone.
///
/// # Errors
/// If the model's files or the configuration cannot be read.
pub fn latent_channels(choice: &ModelSource) -> Result<usize, StoreError> {
    #[derive(serde::Deserialize)]
    struct Config {
        /// diffusers' default.
        #[serde(default = "four")]
        latent_channels: usize,
    }
    const fn four() -> usize {
        4
    }
    Ok(ModelFiles::open(choice)?.json::<Config>("vae/config.json")?.latent_channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_has_four_channels_and_a_missing_folder_is_an_error() {
        assert_eq!(latent_channels(&ModelSource::Builtin).unwrap(), 4);
        assert!(latent_channels(&ModelSource::Folder("/nowhere at all".into())).is_err());
    }

    #[test]
    fn an_index_lists_parts_and_their_classes() {
        let folder = tempfile::tempdir().unwrap();
        let index = r#"{"_class_name": "P", "_name_or_path": null, "unet": ["diffusers", "U"], "adapter": [null, null]}"#;
        std::fs::write(folder.path().join(INDEX), index).unwrap();
        let checkpoint = Checkpoint::open(&ModelSource::Folder(folder.path().to_owned())).unwrap();
        assert_eq!((checkpoint.class_name(), checkpoint.origin()), ("P", ""));
        assert_eq!((checkpoint.part_class("unet"), checkpoint.part_class("adapter")), (Some("U"), None));
    }
}
