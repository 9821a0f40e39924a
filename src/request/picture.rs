//! A picture as plain data.

use std::sync::Arc;

/// An 8-bit RGB picture, display-encoded sRGB, rows from the top. Cloning shares the pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Arc<[u8]>,
}

/// The number of bytes does not match the picture's size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a picture of {width}×{height} pixels has {} bytes, but {found} were given", width * height * 3)]
pub struct PictureSizeError {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// Bytes given.
    pub found: usize,
}

impl Picture {
    /// A picture from its bytes, `[H, W, 3]`: red, green, blue.
    ///
    /// # Errors
    /// [`PictureSizeError`] if the number of bytes does not match.
    pub fn new(width: usize, height: usize, rgb: impl Into<Arc<[u8]>>) -> Result<Self, PictureSizeError> {
        let rgb = rgb.into();
        if rgb.len() == width * height * 3 {
            Ok(Self { width, height, rgb })
        } else {
            Err(PictureSizeError { width, height, found: rgb.len() })
        }
    }

    /// Width, pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height, pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes: `[H, W, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Red, green and blue of one pixel.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}×{})", self.width, self.height)
    }
}
