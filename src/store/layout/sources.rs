//! Where the parts of a model may be: in files that were named, in the model's own file, or in files beside it.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::StoreError;
use super::part::Part;
use crate::catalog::ModelParts;
use crate::weights::{TensorSource, WeightsKind, kind_of_weights, open_weights};

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
    text_encoders: Vec<Opened>,
    vae: Option<Opened>,
    beside: OnceCell<Vec<Opened>>,
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
            text_encoders: parts.text_encoders.iter().flatten().map(open).collect::<Result<_, _>>()?,
            vae: parts.vae.as_ref().map(open).transpose()?,
            beside: OnceCell::new(),
        })
    }

    /// The first source with the part that `find` finds: among the files that were named for its kind, in the model's own
    /// file, then beside it.
    ///
    /// # Errors
    /// [`StoreError::MissingPart`], which asks for `what`; [`StoreError::NotAWholeModel`] if what was named is something
    /// else.
    pub(super) fn part(
        &self,
        role: Role,
        what: &str,
        find: impl Fn(&dyn TensorSource) -> Option<Part>,
    ) -> Result<(Arc<dyn TensorSource>, Part), StoreError> {
        let found = |(_, source): &Opened| Some((source.clone(), find(&**source)?));
        let named: Vec<&Opened> = match role {
            Role::TextEncoder(_) => self.text_encoders.iter().collect(),
            Role::Vae => self.vae.iter().collect(),
        };
        if let Some(part) = named.iter().find_map(|opened| found(opened)) {
            return Ok(part);
        }
        // A VAE that was named and is none must not be passed over in silence.
        if let (Role::Vae, Some((path, source))) = (role, named.first()) {
            let kind = WeightsKind::of(&**source).to_string();
            return Err(StoreError::NotAWholeModel { kind, path: path.clone() });
        }
        let own = (self.origin.clone(), self.own.clone());
        let beside = || self.beside.get_or_init(|| open_beside(&self.origin)).iter();
        found(&own).or_else(|| beside().find_map(found)).ok_or_else(|| StoreError::MissingPart {
            what: what.to_owned(),
            option: role.option(),
            path: self.origin.clone(),
        })
    }
}

/// The files with parts of models in the folder of `origin`, and in the folders beside that where other programs keep them.
fn open_beside(origin: &Path) -> Vec<Opened> {
    let Some(folder) = std::path::absolute(origin).ok().and_then(|path| path.parent().map(Path::to_owned))
    else {
        return Vec::new();
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
    let is_part = |path: &PathBuf| {
        let kind = kind_of_weights(path);
        matches!(
            kind,
            Some(WeightsKind::Clip | WeightsKind::T5 | WeightsKind::LanguageModel | WeightsKind::Vae)
        )
    };
    let open = |path: PathBuf| open_weights(&path).ok().map(|source| (path, source));
    files.into_iter().filter(is_part).filter_map(open).collect()
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
            beside: OnceCell::from(Vec::new()),
        }
    }
}
