//! Tiled encoding and decoding: bounded memory for pictures of any size, without seams.
//!
//! Layers with small feature maps run whole. The others run tile by tile, with a halo as wide as the receptive field
//! and, for every norm, one set of statistics. The statistics are gathered beforehand from a sample of the map; they
//! are the only approximation.

use super::layers::{Layer, NormStatistics, peak_values, run, sizes};
use super::region::{Region, grid, spread};
use crate::networks::NetworkError;
use crate::networks::backend::{DType, Device, Tensor};
use crate::networks::error::check_cancelled;
use crate::networks::ops::GroupStatistics;
use crate::request::CancelToken;

/// Memory limits of the activations of encoder or decoder, without weights, input and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Up to this many bytes a pass runs whole.
    pub whole: u64,
    /// Otherwise layers that need more bytes than this run in tiles that need less, down to a minimum tile size.
    pub tile: u64,
}

impl Default for MemoryLimits {
    /// A picture of 768² pixels runs whole in a Stable Diffusion model's f32 decoder, one of 1024² in tiles.
    fn default() -> Self {
        Self { whole: 1536 << 20, tile: 768 << 20 }
    }
}

impl MemoryLimits {
    /// Never tiles.
    pub const UNLIMITED: Self = Self { whole: u64::MAX, tile: u64::MAX };

    /// Tiles for every picture that is larger than one.
    pub const TILES: Self = Self { whole: 0, tile: 512 << 20 };

    /// The default limits for values of f32, and as many values in a format of `bytes` each: no map is larger than that of
    /// a picture of 768² pixels, 96² of its latent.
    pub fn for_values_of(bytes: usize) -> Self {
        let usual = Self::default();
        let scaled = |limit: u64| limit * bytes as u64 / 4;
        Self { whole: scaled(usual.whole), tile: scaled(usual.tile) }
    }

    /// The default limits, or lower ones where less memory is available.
    pub fn within(available_bytes: u64) -> Self {
        let usual = Self::default();
        // The rest is for the result, other programs, and what the estimate leaves out.
        let whole = usual.whole.min(available_bytes / 2);
        Self { whole, tile: usual.tile.min(whole / 2) }
    }
}

/// The smallest tile's edge, in pixels of the smaller of the tiled layers' maps.
const MIN_TILE: usize = 8;
/// Edge of the squares of [`Sample::Squares`], in the same pixels.
const SQUARE: usize = 8;

/// What the norms' statistics are gathered from.
///
/// Measured on pictures of 512², against the whole pass. The encoder's means: squares of 28 % of the area leave an
/// error of 42 and 37 dB below 1, every second pixel one of 26 and 30 dB, as subsampling changes the edges. The decoder
/// draws the edges itself: every second pixel leaves 43 and 47 dB of the picture's range (random weights in Stable
/// Diffusion's shapes: 41 dB), squares of 35 % in three times the time 47 and 43 dB, of 8 % 35 and 33 dB (29 dB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    /// Squares spread evenly over the map: for the encoder.
    Squares,
    /// Every second pixel of every second row, or fewer: for the decoder.
    Pixels,
}

/// Runs `layers` on `x` `[B, C, H, W]` within the limits. A layer that needs no more than `held_bytes`, the peak of the
/// mid block, runs whole.
pub(super) fn forward(
    layers: &[Layer],
    x: &Tensor,
    limits: MemoryLimits,
    held_bytes: u64,
    sample: Sample,
    cancel: &CancelToken,
) -> Result<Tensor, NetworkError> {
    let (batch, _, height, width) = x.dims4()?;
    let sizes = sizes(layers, [height, width]);
    let bytes = |values: &usize| (values * batch * x.dtype().size_in_bytes()) as u64;
    let whole = |layers: &[Layer], x: &Tensor, sizes: &[[usize; 2]]| -> Result<Tensor, NetworkError> {
        let all = Region::whole(sizes[layers.len()]);
        let mut parts = run(layers, x, sizes, &[all], &mut NormStatistics::Own, cancel)?;
        Ok(parts.swap_remove(0))
    };
    let peaks: Vec<u64> =
        peak_values(layers, &sizes, Region::whole(sizes[layers.len()])).iter().map(bytes).collect();
    let limit = limits.tile.max(held_bytes);
    let fits = |peak: &u64| *peak <= limit;
    let (Some(first), Some(last)) =
        (peaks.iter().position(|p| !fits(p)), peaks.iter().rposition(|p| !fits(p)))
    else {
        return whole(layers, x, &sizes);
    };
    if peaks.iter().all(|peak| *peak <= limits.whole) {
        return whole(layers, x, &sizes);
    }
    let x = whole(&layers[..first], x, &sizes)?;
    let tiled = first..last + 1;
    let x = tiles(&layers[tiled.clone()], &x, &sizes[first..=last + 1], limits.tile, &bytes, sample, cancel)?;
    whole(&layers[tiled.end..], &x, &sizes[tiled.end..])
}

