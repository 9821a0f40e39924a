//! Finding what may be an entry: files by their names, several files of one network, and folders in diffusers' layout.
//! No file is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::super::model_files::{has_index, snapshot_in};
use super::folders::Tree;
use super::note::Note;
use crate::reason::ReasonKind;
use crate::request::CancelToken;

/// The endings of files of weights.
const WEIGHTS: [&str; 3] = ["safetensors", "sft", "gguf"];
/// The endings of pickled weights.
const PICKLES: [&str; 4] = ["ckpt", "pt", "pth", "bin"];
/// More files than a library has: a folder with more is not one of models.
const MAX_FILES: usize = 100_000;
/// The size of a pickle ending in `bin`, bytes, below which it is something else, such as training arguments.
const LEAST_BIN: u64 = 1 << 20;
/// The levels of a folder in diffusers' layout that belong to its entry.
const MODEL_DEPTH: usize = 2;

/// What tells whether a file changed: its size and time, and for several files a number made of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    /// From the names, sizes and times of several files; 0 for one.
    files: u64,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One file.
    File,
    /// Several files of one network.
    Shards,
    /// A folder in diffusers' layout.
    Folder,
}

/// What may be an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) shape: Shape,
    /// The file, the first of several, or the folder.
    pub(super) path: PathBuf,
    /// The files; none for a folder.
    pub(super) files: Vec<PathBuf>,
    pub(super) fingerprint: Fingerprint,
    /// The repository of the Hugging Face cache, `OWNER/NAME`.
    pub(super) repository: Option<String>,
}

/// Everything that was found, each file once.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) items: Vec<Item>,
    pub(super) notes: Vec<Note>,
    /// Real paths of the folders that were searched and of the files that were found, so that links lead nowhere twice.
    seen: BTreeSet<PathBuf>,
    files: usize,
    is_full: bool,
}

/// A file in a folder that is searched.
struct Listed {
    name: String,
    path: PathBuf,
    data: std::fs::Metadata,
}

impl Walk {
    /// A walk that does not find these files again.
    pub(super) fn without<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        Self { seen: files.filter_map(|path| std::fs::canonicalize(path).ok()).collect(), ..Self::default() }
    }

    /// Searches a folder with its subfolders. Stops early once `cancel` is stopped.
    pub(super) fn tree(&mut self, tree: &Tree, cancel: &CancelToken) {
        match std::fs::metadata(&tree.path) {
            Ok(data) if data.is_dir() => self.folder(&tree.path, tree.depth, None, cancel),
            Ok(_) => self.notes.push(Note::new(
                ReasonKind::FolderIsFile,
                "this is a file, and a library has folders",
                &tree.path,
            )),
            Err(error) => self.note_folder(&tree.path, &error),
        }
    }

    fn note_folder(&mut self, path: &Path, error: &std::io::Error) {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
        let note = |kind, what: &str| Note::new(kind, what, path);
        self.notes.push(match error.kind() {
            ErrorKind::NotFound if is_link => note(ReasonKind::LinkToNothing, "the link leads to nothing"),
            ErrorKind::NotFound => note(
                ReasonKind::FolderGone,
                "the folder is not there; connect its drive, or take it off with ‘safelight models drop-folder’",
            ),
            ErrorKind::PermissionDenied => {
                note(ReasonKind::FolderForbidden, "this user may not read the folder")
            }
            _ => note(ReasonKind::FolderUnread, &format!("the folder cannot be read: {error}")).with(error),
        });
    }

    fn folder(&mut self, path: &Path, depth: usize, repository: Option<&str>, cancel: &CancelToken) {
        if cancel.is_stopped() || self.is_full {
            return;
        }
        // A link may lead back to a folder above it.
        match std::fs::canonicalize(path) {
            Ok(real) => {
                if !self.seen.insert(real) {
                    return;
                }
            }
            Err(error) => return self.note_folder(path, &error),
        }
        if let Some(name) = repository_of(path) {
            // Other snapshots and the files by their hashes are the same files again.
            if let Some(snapshot) = snapshot_in(path) {
                self.folder(&snapshot, depth, Some(&name), cancel);
            }
            return;
        }
        let (files, folders) = match self.listed(path, cancel) {
            Ok(listed) => listed,
            Err(error) => return self.note_folder(path, &error),
        };
        if has_index(path) {
            return self.model_folder(path, repository, cancel);
        }
        self.weights(files, repository);
        if depth > 0 {
            for folder in folders {
                self.folder(&folder, depth - 1, repository, cancel);
            }
        }
    }

    /// The files that may hold weights, and the subfolders, both sorted.
    fn listed(&mut self, path: &Path, cancel: &CancelToken) -> std::io::Result<(Vec<Listed>, Vec<PathBuf>)> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(path)? {
            if cancel.is_stopped() || self.is_full {
                break;
            }
            // A directory that ends with an error, as on a drive that goes away, gives what it gave.
            let Ok(entry) = entry else { break };
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            // Hidden folders, and what the Hugging Face cache has besides models.
            if [".", "datasets--", "spaces--"].iter().any(|start| name.starts_with(start)) {
                continue;
            }
            // A link counts as what it leads to.
            let may_be_folder = entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
            let may_be_weights = has_ending(&path, &WEIGHTS) || has_ending(&path, &PICKLES);
            if !may_be_folder && !may_be_weights {
                continue;
            }
            match std::fs::metadata(&path) {
                Ok(data) if data.is_dir() => folders.push(path),
                Ok(data) if data.is_file() && may_be_weights => {
                    self.files += 1;
                    files.push(Listed { name, path, data });
                }
                // A broken link to something else, such as a text, does not matter.
                Err(error) if may_be_weights || path.extension().is_none() => self.note_file(&path, &error),
                Ok(_) | Err(_) => {}
            }
            if self.files >= MAX_FILES {
                self.is_full = true;
                let what = format!(
                    "there are more than {MAX_FILES} files, and the others are left out; add folders of models instead"
                );
                let note = Note::new(ReasonKind::TooManyFiles, what, &path_of_parent(&files));
                self.notes.push(note.with(MAX_FILES));
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        folders.sort();
        Ok((files, folders))
    }

    fn note_file(&mut self, path: &Path, error: &std::io::Error) {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
        match error.kind() {
            ErrorKind::NotFound if is_link => {
                self.notes.push(Note::new(ReasonKind::LinkToNothing, "the link leads to nothing", path));
            }
            // It was removed in the meantime.
            ErrorKind::NotFound => {}
            _ => {
                let what = format!("the file cannot be read: {error}");
                self.notes.push(Note::new(ReasonKind::FileUnread, what, path).with(error));
            }
        }
    }

    /// Adds the files of weights of a folder; those of one network together.
    fn weights(&mut self, files: Vec<Listed>, repository: Option<&str>) {
        let mut shards: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
        for file in files {
            if let Some(stem) = shard_stem(&file.name) {
                shards.entry(stem.to_owned()).or_default().push(file);
            } else if !has_ending(&file.path, &["bin"]) || file.data.len() >= LEAST_BIN {
                self.add(Shape::File, file.path.clone(), vec![file], repository);
            }
        }
        for (_, files) in shards {
            let first = files[0].path.clone();
            self.add(Shape::Shards, first, files, repository);
        }
    }

    fn model_folder(&mut self, folder: &Path, repository: Option<&str>, cancel: &CancelToken) {
        let mut files = Vec::new();
        all_files(folder, MODEL_DEPTH, cancel, &mut files);
        self.add(Shape::Folder, folder.to_owned(), files, repository);
    }

    fn add(&mut self, shape: Shape, path: PathBuf, files: Vec<Listed>, repository: Option<&str>) {
        // A second link to the same file is no second model.
        if shape != Shape::Folder && std::fs::canonicalize(&path).is_ok_and(|real| !self.seen.insert(real)) {
            return;
        }
        let fingerprint = Fingerprint::of(&files);
        let files = match shape {
            Shape::Folder => Vec::new(),
            Shape::File | Shape::Shards => files.into_iter().map(|file| file.path).collect(),
        };
        self.items.push(Item { shape, path, files, fingerprint, repository: repository.map(str::to_owned) });
    }
}

