//! A location of model files.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::super::StoreError;
use super::Assembled;
use crate::catalog::ModelSource;
use crate::content::Content;
use crate::content::json;
use crate::weights::{SafetensorsFiles, TensorSource, WeightFile};

/// The built-in model, embedded in the program.
static BUILTIN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/assets/builtin-model/model");

/// Upper limit of a configuration or tokenizer file, bytes.
const MAX_SMALL_FILE: u64 = 64 << 20;

/// A location of files with names as in diffusers' layout.
#[derive(Clone, Debug)]
pub(in super::super) enum Location {
    /// Embedded in the program.
    Builtin,
    /// A folder.
    Folder(PathBuf),
    /// The configurations and tokenizers of a folder, not its weights.
    Configurations(PathBuf),
    /// Weights files, with configurations derived from them.
    Assembled(Arc<Assembled>),
}

impl Location {
    /// The path of a file, whether or not it exists, for messages.
    pub(in super::super) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Builtin => Path::new("built-in model").join(name),
            Self::Folder(folder) | Self::Configurations(folder) => folder.join(name),
            // For a derived configuration, the file it was derived from.
            Self::Assembled(assembled) => {
                let small = assembled.small_files.get(name);
                small.map_or(&assembled.origin, |small| &small.origin).clone()
            }
        }
    }

    /// Whether the file exists.
    pub(in super::super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Builtin => BUILTIN.get_file(name).is_some(),
            Self::Folder(folder) | Self::Configurations(folder) => folder.join(name).is_file(),
            Self::Assembled(assembled) => assembled.small_files.contains_key(name),
        }
    }

    /// The names of the files in a folder; empty if there is none.
    pub(in super::super) fn names_in(&self, folder: &str) -> Vec<String> {
        match self {
            Self::Builtin => BUILTIN
                .get_dir(folder)
                .into_iter()
                .flat_map(Dir::files)
                .filter_map(|file| Some(file.path().file_name()?.to_string_lossy().into_owned()))
                .collect(),
            Self::Folder(root) => std::fs::read_dir(root.join(folder))
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            Self::Configurations(_) | Self::Assembled(_) => Vec::new(),
        }
    }

    /// The bytes of a configuration or tokenizer file; `None` if it does not exist.
    pub(in super::super) fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>, StoreError> {
        match self {
            Self::Builtin => Ok(BUILTIN.get_file(name).map(|file| Cow::Borrowed(file.contents()))),
            Self::Assembled(assembled) => {
                let Some(small) = assembled.small_files.get(name) else { return Ok(None) };
                small
                    .content
                    .clone()
                    .map(Some)
                    .map_err(|reason| StoreError::Damaged { reason, path: small.origin.clone() })
            }
            Self::Folder(folder) | Self::Configurations(folder) => read_small(&folder.join(name)),
        }
    }

    /// The display name of a model at this location.
    pub(in super::super) fn name(&self) -> String {
        match self {
            Self::Builtin => ModelSource::Builtin.short_name(),
            Self::Folder(folder) | Self::Configurations(folder) => folder_name(folder),
            Self::Assembled(assembled) => file_name(&assembled.origin),
        }
    }

    /// The tensors of a part such as `unet`; `None` if it is not here. Only headers are read.
    pub(in super::super) fn tensors(&self, part: &str) -> Result<Option<Arc<dyn TensorSource>>, StoreError> {
        match self {
            Self::Assembled(assembled) => Ok(assembled.parts.get(part).cloned()),
            Self::Configurations(_) => Ok(None),
            Self::Builtin | Self::Folder(_) => match self.weight_files(part)? {
                Some(files) => Ok(Some(Arc::new(SafetensorsFiles::open(files)?))),
                None => Ok(None),
            },
        }
    }

    /// The weights files of a part: a single file or shards, in full precision or a half-precision variant.
    fn weight_files(&self, part: &str) -> Result<Option<Vec<WeightFile>>, StoreError> {
        for variant in ["", ".fp16", ".bf16"] {
            for stem in ["diffusion_pytorch_model", "model"] {
                let single = format!("{part}/{stem}{variant}.safetensors");
                if self.contains(&single) {
                    return Ok(Some(vec![self.weight_file(&single)?]));
                }
                for index in [
                    format!("{part}/{stem}.safetensors.index{variant}.json"),
                    format!("{part}/{stem}{variant}.safetensors.index.json"),
                ] {
                    if self.contains(&index) {
                        return self.shards(part, &index).map(Some);
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
        Ok(None)
    }

    fn shards(&self, part: &str, index: &str) -> Result<Vec<WeightFile>, StoreError> {
        #[derive(serde::Deserialize)]
        struct Index {
            weight_map: std::collections::BTreeMap<String, String>,
        }
        let damaged = |reason: String| StoreError::Damaged { reason, path: self.path(index) };
        let bytes = self.read(index)?.unwrap_or_default();
        let index_file: Index = json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut names: Vec<String> = index_file.weight_map.into_values().collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err(damaged("it names no shard".into()));
        }
        let plain = |name: &str| {
            let mut parts = Path::new(name).components();
            matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
        };
        if let Some(name) = names.iter().find(|name| !plain(name)) {
            return Err(damaged(format!("it names the shard ‘{name}’, which is not a plain file name")));
        }
        names.iter().map(|name| self.weight_file(&format!("{part}/{name}"))).collect()
    }

    fn weight_file(&self, name: &str) -> Result<WeightFile, StoreError> {
        let path = self.path(name);
        let missing = || StoreError::NotAModel { looked_for: name.to_owned(), folder: self.path("") };
        if let Self::Builtin = self {
            let file = BUILTIN.get_file(name).ok_or_else(missing)?;
            return Ok(WeightFile::embedded(path, file.contents()));
        }
        WeightFile::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(),
            _ => StoreError::Read { reason: error.to_string(), path },
        })
    }
}

/// The bytes of a configuration or tokenizer file; `None` if it does not exist.
fn read_small(path: &Path) -> Result<Option<Cow<'static, [u8]>>, StoreError> {
    let failed =
        |error: std::io::Error| StoreError::Read { reason: error.to_string(), path: path.to_owned() };
    let damaged = |reason: String| StoreError::Damaged { reason, path: path.to_owned() };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        // Opening a pipe would block.
        Ok(data) if !data.is_file() => return Err(damaged("it is not a regular file".into())),
        Ok(data) if data.len() > MAX_SMALL_FILE => {
            return Err(damaged(format!("it has {} bytes, more than any such file", data.len())));
        }
        Ok(_) => {}
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let content = Content::of(&bytes);
    if content.is_stand_in() {
        return Err(damaged(format!("it is {content}")));
    }
    Ok(Some(Cow::Owned(bytes)))
}

/// The display name of a file: its name without extension, with symbolic links resolved.
fn file_name(file: &Path) -> String {
    let resolved = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    resolved
        .file_stem()
        .map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The display name of a folder: its name with symbolic links and `..` resolved.
fn folder_name(folder: &Path) -> String {
    let resolved = std::fs::canonicalize(folder).or_else(|_| std::path::absolute(folder));
    let resolved = resolved.unwrap_or_else(|_| folder.to_owned()).to_string_lossy().into_owned();
    let name = repository_name(&resolved);
    if name.is_empty() { resolved } else { name.to_owned() }
}

/// The last component of a path or of a repository id such as `stabilityai/sd-turbo`. For a path in the Hugging Face
/// cache, where folders are named by hashes (`models--stabilityai--sd-turbo/snapshots/b261…`), the repository's name.
pub(in super::super) fn repository_name(path: &str) -> &str {
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
}
