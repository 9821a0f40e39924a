//! Which models there are: the built-in one and folders in diffusers' layout, read through one door.

mod detect;
mod model_files;
pub mod preview_cache;
mod vocabulary;

use std::path::PathBuf;

pub use detect::{ModelIndex, detect, latent_channels};
pub use model_files::{ModelFiles, WeightBytes, WeightFile};
pub use vocabulary::{Vocabulary, builtin_previews, builtin_vocabulary};

/// Why a model's files cannot be used. Each says what to try.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such folder.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// The folder holds no model this program knows.
    #[error("no Stable Diffusion model in diffusers' layout was found: {looked_for} is missing in {}", folder.display())]
    NotAModel {
        /// What was looked for.
        looked_for: String,
        /// Where.
        folder: PathBuf,
    },
    /// Only pickled weights are there.
    #[error(
        "the weights are pickled, and opening a pickle can run anybody's code, so this program does not. Convert \
         them with diffusers: pipe.save_pretrained(folder, safe_serialization=True). Found {}", .0.display()
    )]
    Pickled(PathBuf),
    /// A single checkpoint file instead of a folder.
    #[error(
        "this is a single file, and models open from folders. Convert it with diffusers: \
         StableDiffusionPipeline.from_single_file(file).save_pretrained(folder). Found {}", .0.display()
    )]
    SingleFile(PathBuf),
    /// A family that is not supported.
    #[error("{class} models are not supported yet: {supported}. Found in {}", path.display())]
    UnsupportedFamily {
        /// The pipeline's class.
        class: String,
        /// What is.
        supported: &'static str,
        /// The file that says so.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read the file: {source}: {}", path.display())]
    Read {
        /// Why.
        source: std::io::Error,
        /// Which.
        path: PathBuf,
    },
    /// A configuration file is damaged.
    #[error("the file is not what it should be: {reason}: {}", path.display())]
    Damaged {
        /// In what way.
        reason: String,
        /// Which.
        path: PathBuf,
    },
}
