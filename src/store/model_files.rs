//! A model's files by their names in diffusers' layout, wherever they are stored.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::layout::{self, Location};
use crate::catalog::{ModelParts, ModelSource};
use crate::content::Content;
use crate::content::json::{self, Json};
use crate::weights::{TensorSource, WeightsKind, kind_of_weights};

/// A model's files by their names in diffusers' layout, such as `unet/config.json`.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// Searched in order. The last one is that of the model itself.
    locations: Vec<Location>,
}

impl ModelFiles {
    /// Opens the files of a model. Of weights, only headers are read.
    ///
    /// # Errors
    /// If files are missing, damaged or not those of a supported model.
    pub fn open(choice: &ModelSource) -> Result<Self, StoreError> {
        let locations = match choice {
            ModelSource::Builtin => vec![Location::Builtin],
            ModelSource::Folder(path) => vec![open_location(path, &ModelParts::default())?],
            ModelSource::Parts(parts) => open_parts(parts)?,
        };
        Ok(Self { locations })
    }

    /// The files of a folder as they lie there, such as those of one network in transformers' layout, and CLIP's
    /// vocabulary in the folder `clip` where it has none.
    pub fn of_network(folder: &Path) -> Self {
        Self { locations: vec![Location::Folder(folder.to_owned()), layout::clip_vocabulary()] }
    }

    fn location_with(&self, name: &str) -> Option<&Location> {
        self.locations.iter().find(|location| location.contains(name))
    }

    /// The location of the model itself.
    fn own(&self) -> &Location {
        self.locations.last().unwrap_or(&Location::Builtin)
    }

    /// The path of a file, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.location_with(name).unwrap_or_else(|| self.own()).path(name)
    }

    /// Whether the file exists.
    pub fn contains(&self, name: &str) -> bool {
        self.location_with(name).is_some()
    }

    /// The names of the files in one of the model's folders, sorted; empty if there is no such folder.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.locations.iter().flat_map(|location| location.names_in(folder)).collect();
        names.sort();
        names
    }

    /// The bytes of a configuration or tokenizer file; `None` if it does not exist.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>, StoreError> {
        for location in &self.locations {
            if let Some(bytes) = location.read(name)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The bytes of a required configuration or tokenizer file.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if the file is missing.
    pub fn require(&self, name: &str) -> Result<Cow<'static, [u8]>, StoreError> {
        self.read(name)?.ok_or_else(|| self.missing(name))
    }

    /// A required JSON file, parsed as Python does.
    ///
    /// # Errors
    /// As [`require`](Self::require), and if the content does not match `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        json::from_json(self.document(name)?)
            .map_err(|error| StoreError::Damaged { reason: error.to_string(), path: self.path(name) })
    }

    /// A required JSON file as a document, which distinguishes a null value from a missing key.
    ///
    /// # Errors
    /// As [`require`](Self::require), and if the file is not JSON.
    pub fn document(&self, name: &str) -> Result<Json, StoreError> {
        let bytes = self.require(name)?;
        let damaged = |reason: String| StoreError::Damaged { reason, path: self.path(name) };
        let document = Json::parse(&bytes).map_err(|error| match Content::of(&bytes) {
            Content::Empty | Content::Json | Content::Unknown => damaged(error.to_string()),
            content => damaged(format!("it is {content}")),
        })?;
        // No file of a model has this key; a saved error response of a server has.
        if let Some(Json::Text(answer)) = document.get("error") {
            return Err(damaged(format!("it is a server's answer ‘{answer}’; download it again")));
        }
        Ok(document)
    }

    /// The model's display name.
    pub fn name(&self) -> String {
        self.own().name()
    }

    /// The tensors of a part such as `unet`. Only headers are read.
    ///
    /// # Errors
    /// If the part is missing, pickled or damaged.
    pub fn tensors(&self, part: &str) -> Result<Arc<dyn TensorSource>, StoreError> {
        for location in &self.locations {
            if let Some(tensors) = location.tensors(part)? {
                return Ok(tensors);
            }
        }
        if let Location::Assembled(_) = self.own() {
            let reason = format!(
                "the configuration (--config) asks for the part ‘{part}’, which this kind of model does not have"
            );
            return Err(StoreError::Damaged { reason, path: self.path("model_index.json") });
        }
        let stem = if part.starts_with("text") { "model" } else { "diffusion_pytorch_model" };
        Err(self.missing(&format!("{part}/{stem}.safetensors")))
    }

    fn missing(&self, name: &str) -> StoreError {
        StoreError::NotAModel { looked_for: name.to_owned(), folder: self.own().path("") }
    }
}

