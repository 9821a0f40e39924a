//! Winograd's F(4×4, 3×3): a 3×3 convolution with a quarter of the multiplications.
//!
//! Source: Lavin & Gray 2015, <https://arxiv.org/abs/1509.09308>, with interpolation points 0, ±1, ±2.
//! Each 6×6 input tile (4×4 outputs and their border) is transformed, multiplied with transformed
//! weights at 36 positions (36 matrix products over channels), and transformed back.
//!
//! Where every pixel is doubled first, 25 positions are enough: a tile is then `a b b c c d` along either axis, and what the
//! transform makes of that at the point −1, `4b − 4b − c + c`, is zero whatever the picture.
//!
//! The weights are transformed anew for each block of tiles, a part at a time that the second-level cache holds while it is
//! multiplied: kept, they would take four times the memory of the weights (eight times that of 16-bit ones), and reading
//! them from there takes as long.

mod kernels;
mod tiles;

use std::ops::Range;

use super::super::threads;
use super::activation::add_assign;
use super::convolution::{Added, Batch};
use super::kernel::PANEL;
use super::scratch::{Scratch, written};
use super::shared::Shared;
use super::weights::Weights;
use kernels::Kernels;
use tiles::{Band, Inputs, Lines, NormedLines, Products, restore_tile, transform_tile};

/// Edge of an output tile.
pub(super) const OUT: usize = 4;
/// Edge of an input tile.
const IN: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = IN * IN;
/// The line of positions along either axis that is zero in doubled pictures: the one of the point −1.
const ZERO_IF_DOUBLED: usize = 2;
/// Transformed values of the tiles of a block: each panel of the weights reads them from the last-level cache.
const BLOCK_VALUES: usize = 1_600_000;
/// Tiles of a block: enough that the weights' transform is little beside the products, few enough that a panel's products
/// stay in the second-level cache.
const LEAST_TILES: usize = 48;
const MOST_TILES: usize = 128;
/// Values between transformed tiles, between transformed weights of two positions and between their products, so that they
/// do not all begin in the same cache set.
const SKEW: usize = 16;
/// Convolutions of fewer multiplications stay on one thread.
const PARALLEL_MULTIPLICATIONS: usize = 1 << 16;

/// Whether a line of positions along an axis has to be computed.
#[inline(always)]
fn counts(line: usize, doubled: bool) -> bool {
    !doubled || line != ZERO_IF_DOUBLED
}

/// A 3×3 convolution of stride 1 with one pixel of padding: `[B, H, W, C_out]`, plus what is `added`.
pub(super) fn convolve(weights: &Weights, x: Batch<'_>, added: Added<&[f32]>) -> Vec<f32> {
    let [height, width] = x.doubled_size();
    #[expect(unsafe_code, reason = "see `written`")]
    // SAFETY: every tile of every band is restored for every panel, which are all values.
    unsafe {
        written(x.pictures * height * width * weights.matrix.columns, |out| {
            Layer::new(weights, x, added).run(&Shared::new(out));
        })
    }
}

/// One layer on its way through a batch.
struct Layer<'a> {
    kernels: Kernels<'a>,
    /// `[C_out]`, with what is added at every pixel.
    bias: Vec<f32>,
    x: Batch<'a>,
    residual: Option<&'a [f32]>,
    /// Tiles of a band.
    columns: usize,
    /// Bands of all pictures.
    bands: usize,
    /// Bands of a block.
    block: usize,
    /// Blocks whose transformed tiles are held at once.
    at_once: usize,
    share: bool,
}

impl<'a> Layer<'a> {
    fn new(weights: &'a Weights, x: Batch<'a>, added: Added<&'a [f32]>) -> Self {
        let (mut bias, c_out) = (weights.bias.clone(), weights.matrix.columns);
        bias.resize(c_out, 0.0);
        if let Added::Channels(channels) = added {
            add_assign(&mut bias, channels);
        }
        let [height, width] = x.doubled_size();
        let (columns, bands) = (width.div_ceil(OUT), x.pictures * height.div_ceil(OUT));
        let kernels = Kernels::new(weights, x.upsample);
        let lines = (0..IN).filter(|line| counts(*line, x.upsample)).count();
        let tiles = (BLOCK_VALUES / (lines * lines * kernels.c_in)).clamp(LEAST_TILES, MOST_TILES);
        let blocks = bands.div_ceil((tiles / columns).max(1));
        let threads = threads::count();
        let share = threads > 1 && bands * columns * kernels.c_in * c_out >= PARALLEL_MULTIPLICATIONS;
        // Several pieces for each thread, so that a thread that is late does not hold up the rest.
        let at_once = if share { (3 * threads).div_ceil(kernels.panels()).min(blocks) } else { 1 };
        Self {
            kernels,
            bias,
            x,
            residual: added.residual(),
            columns,
            bands,
            block: bands.div_ceil(blocks),
            at_once,
            share,
        }
    }