fn tiles(
    layers: &[Layer],
    x: &Tensor,
    sizes: &[[usize; 2]],
    limit: u64,
    bytes: &dyn Fn(&usize) -> u64,
    sample: Sample,
    cancel: &CancelToken,
) -> Result<Tensor, NetworkError> {
    let size = sizes[layers.len()];
    // Edge of one input pixel in pixels of the result, if the layers upsample.
    let multiple = (size[0] / sizes[0][0]).max(1);
    let peak = |edge: usize| {
        // Away from the picture's edges, where a tile has no halo.
        let from = [0, 1].map(|axis| size[axis].saturating_sub(edge) / 2 / multiple * multiple);
        let tile = Region { from, to: [0, 1].map(|axis| (from[axis] + edge).min(size[axis])) };
        peak_values(layers, sizes, tile).iter().map(bytes).max().unwrap_or_default()
    };
    let longest = size[0].max(size[1]) / multiple;
    let edge = (MIN_TILE..=longest).rev().find(|edge| peak(edge * multiple) <= limit).unwrap_or(MIN_TILE);
    let mut statistics = Vec::new();
    let mut norms = NormStatistics::Gathered(&mut statistics);
    match sample {
        Sample::Squares => {
            let square = SQUARE.min(edge);
            let count = (limit / peak(square * multiple).max(1)) as usize;
            let squares = spread(size, square * multiple, count, multiple);
            run(layers, x, sizes, &squares, &mut norms, cancel)?;
        }
        Sample::Pixels => {
            let (small, small_sizes) = every_nth_pixel(layers, x, sizes[0], limit, bytes)?;
            let all = Region::whole(small_sizes[layers.len()]);
            run(layers, &small, &small_sizes, &[all], &mut norms, cancel)?;
        }
    }
    let tiles = grid(size, edge * multiple, multiple);
    assemble(layers, x, sizes, &tiles, &statistics, cancel)
}

/// Every n-th pixel of every n-th row, with the smallest n for which the layers need at most `limit` bytes, and the
/// sizes before and after each layer. The whole map if it is hardly larger than the smallest tile.
fn every_nth_pixel(
    layers: &[Layer],
    x: &Tensor,
    size: [usize; 2],
    limit: u64,
    bytes: &dyn Fn(&usize) -> u64,
) -> Result<(Tensor, Vec<[usize; 2]>), NetworkError> {
    let most = (size[0].min(size[1]) / MIN_TILE).max(1);
    let at = |n: usize| sizes(layers, size.map(|edge| edge / n));
    let fits = |sizes: &[[usize; 2]]| {
        let peaks = peak_values(layers, sizes, Region::whole(sizes[layers.len()]));
        peaks.iter().map(bytes).all(|peak| peak <= limit)
    };
    let n = (1..most).find(|n| fits(&at(*n))).unwrap_or(most);
    if n == 1 {
        return Ok((x.clone(), at(1)));
    }
    Ok((x.contiguous()?.resized(size[0] / n, size[1] / n)?, at(n)))
}

/// Runs the tiles one after another and writes each into the result.
pub(super) fn assemble(
    layers: &[Layer],
    x: &Tensor,
    sizes: &[[usize; 2]],
    tiles: &[Region],
    statistics: &[GroupStatistics],
    cancel: &CancelToken,
) -> Result<Tensor, NetworkError> {
    let [height, width] = sizes[layers.len()];
    let mut result = Vec::new();
    let mut channels = 0;
    for tile in tiles {
        check_cancelled(cancel)?;
        let mut norms = NormStatistics::Given(statistics.iter());
        let part = run(layers, x, sizes, &[*tile], &mut norms, cancel)?.swap_remove(0);
        channels = part.dim(1)?;
        let batch = part.dim(0)?;
        let values: Vec<f32> = part.permute([0, 2, 3, 1])?.to_dtype(DType::F32)?.to_values()?;
        result.resize(batch * height * width * channels, 0.0);
        let line = tile.size()[1] * channels;
        for (row, values) in values.chunks_exact(line).enumerate() {
            let (picture, y) = (row / tile.size()[0], row % tile.size()[0] + tile.from[0]);
            let at = ((picture * height + y) * width + tile.from[1]) * channels;
            result[at..at + line].copy_from_slice(values);
        }
    }
    let result = Tensor::from_vec(result, ((), height, width, channels), &Device::Cpu)?;
    Ok(result.permute([0, 3, 1, 2])?.to_device(x.device())?.to_dtype(x.dtype())?)
}