/// Opens a folder in diffusers' layout, or a weights file whose other parts may be in the files of `parts`.
fn open_location(path: &Path, parts: &ModelParts) -> Result<Location, StoreError> {
    if path.is_dir() {
        let folder = snapshot_in(path).unwrap_or_else(|| path.to_owned());
        return match whole_model_in(&folder) {
            Some(file) => open_location(&file, parts),
            None => Ok(Location::Folder(folder)),
        };
    }
    if !path.exists() {
        return Err(StoreError::NoFolder(path.to_owned()));
    }
    if !path.is_file() {
        let reason = "it is neither a file nor a folder".to_owned();
        return Err(StoreError::Damaged { reason, path: path.to_owned() });
    }
    let file = path.to_owned();
    match Content::of_file(path) {
        Ok(Content::Safetensors | Content::Gguf) => {
            Ok(Location::Assembled(Arc::new(layout::from_files(path, parts)?)))
        }
        Ok(Content::Pickle) => Err(StoreError::Pickled(file)),
        Ok(content) => Err(StoreError::NotAFolder { content, path: file }),
        Err(error) => Err(StoreError::Read { reason: error.to_string(), path: file }),
    }
}

/// The file that marks a folder in diffusers' layout.
const INDEX: &str = "model_index.json";
/// The same in repositories of modular pipelines.
const MODULAR_INDEX: &str = "modular_model_index.json";

/// Whether a folder is in diffusers' layout.
pub(super) fn has_index(folder: &Path) -> bool {
    [INDEX, MODULAR_INDEX].iter().any(|index| folder.join(index).exists())
}

/// The snapshot of a repository's folder in the Hugging Face cache: that of its main branch, or else the newest.
pub(super) fn snapshot_in(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.join("snapshots");
    if has_index(folder) || !snapshots.is_dir() {
        return None;
    }
    let main = std::fs::read_to_string(folder.join("refs/main")).ok();
    let main = main.map(|commit| snapshots.join(commit.trim())).filter(|folder| folder.is_dir());
    let newest = || {
        let folders = std::fs::read_dir(&snapshots).ok()?.flatten().map(|entry| entry.path());
        folders
            .filter(|path| path.is_dir())
            .max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok())
    };
    main.or_else(newest)
}

/// The only file with a denoiser in a folder that is not in diffusers' layout; `None` if there are several.
fn whole_model_in(folder: &Path) -> Option<PathBuf> {
    if has_index(folder) {
        return None;
    }
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_model = |path: &PathBuf| kind_of_weights(path).is_some_and(WeightsKind::is_denoiser);
    let mut models = entries.filter(|path| path.is_file()).filter(is_model);
    let first = models.next()?;
    models.next().is_none().then_some(first)
}

