//! Values that are no numbers: in what a text encoder gives, and in the weights of a model that gave some.

use std::path::PathBuf;

use super::ModelError;
use crate::catalog::ModelSource;
use crate::networks::backend::{DType, Tensor};
use crate::reason::{Reason, ReasonKind};
use crate::request::CancelToken;
use crate::store::ModelFiles;
use crate::weights::holds_non_finite;

/// The parts of all families, in the order in which a picture passes through them.
const PARTS: [&str; 6] = ["text_encoder", "text_encoder_2", "text_encoder_3", "unet", "transformer", "vae"];

/// Refuses hidden states with NaN or infinity, which `part` gave.
///
/// The check costs about as much as one pass over the states, and tells a text encoder apart from the network that
/// reads them.
pub(super) fn finite(part: &'static str) -> impl Fn(Tensor) -> Result<Tensor, ModelError> {
    move |states| {
        let mean: f32 = states.to_dtype(DType::F32)?.abs()?.mean_all()?.to_scalar()?;
        if mean.is_finite() { Ok(states) } else { Err(ModelError::NonFinite { part }) }
    }
}

/// Weights with NaN or infinity: the file is damaged, or was made from a training that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weights of the {part} hold values that are not numbers (the tensor ‘{tensor}’): {}", path.display())]
pub struct DamagedWeights {
    /// The part's name in diffusers' layout.
    pub part: &'static str,
    /// The first tensor with such a value.
    pub tensor: String,
    /// Its file.
    pub path: PathBuf,
}

impl From<&DamagedWeights> for Reason {
    fn from(damage: &DamagedWeights) -> Self {
        let DamagedWeights { part, tensor, path } = damage;
        Self::new(ReasonKind::WeightsNonFinite, damage).with([part as _, tensor as _]).at(path)
    }
}

/// The first weights of a model with NaN or infinity. Reads all its files, for a model that gave such values.
pub fn damaged_weights(model: &ModelSource, cancel: &CancelToken) -> Option<DamagedWeights> {
    let files = ModelFiles::open(model).ok()?;
    for part in PARTS {
        let Ok(source) = files.tensors(part) else { continue };
        for name in source.names() {
            if cancel.is_stopped() {
                return None;
            }
            // A tensor that cannot be read is another fault, which loading reports.
            if source.read(name).is_ok_and(|tensor| holds_non_finite(tensor.view())) {
                return Some(DamagedWeights { part, tensor: name.to_owned(), path: source.path(name) });
            }
        }
    }
    None
}
