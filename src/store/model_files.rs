//! A model's files, wherever they are, under their names in diffusers' layout.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::layout::{self, Place};
use crate::catalog::{ModelParts, ModelSource};
use crate::content::Content;
use crate::content::json::{self, Json};
use crate::weights::{TensorSource, WeightsKind, kind_of_weights};

/// A model's files by their names in diffusers' layout, such as `unet/config.json`.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// What an earlier one has comes from there. The last is where the model itself is.
    places: Vec<Place>,
}

impl ModelFiles {
    /// The files of a chosen model.
    pub fn open(choice: &ModelSource) -> Result<Self, StoreError> {
        let places = match choice {
            ModelSource::Builtin => vec![Place::Builtin],
            ModelSource::Folder(path) => vec![place_of(path, &ModelParts::default())?],
            ModelSource::Parts(parts) => places_of(parts)?,
        };
        Ok(Self { places })
    }

    fn place_with(&self, name: &str) -> Option<&Place> {
        self.places.iter().find(|place| place.contains(name))
    }

    /// The place of the model itself.
    fn own(&self) -> &Place {
        self.places.last().unwrap_or(&Place::Builtin)
    }

    /// Where a file is, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place_with(name).unwrap_or_else(|| self.own()).path(name)
    }

    /// Whether there is such a file.
    pub fn contains(&self, name: &str) -> bool {
        self.place_with(name).is_some()
    }

    /// The names of the files in one of the model's folders, sorted; none if there is no such folder.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = self.places.iter().flat_map(|place| place.names_in(folder)).collect();
        names.sort();
        names
    }

    /// A small file's bytes, `None` if it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>, StoreError> {
        for place in &self.places {
            if let Some(bytes) = place.read(name)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// A small file that must be there.
    pub fn require(&self, name: &str) -> Result<Cow<'static, [u8]>, StoreError> {
        self.read(name)?.ok_or_else(|| self.missing(name))
    }

    /// A JSON file that must be there, read as Python reads it.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        json::from_json(self.document(name)?)
            .map_err(|error| StoreError::Damaged { reason: error.to_string(), path: self.path(name) })
    }

    /// The same as it is written, where a key that is null is one that is there.
    pub fn document(&self, name: &str) -> Result<Json, StoreError> {
        let bytes = self.require(name)?;
        let damaged = |reason: String| StoreError::Damaged { reason, path: self.path(name) };
        let document = Json::parse(&bytes).map_err(|error| match Content::of(&bytes) {
            Content::Empty | Content::Json | Content::Unknown => damaged(error.to_string()),
            content => damaged(format!("it is {content}")),
        })?;
        // No file of a model has this key, and servers' answers have little else.
        if let Some(Json::Text(answer)) = document.get("error") {
            return Err(damaged(format!("it is a server's answer ‘{answer}’; download it again")));
        }
        Ok(document)
    }

    /// The model's name for people.
    pub fn name(&self) -> String {
        self.own().name()
    }

    /// The tensors of a part such as `unet`; only headers are read yet.
    pub fn tensors(&self, part: &str) -> Result<Arc<dyn TensorSource>, StoreError> {
        for place in &self.places {
            if let Some(tensors) = place.tensors(part)? {
                return Ok(tensors);
            }
        }
        if let Place::Assembled(_) = self.own() {
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

/// A folder in diffusers' layout, or a file with a model, whose other parts may be in other files.
fn place_of(path: &Path, parts: &ModelParts) -> Result<Place, StoreError> {
    if path.is_dir() {
        let folder = snapshot_in(path).unwrap_or_else(|| path.to_owned());
        return match whole_model_in(&folder) {
            Some(file) => place_of(&file, parts),
            None => Ok(Place::Folder(folder)),
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
            Ok(Place::Assembled(Arc::new(layout::from_files(path, parts)?)))
        }
        Ok(Content::Pickle) => Err(StoreError::Pickled(file)),
        Ok(content) => Err(StoreError::NotAFolder { content, path: file }),
        Err(error) => Err(StoreError::Read { reason: error.to_string(), path: file }),
    }
}

/// The file by which a folder in diffusers' layout is known.
const INDEX: &str = "model_index.json";

/// The snapshot that a repository's folder in Hugging Face's cache means: that of its main branch, or the newest.
fn snapshot_in(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.join("snapshots");
    if folder.join(INDEX).exists() || !snapshots.is_dir() {
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

/// The one file with a model in a folder that is not in diffusers' layout.
fn whole_model_in(folder: &Path) -> Option<PathBuf> {
    if folder.join(INDEX).exists() {
        return None;
    }
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_model = |path: &PathBuf| kind_of_weights(path).is_some_and(WeightsKind::is_denoiser);
    let mut models = entries.filter(|path| path.is_file()).filter(is_model);
    let first = models.next()?;
    models.next().is_none().then_some(first)
}

/// The places of a model from several files, those that count more first.
fn places_of(parts: &ModelParts) -> Result<Vec<Place>, StoreError> {
    let mut places = Vec::new();
    if let Some(folder) = &parts.configuration {
        if !folder.exists() {
            return Err(StoreError::NoFolder(folder.clone()));
        }
        if !folder.is_dir() {
            let reason = "the configurations of a model are a folder, and this is a file".to_owned();
            return Err(StoreError::Damaged { reason, path: folder.clone() });
        }
        places.push(Place::Configurations(folder.clone()));
    }
    let model = place_of(&parts.model, parts)?;
    let Place::Folder(_) = model else {
        places.push(model);
        return Ok(places);
    };
    let stand_ins = Arc::new(layout::stand_ins(parts)?);
    places.push(Place::Assembled(stand_ins.clone()));
    places.push(model);
    // A file that was named must not be passed over in silence.
    for (part, path) in stand_ins.part_files() {
        if !places.iter().any(|place| place.contains(&format!("{part}/config.json"))) {
            return Err(layout::wrong_part(part, &path));
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_in_the_cache_and_a_folder_around_one_file_are_what_is_in_them() {
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
        // Of two nobody knows which is meant.
        std::fs::copy(&fixture, folder.join("second.safetensors")).unwrap();
        assert!(!opened().contains(INDEX));
    }

    #[test]
    fn a_file_in_a_folders_place_is_called_what_it_is() {
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

    /// A number of its tokenizer is changed, so that the file is damaged in that alone.
    #[test]
    fn a_damaged_tokenizer_in_a_gguf_file_is_an_error_of_that_file_where_it_is_asked_for() {
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
        // After the key come the kind of the value, of a list its elements' kind and their count.
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
        // A tokenizer in a folder that was named counts, and the file's is not used.
        assert_eq!(read(score, nan, Some("flux")), Ok(()));
    }
}