/// The locations of a model in several files, in order of precedence.
fn open_parts(parts: &ModelParts) -> Result<Vec<Location>, StoreError> {
    let mut locations = Vec::new();
    if let Some(folder) = &parts.configuration {
        if !folder.exists() {
            return Err(StoreError::NoFolder(folder.clone()));
        }
        if !folder.is_dir() {
            let reason = "the configurations of a model are a folder, and this is a file".to_owned();
            return Err(StoreError::Damaged { reason, path: folder.clone() });
        }
        locations.push(Location::Configurations(folder.clone()));
    }
    let model = open_location(&parts.model, parts)?;
    let Location::Folder(_) = model else {
        locations.push(model);
        return Ok(locations);
    };
    let replacement_parts = Arc::new(layout::replacement_parts(parts)?);
    locations.push(Location::Assembled(replacement_parts.clone()));
    locations.push(model);
    // A file that was given must not be ignored silently.
    for (part, path) in replacement_parts.part_files() {
        if !locations.iter().any(|location| location.contains(&format!("{part}/config.json"))) {
            return Err(layout::wrong_part(part, &path));
        }
    }
    Ok(locations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_repositories_and_folders_with_one_model_file_open() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("models--stabilityai--sd-turbo");
        for commit in ["a1", "b2"] {
            std::fs::create_dir_all(repository.join("snapshots").join(commit)).unwrap();
            std::fs::write(repository.join("snapshots").join(commit).join(INDEX), "{}").unwrap();
        }
        let opened = || ModelFiles::open(&ModelSource::Folder(repository.clone())).unwrap();
        assert!(opened().contains(INDEX));
        std::fs::create_dir(repository.join("refs")).unwrap();
        std::fs::write(repository.join("refs/main"), "a1\n").unwrap();
        assert_eq!(opened().path(INDEX), repository.join("snapshots/a1").join(INDEX));
        assert_eq!(opened().name(), "sd-turbo");
        let folder = root.path().join("dreams");
        std::fs::create_dir(&folder).unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/single/sd1.safetensors");
        std::fs::copy(&fixture, folder.join("dream.safetensors")).unwrap();
        std::fs::write(folder.join("notes.txt"), "a model").unwrap();
        let opened = || ModelFiles::open(&ModelSource::Folder(folder.clone())).unwrap();
        assert_eq!(opened().name(), "dream");
        // Two models in one folder are ambiguous.
        std::fs::copy(&fixture, folder.join("second.safetensors")).unwrap();
        assert!(!opened().contains(INDEX));
    }

    #[test]
    fn errors_name_the_content_of_files_that_are_not_models() {
        let root = tempfile::tempdir().unwrap();
        let refused = |name: &str, content: &[u8]| {
            let path = root.path().join(name);
            std::fs::write(&path, content).unwrap();
            ModelFiles::open(&ModelSource::Folder(path)).unwrap_err()
        };
        assert!(matches!(refused("a.safetensors", b"\x80\x02}q\0."), StoreError::Pickled(_)));
        let short = refused("a.ckpt", b"\x10\0\0\0\0\0\0\0{\"x\":{}}");
        assert!(matches!(short, StoreError::Weights(_)), "{short}");
        let other = refused("a.ckpt", b"\x02\0\0\0\0\0\0\0{}").to_string();
        assert!(other.contains("with none of the names that this program knows"), "{other}");
        let pointer = refused("b.safetensors", b"version https://git-lfs.github.com/spec/v1\n").to_string();
        assert!(pointer.contains("Git LFS pointer") && !pointer.contains("pickle"), "{pointer}");
    }

    #[test]
    fn small_files_that_are_something_else_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let files = ModelFiles::open(&ModelSource::Folder(root.path().to_owned())).unwrap();
        std::fs::write(root.path().join("merges.txt"), "version https://git-lfs.github.com/spec/v1\n")
            .unwrap();
        assert!(files.require("merges.txt").unwrap_err().to_string().contains("Git LFS pointer"));
        std::fs::create_dir(root.path().join("vocab.json")).unwrap();
        assert!(files.require("vocab.json").unwrap_err().to_string().contains("not a regular file"));
        std::fs::create_dir(root.path().join("unet")).unwrap();
        let index = root.path().join("unet/model.safetensors.index.json");
        std::fs::write(index, "{\"weight_map\": {}}").unwrap();
        let empty = files.tensors("unet").err().unwrap().to_string();
        assert!(empty.contains("it names no shard: ") && empty.ends_with("index.json"), "{empty}");
        std::fs::write(root.path().join("config.json"), "{\"sample_size\": \"x\"}").unwrap();
        let wrong =
            files.json::<std::collections::BTreeMap<String, usize>>("config.json").unwrap_err().to_string();
        assert!(wrong.contains("‘sample_size’ should be a whole number and is the text ‘x’: "), "{wrong}");
    }

    /// Only one number of the tokenizer is damaged.
    #[test]
    fn a_damaged_tokenizer_in_a_gguf_file_is_an_error_when_it_is_read() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let folder = tempfile::tempdir().unwrap();
        let t5 = folder.path().join("t5.gguf");
        let whole = std::fs::read(fixtures.join("single/t5.gguf")).unwrap();
        let after =
            |key: &str| whole.windows(key.len()).position(|part| part == key.as_bytes()).unwrap() + key.len();
        let read = |at: usize, bytes: [u8; 4], configuration: Option<&str>| {
            let mut changed = whole.clone();
            changed[at..at + 4].copy_from_slice(&bytes);
            std::fs::write(&t5, changed).unwrap();
            let parts = ModelParts {
                model: fixtures.join("single/flux_transformer.gguf"),
                text_encoders: [
                    Some(fixtures.join("flux/text_encoder/model.safetensors")),
                    Some(t5.clone()),
                    None,
                ],
                vae: Some(fixtures.join("flux/vae/diffusion_pytorch_model.safetensors")),
                configuration: configuration.map(|name| fixtures.join(name)),
                ..ModelParts::default()
            };
            let files = ModelFiles::open(&ModelSource::Parts(Box::new(parts))).unwrap();
            files.read("tokenizer_2/tokenizer.json").map(|_| ()).map_err(|error| error.to_string())
        };
        // A key is followed by the type of its value; for an array, then by the type and number of its elements.
        let unknown = after("tokenizer.ggml.unknown_token_id") + 4;
        let score = after("tokenizer.ggml.scores") + 16;
        let said =
            |reason: &str| Err(format!("the file is not what it should be: {reason}: {}", t5.display()));
        let nan = f32::NAN.to_le_bytes();
        assert_eq!(read(score, nan, None), said("a score of its tokenizer is not a finite number"));
        let error = read(unknown, 1_000_000_u32.to_le_bytes(), None).unwrap_err();
        assert!(
            error.contains("its tokenizer's unknown token has the number 1000000, and it has "),
            "{error}"
        );
        // A tokenizer in the configuration folder takes precedence over the file's.
        assert_eq!(read(score, nan, Some("flux")), Ok(()));
    }
}
