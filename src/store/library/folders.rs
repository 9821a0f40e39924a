//! The folders of a library: the program's own, those that a person added, and those of other programs.

use std::path::{Path, PathBuf};

use super::super::program_folders::{AUTOMATIC1111, COMFYUI, ModelFolder};
use super::comfy_paths;
use super::environment::Environment;
use super::note::Note;
use crate::reason::ReasonKind;

/// Folders inside a folder that a person chose, and inside one for a kind of model, that are searched.
const ADDED_DEPTH: usize = 6;
const KIND_DEPTH: usize = 4;
/// Below a repository's snapshot.
const SNAPSHOT_DEPTH: usize = 3;
/// ComfyUI's file of more folders.
const EXTRA_PATHS: &str = "extra_model_paths.yaml";

/// The program that a folder belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderOwner {
    /// This program.
    Own,
    /// A plain folder of models.
    Plain,
    /// ComfyUI.
    ComfyUi,
    /// AUTOMATIC1111's program or Forge.
    Automatic1111,
    /// InvokeAI.
    InvokeAi,
    /// The Hugging Face cache, which many programs share.
    HuggingFace,
}

impl FolderOwner {
    /// Its short name, for tables and JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Own => "safelight",
            Self::Plain => "folder",
            Self::ComfyUi => "comfyui",
            Self::Automatic1111 => "automatic1111",
            Self::InvokeAi => "invokeai",
            Self::HuggingFace => "hugging-face",
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "Safelight",
            Self::Plain => "folder",
            Self::ComfyUi => "ComfyUI",
            Self::Automatic1111 => "AUTOMATIC1111 or Forge",
            Self::InvokeAi => "InvokeAI",
            Self::HuggingFace => "Hugging Face",
        }
    }
}

/// A folder of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryFolder {
    /// Where it is: the program's own folder, or a folder of models.
    pub path: PathBuf,
    /// Whose it is.
    pub owner: FolderOwner,
}

/// A folder that is searched with its subfolders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) path: PathBuf,
    /// The number of levels of subfolders that are searched.
    pub(super) depth: usize,
}

impl LibraryFolder {
    /// This program's own folder of models.
    pub fn own(path: &Path) -> Self {
        Self { path: path.to_owned(), owner: FolderOwner::Own }
    }

    /// A folder, with the program that it belongs to by what is in it.
    pub fn of_path(path: &Path) -> Self {
        let has = |name: &str| path.join(name).exists();
        let owner = if has("models/checkpoints") {
            FolderOwner::ComfyUi
        } else if has("models/Stable-diffusion") {
            FolderOwner::Automatic1111
        } else if has("invokeai.yaml") || has("databases/invokeai.db") {
            FolderOwner::InvokeAi
        } else if has_repositories(path) {
            FolderOwner::HuggingFace
        } else {
            FolderOwner::Plain
        };
        Self { path: path.to_owned(), owner }
    }

    /// The folders that are searched for it, and what could not be found out.
    pub(super) fn trees(&self, environment: &Environment) -> (Vec<Tree>, Vec<Note>) {
        let tree = |path: PathBuf, depth| Tree { path, depth };
        let of_program = |folders: &[ModelFolder]| -> Vec<Tree> {
            let paths = folders.iter().map(|(inside, _)| self.path.join(inside));
            paths.filter(|path| path.is_dir()).map(|path| tree(path, KIND_DEPTH)).collect()
        };
        let mut notes = Vec::new();
        let trees = match self.owner {
            FolderOwner::Own | FolderOwner::Plain => vec![tree(self.path.clone(), ADDED_DEPTH)],
            FolderOwner::ComfyUi => {
                let mut trees = of_program(&COMFYUI);
                for folder in self.extra_paths(environment, &mut notes) {
                    if folder.is_dir() {
                        trees.push(tree(folder, KIND_DEPTH));
                    } else {
                        notes.push(Note::new(
                            ReasonKind::ComfyFolderGone,
                            "ComfyUI's list names this folder, and it is not there",
                            &folder,
                        ));
                    }
                }
                trees
            }
            FolderOwner::Automatic1111 => of_program(&AUTOMATIC1111),
            FolderOwner::InvokeAi => vec![tree(self.path.join("models"), KIND_DEPTH)],
            // The cache, a repository, `snapshots` and a commit.
            FolderOwner::HuggingFace => vec![tree(self.path.clone(), 1 + SNAPSHOT_DEPTH)],
        };
        (trees, notes)
    }

