//! The files of models: the built-in one, and folders in diffusers' layout.

mod checkpoint;
mod model_files;
pub mod preview_cache;
mod vocabulary;
mod weight_file;

use std::path::PathBuf;

pub use checkpoint::{Checkpoint, latent_channels};
pub use model_files::ModelFiles;
pub use vocabulary::{Vocabulary, builtin_previews, builtin_vocabulary};
pub use weight_file::WeightFile;

use crate::content::Content;

/// Why the files of a model cannot be used. Each message says what to try.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder does not exist.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// The folder contains no supported model.
    #[error("no Stable Diffusion model in diffusers' layout was found: {looked_for} is missing in {}", folder.display())]
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
    /// It is a single checkpoint file and not a folder.
    #[error(
        "this is a single file, and models open from folders. Convert it with diffusers: \
         StableDiffusionPipeline.from_single_file(file).save_pretrained(folder). Found {}", .0.display()
    )]
    SingleFile(PathBuf),
    /// It is a file that is not a model.
    #[error("a model opens from its folder, and this is {content}: {}", path.display())]
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
    /// A configuration file is damaged.
    #[error("the file is not what it should be: {reason}: {}", path.display())]
    Damaged {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
}
