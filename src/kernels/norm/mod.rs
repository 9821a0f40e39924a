//! Normalisation.

mod group;
mod layer;

pub use group::{Affine, group_sums};
pub use layer::LayerNorm;
