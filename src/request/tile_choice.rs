//! Whether pictures are encoded and decoded in tiles.

use std::str::FromStr;

/// Whether the VAE runs in tiles, which takes less memory and gives almost the same picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TileChoice {
    /// Large pictures, and every picture when memory is short.
    #[default]
    Auto,
    /// Every picture.
    Always,
    /// No picture, whatever memory it takes.
    Never,
}

impl FromStr for TileChoice {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(format!("‘{s}’ is not a choice of tiles: use auto, always or never")),
        }
    }
}
