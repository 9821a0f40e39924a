//! A model's files, embedded in the program or in a folder.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::StoreError;
use crate::catalog::ModelSource;
use crate::content::Content;
use crate::content::json::{self, Json};
use crate::weights::{SafetensorsFiles, TensorSource, WeightFile};

/// The built-in model, inside the program.
static BUILTIN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/assets/builtin-model/model");

/// No configuration or tokenizer file of a model is larger, bytes.
const MAX_SMALL_FILE: u64 = 64 << 20;

/// A model's files by their names in diffusers' layout, such as `unet/config.json`.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    root: Root,
}

#[derive(Clone, Debug)]
enum Root {
    Builtin,
    Folder(PathBuf),
}

impl ModelFiles {
    /// The files of a chosen model.
    pub fn open(choice: &ModelSource) -> Result<Self, StoreError> {
        match choice {
            ModelSource::Builtin => Ok(Self { root: Root::Builtin }),
            ModelSource::Folder(folder) if folder.is_dir() => Ok(Self { root: Root::Folder(folder.clone()) }),
            ModelSource::Folder(file) if file.is_file() => Err(refused_file(file)),
            ModelSource::Folder(folder) => Err(StoreError::NoFolder(folder.clone())),
        }
    }

    /// Where a file is, for messages.
    pub fn path(&self, name: &str) -> PathBuf {
        match &self.root {
            Root::Builtin => Path::new("built-in model").join(name),
            Root::Folder(folder) => folder.join(name),
        }
    }

    /// Whether there is such a file.
    pub fn contains(&self, name: &str) -> bool {
        match &self.root {
            Root::Builtin => BUILTIN.get_file(name).is_some(),
            Root::Folder(folder) => folder.join(name).is_file(),
        }
    }

    /// The names of the files in one of the model's folders, sorted; none if there is no such folder.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = match &self.root {
            Root::Builtin => BUILTIN
                .get_dir(folder)
                .into_iter()
                .flat_map(Dir::files)
                .filter_map(|file| Some(file.path().file_name()?.to_string_lossy().into_owned()))
                .collect(),
            Root::Folder(root) => std::fs::read_dir(root.join(folder))
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
        };
        names.sort();
        names
    }

    /// A small file's bytes, `None` if it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>, StoreError> {
        match &self.root {
            Root::Builtin => Ok(BUILTIN.get_file(name).map(|file| Cow::Borrowed(file.contents()))),
            Root::Folder(folder) => {
                let path = folder.join(name);
                let failed = |error: std::io::Error| StoreError::Read {
                    reason: error.to_string(),
                    path: path.clone(),
                };
                let damaged = |reason: String| StoreError::Damaged { reason, path: path.clone() };
                match std::fs::metadata(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(failed(error)),
                    // Reading from a pipe waits for its writer.
                    Ok(data) if !data.is_file() => return Err(damaged("it is not a regular file".into())),
                    Ok(data) if data.len() > MAX_SMALL_FILE => {
                        return Err(damaged(format!("it has {} bytes, more than any such file", data.len())));
                    }
                    Ok(_) => {}
                }
                let bytes = std::fs::read(&path).map_err(failed)?;
                let content = Content::of(&bytes);
                if content.is_stand_in() {
                    return Err(damaged(format!("it is {content}")));
                }
                Ok(Some(Cow::Owned(bytes)))
            }
        }
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
        match &self.root {
            Root::Builtin => ModelSource::Builtin.short_name(),
            Root::Folder(folder) => folder_name(folder),
        }
    }

    /// The tensors of a part such as `unet`; only headers are read yet.
    pub fn tensors(&self, part: &str) -> Result<Arc<dyn TensorSource>, StoreError> {
        Ok(Arc::new(SafetensorsFiles::open(self.weights(part)?)?))
    }

    /// The files with a part's weights: one or shards, f32 or a half-precision variant.
    fn weights(&self, part: &str) -> Result<Vec<WeightFile>, StoreError> {
        let stems = ["diffusion_pytorch_model", "model"];
        for variant in ["", ".fp16", ".bf16"] {
            for stem in stems {
                let single = format!("{part}/{stem}{variant}.safetensors");
                if self.contains(&single) {
                    return Ok(vec![self.weight_file(&single)?]);
                }
                for index in [
                    format!("{part}/{stem}.safetensors.index{variant}.json"),
                    format!("{part}/{stem}{variant}.safetensors.index.json"),
                ] {
                    if self.contains(&index) {
                        return self.shards(part, &index);
                    }
                }
            }
        }
        for stem in ["diffusion_pytorch_model", "model", "pytorch_model"] {
            for variant in ["", ".fp16"] {
                let pickled = format!("{part}/{stem}{variant}.bin");
                if self.contains(&pickled) {
                    return Err(StoreError::Pickled(self.path(&pickled)));
                }
            }
        }
        Err(self.missing(&format!(
            "{part}/{}.safetensors",
            if part.starts_with("text") { stems[1] } else { stems[0] }
        )))
    }

    fn missing(&self, name: &str) -> StoreError {
        StoreError::NotAModel { looked_for: name.to_owned(), folder: self.path("") }
    }

    fn shards(&self, part: &str, index: &str) -> Result<Vec<WeightFile>, StoreError> {
        #[derive(serde::Deserialize)]
        struct Index {
            weight_map: std::collections::BTreeMap<String, String>,
        }
        let index_file: Index = self.json(index)?;
        let mut names: Vec<String> = index_file.weight_map.into_values().collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err(StoreError::Damaged { reason: "it names no shard".into(), path: self.path(index) });
        }
        let plain = |name: &str| {
            let mut parts = Path::new(name).components();
            matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
        };
        if let Some(name) = names.iter().find(|name| !plain(name)) {
            let reason = format!("it names the shard ‘{name}’, which is not a plain file name");
            return Err(StoreError::Damaged { reason, path: self.path(index) });
        }
        names.iter().map(|name| self.weight_file(&format!("{part}/{name}"))).collect()
    }

    fn weight_file(&self, name: &str) -> Result<WeightFile, StoreError> {
        let path = self.path(name);
        match &self.root {
            Root::Builtin => {
                let file = BUILTIN.get_file(name).ok_or_else(|| self.missing(name))?;
                Ok(WeightFile::embedded(path, file.contents()))
            }
            Root::Folder(_) => WeightFile::open(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => self.missing(name),
                _ => StoreError::Read { reason: error.to_string(), path },
            }),
        }
    }
}