    fn run(&self, out: &Shared<'_>) {
        for first in (0..self.bands).step_by(self.block * self.at_once) {
            let bands = first..self.bands.min(first + self.block * self.at_once);
            self.round(&bands.map(|index| self.band(index)).collect::<Vec<_>>(), out);
        }
    }

    /// Computes the blocks of these bands.
    fn round(&self, bands: &[Band], out: &Shared<'_>) {
        let panels = self.kernels.panels();
        let stride = POSITIONS * self.kernels.c_in + SKEW;
        let mut inputs = Scratch::new(bands.len() * self.columns * stride);
        self.transform(bands, &mut inputs, stride);
        let pieces = 0..bands.len().div_ceil(self.block) * panels;
        threads::for_each(self.share, pieces, |index| {
            let (block, panel) = (index / panels * self.block, index % panels);
            let bands = &bands[block..bands.len().min(block + self.block)];
            let (values, tiles) = (&inputs[block * self.columns * stride..], bands.len() * self.columns);
            self.compute(bands, Inputs { values, tiles, stride }, panel, out);
        });
    }

    fn band(&self, index: usize) -> Band {
        let [height, _] = self.x.doubled_size();
        let of_picture = height.div_ceil(OUT);
        Band { picture: index / of_picture, row: index % of_picture }
    }

    /// Transforms the tiles of some bands.
    fn transform(&self, bands: &[Band], inputs: &mut [f32], stride: usize) {
        let (x, c_in) = (self.x, self.kernels.c_in);
        let normed = x.norm.map(|norm| NormedLines::new(x, norm, bands, self.share));
        threads::for_each_chunk(self.share, inputs, stride, |slot, to| {
            let band = bands[slot / self.columns];
            let lines = match &normed {
                Some(normed) => normed.of_picture(band.picture),
                None => Lines { values: &x.values[band.picture * x.height * x.width * c_in..], first: 0 },
            };
            transform_tile(x, lines, c_in, [band.row, slot % self.columns], to);
        });
    }

    /// Computes a panel's channels of a block's tiles.
    fn compute(&self, bands: &[Band], inputs: Inputs<'_>, panel: usize, out: &Shared<'_>) {
        let mut room = Scratch::new(self.kernels.room());
        let plane = inputs.tiles * PANEL + SKEW;
        let mut products = Scratch::new(POSITIONS * plane);
        self.kernels.multiply(panel, inputs, &mut room, (&mut products, plane));
        let (c_out, [height, width]) = (self.bias.len(), self.x.doubled_size());
        let channels: Range<usize> = panel * PANEL..c_out.min((panel + 1) * PANEL);
        let tiles = bands.iter().flat_map(|band| (0..self.columns).map(move |column| (band, column)));
        for (slot, (band, column)) in tiles.enumerate() {
            let products = Products { values: &products, plane, slot, doubled: self.x.upsample };
            let [y, x] = [band.row, column].map(|place| place * OUT);
            let first = ((band.picture * height + y) * width + x) * c_out + channels.start;
            let size = [OUT.min(height - y), OUT.min(width - x)];
            #[expect(unsafe_code, reason = "threads write one result")]
            // SAFETY: these channels of this tile are written here only.
            let mut results = unsafe { out.runs(first, [width * c_out, c_out], size, channels.len()) };
            restore_tile(products, &self.bias[channels.clone()], self.residual, &mut results);
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
            let [found, wanted] = [true, false].map(|pairs| convolve(&packed(pairs), x, Added::Nothing));
            assert_eq!(found.len(), wanted.len());
            // Not equal to the last bit: another test may choose other instructions in between.
            let are_close = found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-3);
            assert!(are_close, "{c_in} to {c_out}");
        }
    }
}
