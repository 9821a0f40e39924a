//! The files of models, presented in diffusers' layout: the built-in model, folders, single files, and files per part;
//! and the history of all runs ([`history`]).

pub mod calendar;
mod checkpoint;
pub mod history;
pub mod hub;
mod layout;
pub mod library;
mod model_files;
pub mod model_json;
mod names;
pub mod preview_cache;
mod program_folders;
mod tiny_decoder;
mod vocabulary;

use std::path::PathBuf;

pub use checkpoint::{Checkpoint, latent_channels};
pub use layout::{PartKind, PartNeed, PartOffer};
pub use model_files::ModelFiles;
pub use tiny_decoder::open_tiny_decoder;
pub use vocabulary::{Vocabulary, builtin_previews, builtin_vocabulary};

use crate::catalog::PartRole;
use crate::content::Content;
use crate::reason::{Reason, ReasonKind};
use crate::weights::{WeightError, WeightsKind};

/// Why the files of a model cannot be used. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file does not exist.
    #[error("there is no folder or file {}", .0.display())]
    NoFolder(PathBuf),
    /// The folder contains no supported model.
    #[error("no model in diffusers' layout was found: {looked_for} is missing in {}", folder.display())]
    NotAModel {
        /// The file that is missing.
        looked_for: String,
        /// The folder.
        folder: PathBuf,
    },
    /// There are only pickled weights.
    #[error(
        "the weights are pickled, and opening a pickle can run any code, so this program does not. Convert \
         them with diffusers: pipe.save_pretrained(folder, safe_serialization=True). Found {}", .0.display()
    )]
    Pickled(PathBuf),
    /// No file with a required part was found.
    #[error("the model has no {what}, and no file for it was named ({} FILE){beside}: {}", role.option(), path.display())]
    MissingPart {
        /// Which part.
        what: String,
        /// Its role in the model.
        role: PartRole,
        /// A clause about an unreadable file next to the model's, with its separator; may be empty.
        beside: String,
        /// The model's file.
        path: PathBuf,
    },
    /// A file given for a part does not contain one that fits the model.
    #[error("the model takes no {what} from the file that was named for one, which holds {kind}: {}", path.display())]
    WrongPart {
        /// Which part.
        what: String,
        /// What the file contains.
        kind: String,
        /// The file.
        path: PathBuf,
    },
    /// A file named for a tiny decoder that is none.
    #[error("this is no tiny decoder but {found}: {}", path.display())]
    NotATinyDecoder {
        /// What it is.
        found: Reason,
        /// The file.
        path: PathBuf,
    },
    /// A weights file from which no model can be opened.
    #[error("no model can be opened: this is {kind}: {}", path.display())]
    NotAWholeModel {
        /// What it is, and what to do with it.
        kind: WeightsKind,
        /// The file.
        path: PathBuf,
    },
    /// A file that is not a model.
    #[error("a model opens from its folder, a safetensors or a GGUF file, and this is {content}: {}", path.display())]
    NotAFolder {
        /// The kind of its content.
        content: Content,
        /// The file.
        path: PathBuf,
    },
    /// The family is not supported.
    #[error("{class} models are not supported yet: {why}: {}", path.display())]
    UnsupportedFamily {
        /// The pipeline's class.
        class: String,
        /// What is different, or what is supported.
        why: String,
        /// The file that names the class.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read the file: {reason}: {}", path.display())]
    Read {
        /// The operating system's error.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A weights file is damaged.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A configuration file is damaged.
    #[error("the file is not what it should be: {reason}: {}", path.display())]
    Damaged {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
}

impl From<&StoreError> for Reason {
    fn from(error: &StoreError) -> Self {
        use ReasonKind as Kind;
        let new = |kind| Self::new(kind, error);
        match error {
            StoreError::NoFolder(path) => new(Kind::NoSuchFile).at(path),
            StoreError::NotAModel { looked_for, folder } => {
                new(Kind::NoModelInFolder).with([looked_for as _]).at(folder)
            }
            StoreError::Pickled(path) => new(Kind::Pickled).at(path),
            StoreError::MissingPart { what, role, path, .. } => {
                new(Kind::MissingPart).with([what as _, &role.option() as _]).at(path)
            }
            StoreError::WrongPart { what, path, .. } => new(Kind::WrongPart).with([what as _]).at(path),
            StoreError::NotATinyDecoder { found, path } => {
                new(Kind::NotATinyDecoder).because(found.clone()).at(path)
            }
            StoreError::NotAWholeModel { kind, path } => new(Kind::NotAWholeModel).because(*kind).at(path),
            StoreError::NotAFolder { content, path } => new(Kind::NotAModelFile).because(content).at(path),
            StoreError::UnsupportedFamily { class, path, .. } => {
                new(Kind::UnsupportedFamily).with([class as _]).at(path)
            }
            StoreError::Read { reason, path } => new(Kind::FileUnread).with([reason as _]).at(path),
            StoreError::Weights(error) => error.into(),
            StoreError::Damaged { reason, path } => new(Kind::ModelFileDamaged).with([reason as _]).at(path),
        }
    }
}
