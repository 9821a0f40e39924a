//! The files of models: the built-in one, and folders in diffusers' layout.

mod checkpoint;
mod layout;
mod model_files;
mod names;
pub mod preview_cache;
mod vocabulary;

use std::path::PathBuf;

pub use checkpoint::{Checkpoint, latent_channels};
pub use model_files::ModelFiles;
pub use vocabulary::{Vocabulary, builtin_previews, builtin_vocabulary};

use crate::content::Content;
use crate::weights::WeightError;

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
    /// A file of weights that holds a part of a model, and no file was named for another part.
    #[error("the model has no {what}, and no file for it was named ({option} FILE){beside}: {}", path.display())]
    MissingPart {
        /// Which part.
        what: String,
        /// The option of the command line that names its file.
        option: &'static str,
        /// Why a file that lies beside the model's was passed over, with what separates it; empty if none was.
        beside: String,
        /// The file that was pointed at.
        path: PathBuf,
    },
    /// A file that was named for a part, and has none that the model takes.
    #[error("the model takes no {what} from the file that was named for one, which holds {kind}: {}", path.display())]
    WrongPart {
        /// Which part.
        what: String,
        /// What is in the file.
        kind: String,
        /// Which file.
        path: PathBuf,
    },
    /// A file of weights that is not a whole model of a family that opens from one file.
    #[error("no model can be opened: this is {kind}: {}", path.display())]
    NotAWholeModel {
        /// What it is, and what to do with it.
        kind: String,
        /// Which file.
        path: PathBuf,
    },
    /// It is a file that is not a model.
    #[error("a model opens from its folder, a safetensors or a GGUF file, and this is {content}: {}", path.display())]
    NotAFolder {
        /// The kind of the file.
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
    /// A file of weights is damaged.
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
