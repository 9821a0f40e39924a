//! Lower bounds of the memory that work needs. Work that cannot fit is refused before it begins: a failed allocation
//! aborts the program, and overcommitted memory ends with the kernel killing it.
//!
//! The bounds count only what a forward pass must hold at once, so that work that fits is never refused.

use crate::latent::LatentShape;
use crate::networks::Runtime;
use crate::networks::backend::DType;
use crate::networks::unet::{PerLevel, UNetConfig};
use crate::weights::{self, TensorSource};

/// Bytes of an RGB pixel in f32.
const PIXEL_BYTES: u64 = 3 * 4;

/// Memory that a model needs on the processor, bytes: low estimates for a picture of its usual size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeed {
    /// With all networks loaded.
    pub together: u64,
    /// With the large text encoder and the denoiser loaded one at a time; `None` for models that do not do so.
    pub in_turn: Option<u64>,
}

/// Bytes of main memory that decoding or encoding a picture needs: the tensor `[3, H, W]` in f32, and a copy of it.
pub(super) fn picture_bytes(width: usize, height: usize) -> u64 {
    2 * PIXEL_BYTES * width as u64 * height as u64
}

/// Bytes of a network's weights in memory. On the CPU in f32, matrices stored in fewer bits keep their format.
pub(super) fn weight_bytes(source: &dyn TensorSource, runtime: &Runtime) -> u64 {
    let dtype = runtime.dtype();
    let keeps = runtime.is_on_processor() && dtype == DType::F32;
    weights::sum(source, |info| {
        let converted = info.values().saturating_mul(dtype.size_in_bytes() as u64);
        match info.dtype.bytes_of(&info.shape) {
            Some(stored) if keeps && info.shape.len() >= 2 => converted.min(stored as u64),
            _ => converted,
        }
    })
}

/// Bytes of a UNet's skip connections, all of which are in memory at its mid block.
pub(super) fn skip_bytes(config: &UNetConfig, latent: LatentShape, batch: usize, dtype: DType) -> u64 {
    let channels = &config.block_out_channels;
    let layers = |level: usize| match &config.layers_per_block {
        PerLevel::One(layers) => *layers,
        PerLevel::Each(layers) => layers.get(level).copied().unwrap_or(1),
    };
    let plane = |level: usize| {
        let half = |edge: usize| (0..level).fold(edge, |edge, _| edge.div_ceil(2)) as u64;
        half(latent.height) * half(latent.width)
    };
    let mut values = channels.first().map_or(0, |first| *first as u64 * plane(0));
    for (level, &width) in channels.iter().enumerate() {
        values += (layers(level) * width) as u64 * plane(level);
        if level + 1 < channels.len() {
            values += width as u64 * plane(level + 1);
        }
    }
    values * (batch * dtype.size_in_bytes()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_skip_connections_are_counted() {
        // Stable Diffusion 1 at 512²: 12 feature maps of 64², 32², 16² and 8² pixels.
        let bytes = skip_bytes(&UNetConfig::default(), LatentShape::new(4, 64, 64), 2, DType::F32);
        let values =
            64 * 64 * 3 * 320 + 32 * 32 * (320 + 2 * 640) + 16 * 16 * (640 + 2 * 1280) + 8 * 8 * 3 * 1280;
        assert_eq!(bytes, values * 2 * 4);
        let half = skip_bytes(&UNetConfig::default(), LatentShape::new(4, 64, 64), 1, DType::F16);
        assert_eq!(half * 4, bytes);
    }
}
