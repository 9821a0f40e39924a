//! How one latent is decoded.

use super::TileChoice;

/// How one latent is decoded, where that differs from how its model was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeChoice {
    /// Whether to decode in tiles; `None` leaves it to the model's settings.
    pub tiles: Option<TileChoice>,
    /// Whether to compute in f32 whatever number format the model has.
    pub in_f32: bool,
}
