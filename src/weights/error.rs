//! What can go wrong with weights.

use std::io;
use std::path::PathBuf;

use crate::reason::{Reason, ReasonKind};

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// A file is not what it should be.
    #[error("the weights cannot be used: {reason}: {}", path.display())]
    Damaged {
        /// In what way.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
    /// No file has this tensor.
    #[error("the tensor ‘{name}’ {shape:?} is missing: {}", path.display())]
    Missing {
        /// Its name.
        name: String,
        /// The shape that was expected.
        shape: Vec<usize>,
        /// The file that was searched, or the first of them.
        path: PathBuf,
    },
    /// A tensor has another shape than the network's configuration says.
    #[error("the tensor ‘{name}’ should be {expected:?} and is {found:?}: {}", path.display())]
    Shape {
        /// Its name.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
        /// Which file.
        path: PathBuf,
    },
    /// A tensor cannot be read.
    #[error("the tensor ‘{name}’: {reason}: {}", path.display())]
    Tensor {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Which file.
        path: PathBuf,
    },
}

/// Why a file gave no bytes.
pub(super) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the file became shorter while it was read; if it is still being copied or downloaded, open the model again afterwards".to_owned()
        }
        _ => format!("the file cannot be read: {error}"),
    }
}

/// That a file of `len` bytes is not all of one of `needed`.
pub(super) fn too_short(len: u64, needed: u64) -> String {
    format!("the file ends too early: it has {len} bytes and should have {needed}; download or copy it again")
}

impl From<&WeightError> for Reason {
    fn from(error: &WeightError) -> Self {
        use ReasonKind as Kind;
        match error {
            WeightError::Damaged { reason, path } => {
                Self::new(Kind::WeightsDamaged, error).with([reason as _]).at(path)
            }
            WeightError::Missing { name, shape, path } => {
                let shape = format!("{shape:?}");
                Self::new(Kind::TensorMissing, error).with([name as _, &shape as _]).at(path)
            }
            WeightError::Shape { name, expected, found, path } => {
                let [expected, found] = [expected, found].map(|shape| format!("{shape:?}"));
                Self::new(Kind::TensorShape, error).with([name as _, &expected as _, &found as _]).at(path)
            }
            WeightError::Tensor { name, reason, path } => {
                Self::new(Kind::TensorUnusable, error).with([name as _, reason as _]).at(path)
            }
        }
    }
}