    /// The folders that ComfyUI's file of more folders names.
    fn extra_paths(&self, environment: &Environment, notes: &mut Vec<Note>) -> Vec<PathBuf> {
        let file = self.path.join(EXTRA_PATHS);
        if !file.exists() {
            return Vec::new();
        }
        match comfy_paths::read(&file, environment) {
            Ok(found) => {
                let not_understood = found.not_understood.into_iter();
                let left_out = |what: String| {
                    let clause = format!("{what}, and is left out");
                    Note::new(ReasonKind::ComfyLeftOut, clause, &file).with(what)
                };
                notes.extend(not_understood.map(left_out));
                found.folders
            }
            Err(why) => {
                let clause = format!("the folders that ComfyUI also searches are not known: {why}");
                notes.push(Note::new(ReasonKind::ComfyFoldersUnknown, clause, &file).with(why));
                Vec::new()
            }
        }
    }
}

/// Whether a folder has repositories of the Hugging Face cache.
fn has_repositories(path: &Path) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().take(1000);
    entries.into_iter().any(|entry| {
        entry.file_name().to_string_lossy().starts_with("models--") && entry.path().join("snapshots").is_dir()
    })
}

/// The folders of other programs that are on this machine, each once: offered, not searched.
pub fn offered(environment: &Environment) -> Vec<LibraryFolder> {
    const NAMES: [&str; 11] = [
        "ComfyUI",
        "comfyui",
        "ComfyUI_windows_portable/ComfyUI",
        "stable-diffusion-webui",
        "stable-diffusion-webui-forge",
        "sd-webui-forge-neo",
        "forge",
        "webui",
        "invokeai",
        "InvokeAI",
        "StabilityMatrix/Data/Packages/ComfyUI",
    ];
    let places = environment.usual_places();
    let programs = places.iter().flat_map(|place| NAMES.iter().map(|name| place.join(name)));
    let by_variable = ["COMFYUI_PATH", "INVOKEAI_ROOT"];
    let named = by_variable.iter().filter_map(|name| environment.variable(name)).map(PathBuf::from);
    let mut found: Vec<LibraryFolder> = Vec::new();
    let mut seen = Vec::new();
    for path in named.chain(programs).chain(environment.hugging_face_cache()) {
        let Ok(real) = std::fs::canonicalize(&path) else { continue };
        let folder = LibraryFolder::of_path(&path);
        if folder.owner != FolderOwner::Plain && !seen.contains(&real) {
            seen.push(real);
            found.push(folder);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_what_is_in_their_folders_and_offered_once() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path();
        for folder in [
            "ComfyUI/models/checkpoints",
            "Documents/stable-diffusion-webui/models/Stable-diffusion",
            "invokeai/databases",
            "forge",
            ".cache/huggingface/hub/models--a--b/snapshots/c1",
        ] {
            std::fs::create_dir_all(home.join(folder)).unwrap();
        }
        std::fs::write(home.join("invokeai/databases/invokeai.db"), b"").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(home.join("ComfyUI"), home.join("comfyui")).unwrap();
        let environment = Environment { home: Some(home.to_owned()), ..Environment::default() };
        let mut found: Vec<_> = offered(&environment)
            .into_iter()
            .map(|folder| (folder.owner.id(), folder.path.strip_prefix(home).unwrap().to_owned()))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                ("automatic1111", "Documents/stable-diffusion-webui".into()),
                ("comfyui", "ComfyUI".into()),
                ("hugging-face", ".cache/huggingface/hub".into()),
                ("invokeai", "invokeai".into()),
            ]
        );
    }

    #[test]
    fn a_program_s_folder_is_searched_where_models_are() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["models/checkpoints", "models/vae", "models/other", "custom_nodes", "more/lora"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        std::fs::write(
            root.path().join(EXTRA_PATHS),
            "x:\n  base_path: more\n  loras: lora\n  vae: {}\n  clip: gone\n",
        )
        .unwrap();
        let folder = LibraryFolder::of_path(root.path());
        let (trees, notes) = folder.trees(&Environment::default());
        let paths: Vec<_> = trees.iter().map(|tree| tree.path.strip_prefix(root.path()).unwrap()).collect();
        assert_eq!(paths, ["models/checkpoints", "models/vae", "more/lora"].map(Path::new));
        assert_eq!(notes.len(), 2);
        assert!(notes[1].to_string().ends_with("gone"), "{}", notes[1]);
        assert!(
            notes[0].to_string().starts_with("‘vae’ in ‘x’ is no folder, and is left out: "),
            "{}",
            notes[0]
        );
    }
}
