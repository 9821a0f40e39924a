//! Winograd's F(4×4, 3×3): a 3×3 convolution with a quarter of the multiplications.
//!
//! Source: Lavin & Gray 2015, <https://arxiv.org/abs/1509.09308>, with interpolation points 0, ±1, ±2.
//! Each 6×6 input tile (4×4 outputs and their border) is transformed, multiplied with transformed
//! weights at 36 positions (36 matrix products over channels), and transformed back.
//!
//! The weights are transformed anew at each call, a part of the layer at a time: kept, they would take four times
//! the memory of the weights (eight times that of 16-bit ones), and reading them from there takes as long.

mod kernels;
mod tiles;

use rayon::prelude::*;

use super::super::threads;
use super::convolution::Batch;
use super::kernel::PANEL;
use super::scratch::{Scratch, written};
use super::weights::Weights;
use kernels::Kernels;
use tiles::{Band, Inputs, Lines, NormedLines, Products, bands, restore_tile, transform_tile};

/// Edge of an output tile.
pub(super) const OUT: usize = 4;
/// Edge of an input tile.
const IN: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = IN * IN;
/// Channels transformed together.
const LANES: usize = 16;
/// How far ahead each of the 36 places of a transform's results is asked for, values: no processor foresees so many.
const AHEAD: usize = 2 * LANES;
/// Tiles of one block: enough that the weights are transformed or read seldom, few enough that the transformed
/// tiles stay in the last-level cache. Narrow layers take more, up to so many transformed values.
const BLOCK_TILES: usize = 256;
const BLOCK_VALUES: usize = 2_400_000;
/// Values between transformed tiles and between transformed weights of two positions, so that they do not all begin in
/// the same cache set.
const SKEW: usize = 16;
/// Up to so many tiles, the weights' transform and its memory weigh as much as the products.
const FEW_TILES: usize = 64;
/// Input channels of a piece for few tiles: it and its products stay in the second-level cache.
const CHANNELS_FOR_FEW: usize = 64;
/// Input channels of a piece otherwise: what a product takes in one pass.
const CHANNELS: usize = 384;
/// Transformed weights of one group of panels, values.
const GROUP_VALUES: usize = 1_500_000;
/// If a layer's transformed weights are no more values than this, several blocks share them.
const WHOLE_VALUES: usize = 12_000_000;

type Lane = [f32; LANES];

/// The first values.
#[inline(always)]
fn lane(values: &[f32]) -> Lane {
    let mut lane = [0.0; LANES];
    lane.copy_from_slice(&values[..LANES]);
    lane
}

/// `f` of each numbered chunk, on the pool if `share`.
fn each_chunk(values: &mut [f32], len: usize, share: bool, f: impl Fn(usize, &mut [f32]) + Sync + Send) {
    if share {
        values.par_chunks_exact_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
    } else {
        values.chunks_exact_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
    }
}

/// A 3×3 convolution of stride 1 with one pixel of padding: `[B, H, W, C_out]`, plus `residual` of that size.
pub(super) fn convolve(weights: &Weights, x: Batch<'_>, residual: Option<&[f32]>) -> Vec<f32> {
    let c_out = weights.matrix.columns;
    let [height, width] = x.doubled_size();
    #[expect(unsafe_code, reason = "see `written`")]
    // SAFETY: every tile of every band is restored for every group of panels, which are all values.
    unsafe {
        written(x.pictures * height * width * c_out, |out| {
            let mut bands = bands(out, residual, [height, width * c_out]);
            Layer::new(weights, x, bands.len()).run(&mut bands);
        })
    }
}

/// One layer on its way through a batch.
struct Layer<'a> {
    kernels: Kernels<'a>,
    /// `[C_out]`.
    bias: Vec<f32>,
    x: Batch<'a>,
    /// Tiles of a band.
    columns: usize,
    /// Bands of a block.
    bands: usize,
    /// Panels whose products are held at once.
    group: usize,
    /// Whether each thread transforms and multiplies panels of its own, for few tiles.
    is_few: bool,
    share: bool,
}

impl<'a> Layer<'a> {
    fn new(weights: &'a Weights, x: Batch<'a>, all_bands: usize) -> Self {
        let (mut bias, c_out) = (weights.bias.clone(), weights.matrix.columns);
        bias.resize(c_out, 0.0);
        let [_, width] = x.doubled_size();
        let columns = width.div_ceil(OUT);
        let c_in = x.values.len() / (x.pictures * x.height * x.width);
        let tiles = BLOCK_TILES.max(BLOCK_VALUES / (POSITIONS * c_in));
        let blocks = all_bands.div_ceil((tiles / columns).max(1));
        let bands = all_bands.div_ceil(blocks);
        let is_few = bands * columns <= FEW_TILES;
        let kernels = Kernels::new(weights, if is_few { CHANNELS_FOR_FEW } else { CHANNELS });
        let panels = kernels.panels();
        let group = if is_few || blocks > 1 && panels * kernels.panel_len() <= WHOLE_VALUES {
            panels
        } else {
            (GROUP_VALUES / kernels.panel_len()).clamp(1, panels)
        };
        let share = threads::count() > 1 && bands * columns * c_in * c_out >= 1 << 16;
        Self { kernels, bias, x, columns, bands, group, is_few, share }
    }

