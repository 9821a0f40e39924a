//! Where the parts of a model may be: in files that were named, in the model's own file, or in files beside it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::StoreError;
use super::part::Part;
use super::wrong_part;
use crate::catalog::ModelParts;
use crate::weights::{TensorSource, WeightsKind, open_weights};

/// Folders of other programs in which a model's parts lie beside the folder with its denoiser.
const DENOISERS: [&str; 5] = ["diffusion_models", "unet", "checkpoints", "Stable-diffusion", "transformer"];
const PARTS: [&str; 6] = ["text_encoders", "text_encoder", "clip", "vae", "VAE", "text_encoder_2"];
/// More files than this are no folder of parts.
const MOST_FILES: usize = 500;

/// What a part is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A text encoder, by its place.
    TextEncoder(usize),
    /// The autoencoder.
    Vae,
}

impl Role {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::TextEncoder(_) => "text encoder",
            Self::Vae => "VAE",
        }
    }

    /// The option of the command line that names a file for it.
    fn option(self) -> &'static str {
        match self {
            Self::TextEncoder(0) => "--text-encoder",
            Self::TextEncoder(1) => "--text-encoder-2",
            Self::TextEncoder(_) => "--text-encoder-3",
            Self::Vae => "--vae",
        }
    }
}

/// A source of tensors with its file.
pub(super) type Opened = (PathBuf, Arc<dyn TensorSource>);

/// Where the tensors of each part are.
pub(super) struct PartSources {
    /// The file that was pointed at.
    pub(super) origin: PathBuf,
    /// Its tensors.
    pub(super) own: Arc<dyn TensorSource>,
    /// Files that were named, by their places.
    text_encoders: Vec<Option<Opened>>,
    vae: Option<Opened>,
    /// The files that were named and gave a part, and for what they were named.
    used: RefCell<BTreeSet<(&'static str, PathBuf)>>,
    beside: OnceCell<Beside>,
}

/// The files that lie beside the model's.
#[derive(Default)]
struct Beside {
    opened: Vec<Opened>,
    /// The first that looks like one of weights and cannot be opened.
    unreadable: Option<PathBuf>,
}

impl PartSources {
    /// Opens the files that are named beside `origin`, which is open already.
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

    /// The first source with the part that `find` finds: among the files that were named for its kind, in the model's own
    /// file, then beside it.
    ///
    /// # Errors
    /// [`StoreError::MissingPart`], which asks for `what`; [`StoreError::WrongPart`] if what was named is something
    /// else.
    pub(super) fn part(
        &self,
        role: Role,
        what: &str,
        find: impl Fn(&dyn TensorSource) -> Option<Part>,
    ) -> Result<(Arc<dyn TensorSource>, Part), StoreError> {
        let found = |(_, source): &Opened| Some((source.clone(), find(&**source)?));
        let named: Vec<&Opened> = match role {
            Role::TextEncoder(_) => self.text_encoders.iter().flatten().collect(),
            Role::Vae => self.vae.iter().collect(),
        };
        for opened in named {
            if let Some(part) = found(opened) {
                self.used.borrow_mut().insert((role.name(), opened.0.clone()));
                return Ok(part);
            }
        }
        let own = (self.origin.clone(), self.own.clone());
        if let Some(part) = found(&own).filter(|_| role != Role::Vae || self.vae.is_none()) {
            return Ok(part);
        }
        // A file may be named for another text encoder than it holds, and gives that; but none that gives nothing is passed
        // over in silence.
        let named_for_it = match role {
            Role::TextEncoder(place) => self.text_encoders.get(place).and_then(Option::as_ref),
            Role::Vae => self.vae.as_ref(),
        };
        let is_unused = |(path, _): &&Opened| !self.used.borrow().contains(&(role.name(), path.clone()));
        if let Some((path, _)) = named_for_it.filter(is_unused) {
            return Err(wrong_part(what, path));
        }
        let beside = self.beside.get_or_init(|| open_beside(&self.origin));
        beside.opened.iter().find_map(found).ok_or_else(|| StoreError::MissingPart {
            what: what.to_owned(),
            option: role.option(),
            beside: beside.unreadable.as_ref().map_or_else(String::new, |path| {
                format!("; the file ‘{}’ beside it is damaged or cannot be read", path.display())
            }),
            path: self.origin.clone(),
        })
    }

    /// Checks that each file that was named gave a part: none must be passed over in silence.
    ///
    /// # Errors
    /// [`StoreError::WrongPart`].
    pub(super) fn check_all_used(&self) -> Result<(), StoreError> {
        let encoders =
            self.text_encoders.iter().flatten().map(|opened| (Role::TextEncoder(0).name(), opened));
        let mut named = encoders.chain(self.vae.iter().map(|opened| (Role::Vae.name(), opened)));
        match named.find(|(what, (path, _))| !self.used.borrow().contains(&(*what, path.clone()))) {
            Some((what, (path, _))) => Err(wrong_part(what, path)),
            None => Ok(()),
        }
    }
}

/// The files with parts of models in the folder of `origin`, and in the folders beside that where other programs keep them.
fn open_beside(origin: &Path) -> Beside {
    let Some(folder) = std::path::absolute(origin).ok().and_then(|path| path.parent().map(Path::to_owned))
    else {
        return Beside::default();
    };
    let mut folders = vec![folder.clone()];
    // In a folder of denoisers, or in one of its own inside that.
    for ancestor in folder.ancestors().take(2) {
        let is_of_denoisers =
            ancestor.file_name().is_some_and(|name| DENOISERS.iter().any(|known| name == *known));
        if let (true, Some(parent)) = (is_of_denoisers, ancestor.parent()) {
            folders.extend(PARTS.iter().map(|part| parent.join(part)));
        }
    }
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| weights_in(folder)).collect();
    files.retain(|file| file != origin);
    let is_part = |source: &dyn TensorSource| {
        matches!(
            WeightsKind::of(source),
            WeightsKind::Clip | WeightsKind::T5 | WeightsKind::LanguageModel | WeightsKind::Vae
        )
    };
    let mut beside = Beside::default();
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

/// The files of weights in a folder, sorted.
fn weights_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_weights = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "safetensors" || ending == "gguf") && path.is_file()
    };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).take(MOST_FILES).filter(is_weights).collect();
    files.sort();
    files
}

#[cfg(test)]
impl PartSources {
    /// A model whose parts are all in one source.
    pub(super) fn of_one(source: Arc<dyn TensorSource>) -> Self {
        Self {
            origin: "model.safetensors".into(),
            own: source,
            text_encoders: Vec::new(),
            vae: None,
            used: RefCell::default(),
            beside: OnceCell::from(Beside::default()),
        }
    }
}
