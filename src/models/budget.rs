//! Work whose values cannot fit into memory is refused before it begins: an allocation that the system refuses
//! ends the program, and one that it only promised ends in the kernel killing it.
//!
//! The figures are what a pass must hold at one time, not all that it takes: work that fits is never refused.

use candle_core::DType;

use crate::latent::LatentShape;
use crate::networks::Runtime;
use crate::networks::unet::{PerLevel, UNetConfig};
use crate::weights::{self, TensorSource};

/// Bytes of a pixel's three values in f32.
const PIXEL: u64 = 3 * 4;

/// Bytes of main memory that a decode or an encode of a picture must have: its values as the network has them, and a
/// plain copy.
pub(super) fn picture_bytes(width: usize, height: usize) -> u64 {
    2 * PIXEL * width as u64 * height as u64
}

/// Bytes that a network's weights take in memory once it is built: on a processor in f32, matrices of 16 bits stay so.
pub(super) fn weight_bytes(source: &dyn TensorSource, runtime: &Runtime) -> u64 {
    let dtype = runtime.dtype();
    let keeps = runtime.device().is_cpu() && dtype == DType::F32;
    weights::sum(source, |info| {
        let converted = info.values().saturating_mul(dtype.size_in_bytes() as u64);
        match info.dtype.bytes_of(&info.shape) {
            Some(stored) if keeps && info.shape.len() >= 2 => converted.min(stored as u64),
            _ => converted,
        }
    })
}

/// Bytes of what the way up of a UNet takes from the way down, all of which is there in the middle of a pass.
pub(super) fn sampling_bytes(config: &UNetConfig, latent: LatentShape, batch: usize, dtype: DType) -> u64 {
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
    fn a_pass_holds_what_the_way_up_takes() {
        // Stable Diffusion 1 at 512²: 12 maps of 64², 32², 16² and 8² latent pixels.
        let bytes = sampling_bytes(&UNetConfig::default(), LatentShape::new(4, 64, 64), 2, DType::F32);
        let values =
            64 * 64 * 3 * 320 + 32 * 32 * (320 + 2 * 640) + 16 * 16 * (640 + 2 * 1280) + 8 * 8 * 3 * 1280;
        assert_eq!(bytes, values * 2 * 4);
        let half = sampling_bytes(&UNetConfig::default(), LatentShape::new(4, 64, 64), 1, DType::F16);
        assert_eq!(half * 4, bytes);
    }
}
