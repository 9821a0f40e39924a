//! Normalisation.

mod group;
mod layer;
mod rms;

pub use group::{Affine, group_sums};
pub use layer::LayerNorm;
pub use rms::rms_norm;