/// Why a file is not a model folder.
fn refused_file(file: &Path) -> StoreError {
    let path = file.to_owned();
    match Content::of_file(file) {
        Ok(Content::Pickle) => StoreError::Pickled(path),
        Ok(Content::Safetensors) => StoreError::SingleFile(path),
        Ok(content) => StoreError::NotAFolder { content, path },
        Err(error) => StoreError::Read { reason: error.to_string(), path },
    }
}

/// The name that people know a folder by: its own, with links and `..` resolved.
fn folder_name(folder: &Path) -> String {
    let resolved = std::fs::canonicalize(folder).or_else(|_| std::path::absolute(folder));
    let resolved = resolved.unwrap_or_else(|_| folder.to_owned()).to_string_lossy().into_owned();
    let name = repository_name(&resolved);
    if name.is_empty() { resolved } else { name.to_owned() }
}

/// The last part of a path or of a repository's name, such as `stabilityai/sd-turbo`. In Hugging Face's cache, where
/// folders are named by hashes (`models--stabilityai--sd-turbo/snapshots/b261…`), it is the repository's.
pub(super) fn repository_name(path: &str) -> &str {
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
    let last = parts.next().unwrap_or_default();
    let cached = parts.next().filter(|folder| *folder == "snapshots").and_then(|_| parts.next());
    cached.and_then(|repository| repository.strip_prefix("models--")?.rsplit("--").next()).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_its_real_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sd-turbo");
        std::fs::create_dir_all(folder.join("unet")).unwrap();
        for path in [folder.clone(), folder.join("."), folder.join("unet/.."), folder.join("unet/../")] {
            assert_eq!(folder_name(&path), "sd-turbo", "{}", path.display());
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(folder_name(Path::new(".")), here.file_name().unwrap().to_string_lossy());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&folder, root.path().join("current")).unwrap();
            assert_eq!(folder_name(&root.path().join("current")), "sd-turbo");
        }
        let cached = root
            .path()
            .join("models--stabilityai--sd-turbo/snapshots/b261bac6fd2cf515557d5d0707481eafa0485ec2");
        std::fs::create_dir_all(&cached).unwrap();
        assert_eq!(folder_name(&cached), "sd-turbo");
        for (path, name) in
            [("stabilityai/sd-turbo", "sd-turbo"), ("C:\\models\\a\\", "a"), ("", ""), ("/", "")]
        {
            assert_eq!(repository_name(path), name);
        }
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
        assert!(matches!(refused("a.ckpt", b"\x10\0\0\0\0\0\0\0{\"x\":{}}"), StoreError::SingleFile(_)));
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
        let empty = files.weights("unet").unwrap_err().to_string();
        assert!(empty.contains("it names no shard: ") && empty.ends_with("index.json"), "{empty}");
        std::fs::write(root.path().join("config.json"), "{\"sample_size\": \"x\"}").unwrap();
        let wrong =
            files.json::<std::collections::BTreeMap<String, usize>>("config.json").unwrap_err().to_string();
        assert!(wrong.contains("‘sample_size’ should be a whole number and is the text ‘x’: "), "{wrong}");
    }
}
