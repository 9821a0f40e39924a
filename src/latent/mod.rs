//! Latents: shape, format, trajectory of a run, statistics.
//!
//! A latent here is plain data, never a device tensor: it crosses threads, and files and preview shaders use it.

mod adjustments;
mod difference;
mod format;
mod posterior;
mod principal;
mod spectrum;
mod statistics;
mod trajectory;

use std::sync::Arc;

pub use adjustments::{Blend, BlendMode, ChannelAdjustment, ChannelAdjustments};
pub use difference::{LatentDifference, heat_limit};
pub use format::{Compression, LatentFormat, LatentSpace};
pub use posterior::{kl_map, posterior_sigma};
pub use principal::{PrincipalComponents, principal_components};
pub use spectrum::{Spectrum, spectrum_bands};
pub use statistics::{
    ChannelStatistics, Histogram, NonFiniteError, channel_statistics, check_finite, first_non_finite,
};
pub use trajectory::{Trajectory, TrajectoryStep};

/// The size of a latent: `[C, H, W]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct LatentShape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl LatentShape {
    /// A shape from its three sizes.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// Latent pixels of one channel.
    pub const fn plane_len(&self) -> usize {
        self.height * self.width
    }

    /// Values in the whole latent.
    pub const fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether it has no values.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for LatentShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

/// The number of values does not match the shape.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a latent of shape {shape} has {} values, but {found} were given", shape.len())]
pub struct LatentSizeError {
    /// The shape.
    pub shape: LatentShape,
    /// The number of values given.
    pub found: usize,
}

/// A latent picture, `[C, H, W]` in row-major order, f32. Cloning shares the values.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    shape: LatentShape,
    values: Arc<[f32]>,
}

impl Latent {
    /// A latent from its values, channel after channel, row after row.
    ///
    /// # Errors
    /// [`LatentSizeError`] if the number of values does not match the shape.
    pub fn new(shape: LatentShape, values: impl Into<Arc<[f32]>>) -> Result<Self, LatentSizeError> {
        let values = values.into();
        if values.len() == shape.len() {
            Ok(Self { shape, values })
        } else {
            Err(LatentSizeError { shape, found: values.len() })
        }
    }

    /// All zeros.
    pub fn zeros(shape: LatentShape) -> Self {
        Self { shape, values: vec![0.0; shape.len()].into() }
    }

    /// Its shape.
    pub fn shape(&self) -> LatentShape {
        self.shape
    }

    /// All values, `[C, H, W]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One channel, `[H, W]`.
    pub fn channel(&self, channel: usize) -> &[f32] {
        &self.values[channel * self.shape.plane_len()..][..self.shape.plane_len()]
    }

    /// The vector of all channels at one latent pixel.
    pub fn vector_at(&self, x: usize, y: usize) -> Vec<f32> {
        let offset = y * self.shape.width + x;
        (0..self.shape.channels).map(|c| self.values[c * self.shape.plane_len() + offset]).collect()
    }

    /// A latent of the same shape whose values are `f(channel, value)`.
    #[must_use]
    pub fn map(&self, f: impl Fn(usize, f32) -> f32) -> Self {
        let plane = self.shape.plane_len().max(1);
        let values = self.values.iter().enumerate().map(|(i, &v)| f(i / plane, v)).collect();
        Self { shape: self.shape, values }
    }

    /// A latent of the same shape with other values.
    ///
    /// # Panics
    /// If there are more or fewer values than the shape has.
    #[must_use]
    pub fn with_values(&self, values: impl Into<Arc<[f32]>>) -> Self {
        let values = values.into();
        assert_eq!(values.len(), self.shape.len(), "values fill the shape of the latent they replace");
        Self { shape: self.shape, values }
    }

    /// How far `self` is from `other`, of the same shape: the norm of the difference over its own norm.
    pub fn relative_change(&self, other: &Self) -> f32 {
        let square = |value: f32| f64::from(value).powi(2);
        let pairs = self.values.iter().zip(other.values.iter());
        let difference: f64 = pairs.map(|(a, b)| square(a - b)).sum();
        let own: f64 = self.values.iter().map(|value| square(*value)).sum();
        if own == 0.0 { 0.0 } else { (difference / own).sqrt() as f32 }
    }

    /// Bytes the values take in memory.
    pub fn byte_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_must_fill_the_shape() {
        let shape = LatentShape::new(4, 2, 3);
        assert_eq!(
            Latent::new(shape, vec![0.0; 23]).unwrap_err().to_string(),
            "a latent of shape 4×2×3 has 24 values, but 23 were given"
        );
    }

    #[test]
    fn a_vector_is_read_across_channels() {
        let latent =
            Latent::new(LatentShape::new(2, 2, 2), (0..8u8).map(f32::from).collect::<Vec<_>>()).unwrap();
        assert_eq!(latent.vector_at(1, 0), [1.0, 5.0]);
        assert_eq!(latent.channel(1), [4.0, 5.0, 6.0, 7.0]);
    }
}