    fn run(&self, bands: &mut [Band<'_>]) {
        let (kernels, panels) = (&self.kernels, self.kernels.panels());
        let most = self.bands * self.columns;
        let stride = POSITIONS * kernels.c_in + SKEW;
        let mut inputs = Scratch::new(most * stride);
        let mut products = Scratch::new(POSITIONS * most * self.group * PANEL);
        let transformed_len = if self.is_few { 0 } else { self.group * kernels.panel_len() };
        let mut transformed = Scratch::new(transformed_len);
        if !self.is_few && self.group == panels {
            kernels.transform(0..panels, &mut transformed, self.share);
        }
        for bands in bands.chunks_mut(self.bands) {
            let tiles = bands.len() * self.columns;
            let inputs = &mut inputs[..tiles * stride];
            self.transform(bands, inputs, stride);
            let inputs = Inputs { values: inputs, tiles, stride };
            let products = &mut products[..POSITIONS * tiles * self.group * PANEL];
            if self.is_few {
                // Each thread its own panels.
                each_chunk(products, POSITIONS * tiles * PANEL, self.share, |panel, to| {
                    let mut room = Scratch::new(kernels.piece_len());
                    kernels.transform_and_multiply(panel, inputs, &mut room, to);
                });
                self.restore(bands, products, 0, PANEL);
                continue;
            }
            for first in (0..panels).step_by(self.group) {
                let group = first..panels.min(first + self.group);
                if self.group < panels {
                    kernels.transform(group.clone(), &mut transformed, self.share);
                }
                let stride = group.len() * PANEL;
                let products = &mut products[..POSITIONS * tiles * stride];
                each_chunk(products, tiles * stride, self.share, |position, to| {
                    kernels.multiply(&transformed, group.clone(), position, inputs, to);
                });
                self.restore(bands, products, first * PANEL, stride);
            }
        }
    }

    /// Transforms the tiles of some bands.
    fn transform(&self, bands: &[Band<'_>], inputs: &mut [f32], stride: usize) {
        let (x, c_in) = (self.x, self.kernels.c_in);
        let normed = x.norm.map(|norm| NormedLines::new(x, norm, bands, self.share));
        each_chunk(inputs, stride, self.share, |slot, to| {
            let band = &bands[slot / self.columns];
            let lines = match &normed {
                Some(normed) => normed.of_picture(band.picture),
                None => Lines { values: &x.values[band.picture * x.height * x.width * c_in..], first: 0 },
            };
            transform_tile(x, lines, c_in, [band.row, slot % self.columns], to);
        });
    }

    /// Writes the products of parts of `stride` channels each, `[parts, 36, tiles, stride]`, from channel `first`
    /// on.
    fn restore(&self, bands: &mut [Band<'_>], products: &[f32], first: usize, stride: usize) {
        let (c_out, [_, width]) = (self.bias.len(), self.x.doubled_size());
        let tiles = bands.len() * self.columns;
        let restore = |(number, band): (usize, &mut Band<'_>)| {
            for (part, values) in products.chunks_exact(POSITIONS * tiles * stride).enumerate() {
                let channels = first + part * stride..c_out.min(first + (part + 1) * stride);
                for column in 0..self.columns {
                    let products = Products { values, tiles, stride, slot: number * self.columns + column };
                    let inside = OUT.min(width - column * OUT);
                    let at = column * OUT * c_out + channels.start;
                    let residual = band.residual.map(|r| &r[at..]);
                    let (bias, apart) = (&self.bias[channels.clone()], [width * c_out, c_out]);
                    restore_tile(products, bias, residual, &mut band.out[at..], apart, inside);
                }
            }
        };
        if self.share {
            bands.par_iter_mut().enumerate().for_each(restore);
        } else {
            bands.iter_mut().enumerate().for_each(restore);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::{PackedMatrix, Place, Stored};
    use super::kernels::TAPS;
    use super::*;

    /// Weights as pairs of bf16 values, packed whatever the processor: widened, they are those numbers again.
    #[test]
    fn pairs_convolve_as_the_numbers_they_hold() {
        for (c_in, c_out, edge) in [(18, 21, 6), (400, 37, 9), (16, 20, 40)] {
            // Few bits, so that bf16 holds them exactly.
            let made_up =
                |len: usize| (0..len).map(|i| ((i * 37 % 61) as f32 - 30.0) / 32.0).collect::<Vec<_>>();
            let (raw, values) = (made_up(c_out * c_in * TAPS), made_up(edge * edge * c_in));
            let place = Place { row: |k: usize| (k % c_in) * TAPS + k / c_in, column_stride: c_in * TAPS };
            let packed = |pairs| {
                let matrix = PackedMatrix::new([TAPS * c_in, c_out], Stored::F32(&raw), &place, pairs);
                assert_eq!(matrix.is_paired(), pairs);
                Weights { matrix, bias: Vec::new() }
            };
            let x = Batch {
                values: &values,
                pictures: 1,
                height: edge,
                width: edge,
                upsample: false,
                norm: None,
            };
            let [found, wanted] = [true, false].map(|pairs| convolve(&packed(pairs), x, None));
            assert_eq!(found.len(), wanted.len());
            // Not equal to the last bit: another test may choose other instructions in between.
            let are_close = found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-3);
            assert!(are_close, "{c_in} to {c_out}");
        }
    }
}
