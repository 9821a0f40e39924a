//! A model's files, embedded in the program or in a folder.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::StoreError;
use crate::request::ModelChoice;

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

/// The bytes of a weights file.
pub enum WeightBytes {
    /// Inside the program.
    Embedded(&'static [u8]),
    /// Mapped from disk: read when touched, never held twice.
    Mapped(memmap2::Mmap),
}

impl std::ops::Deref for WeightBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Embedded(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl WeightBytes {
    /// Gives the memory of a part that was read back to the system; it is read from disk if it is touched again.
    pub fn release(&self, range: std::ops::Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            #[expect(unsafe_code, reason = "the only advice that frees memory at once is marked unsafe")]
            // SAFETY: the map is private, read-only and backed by a file, so that pages given back hold
            // the same bytes when they are read again.
            let given = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
            };
            if let Err(error) = given {
                log::debug!("a map's pages could not be given back: {error}");
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

/// One safetensors file.
pub struct WeightFile {
    /// Where it is, for messages.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: WeightBytes,
}

impl ModelFiles {
    /// The files of a chosen model.
    pub fn open(choice: &ModelChoice) -> Result<Self, StoreError> {
        match choice {
            ModelChoice::Builtin => Ok(Self { root: Root::Builtin }),
            ModelChoice::Folder(folder) if folder.is_dir() => Ok(Self { root: Root::Folder(folder.clone()) }),
            ModelChoice::Folder(file) if file.is_file() => Err(refused_file(file)),
            ModelChoice::Folder(folder) => Err(StoreError::NoFolder(folder.clone())),
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

    /// A small file's bytes, `None` if it is not there.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>, StoreError> {
        match &self.root {
            Root::Builtin => Ok(BUILTIN.get_file(name).map(|file| Cow::Borrowed(file.contents()))),
            Root::Folder(folder) => {
                let path = folder.join(name);
                let failed = |source| StoreError::Read { source, path: path.clone() };
                match std::fs::metadata(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(failed(error)),
                    Ok(data) if data.len() > MAX_SMALL_FILE => {
                        let reason = format!("it has {} bytes, more than any such file", data.len());
                        Err(StoreError::Damaged { reason, path })
                    }
                    Ok(_) => std::fs::read(&path).map(|bytes| Some(Cow::Owned(bytes))).map_err(failed),
                }
            }
        }
    }

    /// A small file that must be there.
    pub fn require(&self, name: &str) -> Result<Cow<'static, [u8]>, StoreError> {
        self.read(name)?.ok_or_else(|| self.missing(name))
    }

    /// A JSON file that must be there.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        serde_json::from_slice(&self.require(name)?)
            .map_err(|error| StoreError::Damaged { reason: error.to_string(), path: self.path(name) })
    }

    /// The weights of a part such as `unet`: one file or shards, f32 or a half-precision variant.
    pub fn weights(&self, part: &str) -> Result<Vec<WeightFile>, StoreError> {
        let stems = ["diffusion_pytorch_model", "model"];
        for variant in ["", ".fp16", ".bf16"] {
            for stem in stems {
                let single = format!("{part}/{stem}{variant}.safetensors");
                if self.contains(&single) {
                    return Ok(vec![self.map(&single)?]);
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
        let plain = |name: &str| {
            let mut parts = Path::new(name).components();
            matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
        };
        if let Some(name) = names.iter().find(|name| !plain(name)) {
            let reason = format!("it names the shard ‘{name}’, which is not a plain file name");
            return Err(StoreError::Damaged { reason, path: self.path(index) });
        }
        names.iter().map(|name| self.map(&format!("{part}/{name}"))).collect()
    }

    fn map(&self, name: &str) -> Result<WeightFile, StoreError> {
        let path = self.path(name);
        let bytes = match &self.root {
            Root::Builtin => {
                let file = BUILTIN.get_file(name).ok_or_else(|| self.missing(name))?;
                WeightBytes::Embedded(file.contents())
            }
            Root::Folder(_) => {
                let failed = |source| StoreError::Read { source, path: path.clone() };
                let file = File::open(&path).map_err(failed)?;
                #[expect(unsafe_code, reason = "mapping a file has no safe form")]
                // SAFETY: the map is read-only and dropped once the weights are converted. A program
                // that truncates the file meanwhile would break any reader of maps; weights are not
                // edited in place.
                WeightBytes::Mapped(unsafe { memmap2::Mmap::map(&file) }.map_err(failed)?)
            }
        };
        Ok(WeightFile { path, bytes })
    }
}

/// Why a file is not a model folder.
fn refused_file(file: &Path) -> StoreError {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "bin" | "ckpt" | "pt" | "pth" => StoreError::Pickled(file.to_owned()),
        _ => StoreError::SingleFile(file.to_owned()),
    }
}
