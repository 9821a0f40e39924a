//! Search for the parts of a model: in files given by the user, in the model's own file, and in files next to it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::StoreError;
use super::super::program_folders::{Holds, names_of};
use super::need::PartNeed;
use super::part::Part;
use super::wrong_part;
use crate::catalog::{ModelParts, PartRole};
use crate::weights::{TensorSource, WeightsKind, open_weights};

/// Number of directory entries that are searched at most.
const MAX_ENTRIES: usize = 500;

/// A source of tensors with its path.
pub(super) type Opened = (PathBuf, Arc<dyn TensorSource>);

/// The files in which parts are searched.
pub(super) struct PartSources {
    /// The model's file.
    pub(super) origin: PathBuf,
    /// Its tensors.
    pub(super) own: Arc<dyn TensorSource>,
    /// Files given for text encoders, by index.
    text_encoders: Vec<Option<Opened>>,
    vae: Option<Opened>,
    /// The given files in which a part was found, with the name of their role.
    used: RefCell<BTreeSet<(&'static str, PathBuf)>>,
    beside: OnceCell<Siblings>,
}

/// The files next to the model's.
#[derive(Default)]
struct Siblings {
    opened: Vec<Opened>,
    /// The first weights file that cannot be opened.
    unreadable: Option<PathBuf>,
}

impl PartSources {
    /// Opens the files given in `parts`. `own`: the tensors of `origin`.
    pub(super) fn open(
        origin: &Path,
        own: Arc<dyn TensorSource>,
        parts: &ModelParts,
    ) -> Result<Self, StoreError> {
        let open = |path: &PathBuf| Ok::<_, StoreError>((path.clone(), open_weights(path)?));
        Ok(Self {
            origin: origin.to_owned(),
            own,
            text_encoders: parts
                .text_encoders
                .iter()
                .map(|path| path.as_ref().map(open).transpose())
                .collect::<Result<_, _>>()?,
            vae: parts.vae.as_ref().map(open).transpose()?,
            used: RefCell::default(),
            beside: OnceCell::new(),
        })
    }

    /// Searches for a part with `find`: in the files given for its role, in the model's own file, then in files next to
    /// it. What `find` gives counts if `need` accepts it.
    ///
    /// # Errors
    /// [`StoreError::MissingPart`] if the part is not found; [`StoreError::WrongPart`] if a file given for it contains
    /// something else.
    pub(super) fn part(
        &self,
        need: &PartNeed,
        find: impl Fn(&dyn TensorSource) -> Option<Part>,
    ) -> Result<(Arc<dyn TensorSource>, Part), StoreError> {
        let PartNeed { role, what, .. } = need;
        let (role, what) = (*role, what.as_str());
        let found =
            |(_, source): &Opened| Some((source.clone(), find(&**source).filter(|part| need.accepts(part))?));
        let given: Vec<&Opened> = match role {
            PartRole::TextEncoder(_) => self.text_encoders.iter().flatten().collect(),
            PartRole::Vae => self.vae.iter().collect(),
        };
        for opened in given {
            if let Some(part) = found(opened) {
                self.used.borrow_mut().insert((role.name(), opened.0.clone()));
                return Ok(part);
            }
        }
        let own = (self.origin.clone(), self.own.clone());
        if let Some(part) = found(&own).filter(|_| role != PartRole::Vae || self.vae.is_none()) {
            return Ok(part);
        }
        // Text encoders may be given in any order, so a file counts as wrong only if no text encoder was found in it.
        let given_for_it = match role {
            PartRole::TextEncoder(index) => self.text_encoders.get(index).and_then(Option::as_ref),
            PartRole::Vae => self.vae.as_ref(),
        };
        let is_unused = |(path, _): &&Opened| !self.used.borrow().contains(&(role.name(), path.clone()));
        if let Some((path, _)) = given_for_it.filter(is_unused) {
            return Err(wrong_part(what, path));
        }
        let beside = self.beside.get_or_init(|| open_siblings(&self.origin));
        beside.opened.iter().find_map(found).ok_or_else(|| StoreError::MissingPart {
            what: what.to_owned(),
            role,
            beside: beside.unreadable.as_ref().map_or_else(String::new, |path| {
                format!("; the file ‘{}’ beside it is damaged or cannot be read", path.display())
            }),
            path: self.origin.clone(),
        })
    }

    /// Checks that a part was found in each given file, so that none is ignored silently.
    ///
    /// # Errors
    /// [`StoreError::WrongPart`] for the first unused file.
    pub(super) fn check_all_used(&self) -> Result<(), StoreError> {
        let encoders =
            self.text_encoders.iter().flatten().map(|opened| (PartRole::TextEncoder(0).name(), opened));
        let mut given = encoders.chain(self.vae.iter().map(|opened| (PartRole::Vae.name(), opened)));
        match given.find(|(what, (path, _))| !self.used.borrow().contains(&(*what, path.clone()))) {
            Some((what, (path, _))) => Err(wrong_part(what, path)),
            None => Ok(()),
        }
    }
}

/// Opens the files with parts of models in the folder of `origin`, and in sibling folders with the names used by other
/// programs.
fn open_siblings(origin: &Path) -> Siblings {
    let Some(folder) = std::path::absolute(origin).ok().and_then(|path| path.parent().map(Path::to_owned))
    else {
        return Siblings::default();
    };
    let mut folders = vec![folder.clone()];
    // Other programs keep denoisers and other parts in sibling folders. The file is in a folder of denoisers or in a
    // subfolder of one.
    let (denoisers, parts) = (names_of(Holds::Denoisers), names_of(Holds::Parts));
    for ancestor in folder.ancestors().take(2) {
        let is_of_denoisers =
            ancestor.file_name().is_some_and(|name| denoisers.iter().any(|known| name == *known));
        if let (true, Some(parent)) = (is_of_denoisers, ancestor.parent()) {
            folders.extend(parts.iter().map(|part| parent.join(part)));
        }
    }
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| weights_in(folder)).collect();
    files.retain(|file| file != origin);
    let is_part = |source: &dyn TensorSource| {
        matches!(
            WeightsKind::of(source),
            WeightsKind::Clip
                | WeightsKind::PictureSearch
                | WeightsKind::T5
                | WeightsKind::Qwen3
                | WeightsKind::Vae
        )
    };
    let mut beside = Siblings::default();
    for path in files {
        match open_weights(&path) {
            Ok(source) if is_part(&*source) => beside.opened.push((path, source)),
            Ok(_) => {}
            Err(_) => {
                beside.unreadable.get_or_insert(path);
            }
        }
    }
    beside
}

/// The weights files in a folder, sorted.
fn weights_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_weights = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "safetensors" || ending == "gguf") && path.is_file()
    };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).take(MAX_ENTRIES).filter(is_weights).collect();
    files.sort();
    files
}

#[cfg(test)]
impl PartSources {
    /// A model with all parts in one source.
    pub(super) fn of_one(source: Arc<dyn TensorSource>) -> Self {
        Self {
            origin: "model.safetensors".into(),
            own: source,
            text_encoders: Vec::new(),
            vae: None,
            used: RefCell::default(),
            beside: OnceCell::from(Siblings::default()),
        }
    }
}