impl Fingerprint {
    fn of(files: &[Listed]) -> Self {
        let modified = |file: &Listed| {
            let time = file.data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            time.map_or(0, |time| time.as_nanos() as u64)
        };
        let bytes = files.iter().map(|file| file.data.len()).fold(0, u64::saturating_add);
        let newest = files.iter().map(modified).max().unwrap_or_default();
        if files.len() < 2 {
            return Self { bytes, modified: newest, files: 0 };
        }
        let mut hasher = blake3::Hasher::new();
        for file in files {
            hasher.update(file.path.as_os_str().as_encoded_bytes());
            hasher.update(&file.data.len().to_le_bytes());
            hasher.update(&modified(file).to_le_bytes());
        }
        let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
        Self { bytes, modified: newest, files: u64::from_le_bytes([a, b, c, d, e, f, g, h]) }
    }

    /// That of one file now; `None` if it cannot be looked at.
    pub(super) fn of_file(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        Some(Self::of(&[Listed { name: String::new(), path: path.to_owned(), data }]))
    }
}

fn path_of_parent(files: &[Listed]) -> PathBuf {
    files.last().and_then(|file| file.path.parent()).unwrap_or(Path::new("")).to_owned()
}

/// All files of a folder, sorted by their paths.
fn all_files(folder: &Path, depth: usize, cancel: &CancelToken, files: &mut Vec<Listed>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if cancel.is_stopped() || files.len() >= MAX_FILES {
            return;
        }
        let Ok(data) = std::fs::metadata(&path) else { continue };
        if data.is_file() {
            files.push(Listed { name: String::new(), path, data });
        } else if data.is_dir() && depth > 1 {
            all_files(&path, depth - 1, cancel, files);
        }
    }
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// The common part of the names of several files of one network: `model` of `model-00001-of-00003.safetensors`.
fn shard_stem(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    let (stem, count) = stem.rsplit_once("-of-")?;
    let (stem, number) = stem.rsplit_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(count) && is_number(number) && ending != "bin").then_some(stem)
}

/// The repository of a folder of the Hugging Face cache.
fn repository_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_prefix("models--")?;
    path.join("snapshots").is_dir().then(|| name.replacen("--", "/", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_several_files_have_a_common_part() {
        assert_eq!(shard_stem("model-00001-of-00003.safetensors"), Some("model"));
        assert_eq!(
            shard_stem("diffusion_pytorch_model.fp16-00001-of-00002.safetensors"),
            Some("diffusion_pytorch_model.fp16")
        );
        assert_eq!(shard_stem("a-of-b.safetensors"), None);
        assert_eq!(shard_stem("one-of-00003.gguf"), None);
        assert_eq!(shard_stem("model.safetensors"), None);
    }

    #[test]
    fn repositories_have_their_names() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("models--city96--FLUX.1-dev-gguf");
        std::fs::create_dir_all(folder.join("snapshots")).unwrap();
        assert_eq!(repository_of(&folder).as_deref(), Some("city96/FLUX.1-dev-gguf"));
        assert_eq!(repository_of(root.path()), None);
    }
}
