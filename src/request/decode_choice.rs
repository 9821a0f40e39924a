//! How one latent is decoded.

use super::TileChoice;

/// How one latent is decoded, where that differs from how its model was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeChoice {
    /// Whether in tiles.
    pub tiles: Option<TileChoice>,
    /// In f32, whatever the model computes in.
    pub in_f32: bool,
}
