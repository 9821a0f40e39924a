//! Winograd's F(4×4, 3×3): a 3×3 convolution with a quarter of the multiplications.
//!
//! Source: Lavin & Gray 2015, <https://arxiv.org/abs/1509.09308>, with interpolation points 0, ±1, ±2.
//! Each 6×6 input tile (4×4 outputs and their border) is transformed, multiplied with transformed weights at 36 positions
//! (36 GEMMs over channels), and transformed back.
//!
//! Where every pixel is doubled first, 25 positions are enough: a tile is then `a b b c c d` along either axis, and the
//! transform at the point −1, `4b − 4b − c + c`, is zero whatever the image.
//!
//! The weights are transformed anew for each block of tiles, a part at a time that the second-level cache holds while it is
//! multiplied: kept, they would take four times the memory of f32 weights (eight times that of 16-bit ones), and reading
//! them from memory takes as long.

mod tiles;
mod weights;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::KernelContext;
use super::super::disjoint_output::DisjointOutput;
use super::super::gemm::{PANEL, PackedRhs, packed_columns};
use super::super::scratch::written_vec;
use super::feature_map::FeatureMap;
use tiles::{Band, Lines, NormedLines, Products, restore_tile, transform_tile};
use weights::{TransformedTiles, WinogradWeights};

/// Edge of an output tile.
pub(super) const OUT: usize = 4;
/// Edge of an input tile.
const IN: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = IN * IN;
/// The line of positions along either axis that is zero in doubled images: the one of the point −1.
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
/// Pieces for each thread, so that a late thread does not hold up the rest.
const PIECES: usize = 3;

/// Whether a line of positions along an axis has to be computed.
#[inline(always)]
fn counts(line: usize, doubled: bool) -> bool {
    !doubled || line != ZERO_IF_DOUBLED
}

/// A 3×3 convolution of stride 1 with one pixel of padding, `[B, H, W, C_out]`, plus `bias` (at least `C_out` values for
/// all images, or as many times that for each) and `residual`.
pub(super) fn convolve(
    ctx: &KernelContext,
    weights: &PackedRhs,
    bias: &[f32],
    x: FeatureMap<'_>,
    residual: Option<&[f32]>,
) -> Vec<f32> {
    let [height, width] = x.size();
    let write = |out: &mut [MaybeUninit<f32>]| {
        Layer::new(ctx, weights, bias, x, residual).run(&DisjointOutput::new(out));
    };
    // SAFETY: every tile of every band is restored for every panel, which are all values.
    unsafe { written_vec(x.images * height * width * weights.columns(), write) }
}

/// One layer on its way through a batch.
struct Layer<'a> {
    ctx: &'a KernelContext,
    weights: WinogradWeights<'a>,
    /// At least `[C_out]`; for each image or for all.
    bias: &'a [f32],
    /// Values from an image's bias to the next one's: 0 where there is one for all.
    bias_stride: usize,
    c_out: usize,
    x: FeatureMap<'a>,
    residual: Option<&'a [f32]>,
    /// Tiles of a band.
    columns: usize,
    /// Bands of all images.
    bands: usize,
    /// Bands of a block.
    block: usize,
    /// Blocks whose transformed tiles are held at once.
    blocks_at_once: usize,
    share: bool,
}

impl<'a> Layer<'a> {
    fn new(
        ctx: &'a KernelContext,
        weights: &'a PackedRhs,
        bias: &'a [f32],
        x: FeatureMap<'a>,
        residual: Option<&'a [f32]>,
    ) -> Self {
        let c_out = weights.columns();
        let [height, width] = x.size();
        let (columns, bands) = (width.div_ceil(OUT), x.images * height.div_ceil(OUT));
        let doubled = x.is_doubled();
        let weights = WinogradWeights::new(weights.view(), weights.depth(), doubled);
        let lines = (0..IN).filter(|line| counts(*line, doubled)).count();
        let tiles = (BLOCK_VALUES / (lines * lines * weights.c_in)).clamp(LEAST_TILES, MOST_TILES);
        let blocks = bands.div_ceil((tiles / columns).max(1));
        let threads = ctx.threads().count();
        let share = threads > 1 && bands * columns * weights.c_in * c_out >= PARALLEL_MULTIPLICATIONS;
        let blocks_at_once =
            if share { (PIECES * threads).div_ceil(weights.panels()).min(blocks) } else { 1 };
        let for_each = bias.len() / packed_columns(c_out) > 1;
        let bias_stride = if for_each { bias.len() / x.images } else { 0 };
        let block = bands.div_ceil(blocks);
        Self {
            ctx,
            weights,
            bias,
            bias_stride,
            c_out,
            x,
            residual,
            columns,
            bands,
            block,
            blocks_at_once,
            share,
        }
    }

    fn run(&self, out: &DisjointOutput<'_>) {
        let bands_at_once = self.block * self.blocks_at_once;
        for first in (0..self.bands).step_by(bands_at_once) {
            let bands = first..self.bands.min(first + bands_at_once);
            self.run_blocks(&bands.map(|index| self.band(index)).collect::<Vec<_>>(), out);
        }
    }

    /// Computes the blocks of these bands.
    fn run_blocks(&self, bands: &[Band], out: &DisjointOutput<'_>) {
        let panels = self.weights.panels();
        let stride = POSITIONS * self.weights.c_in + SKEW;
        let mut inputs = self.ctx.scratch(bands.len() * self.columns * stride);
        self.transform(bands, &mut inputs, stride);
        let pieces = 0..bands.len().div_ceil(self.block) * panels;
        self.ctx.threads().for_each(self.share, pieces, |index| {
            let (block, panel) = (index / panels * self.block, index % panels);
            let bands = &bands[block..bands.len().min(block + self.block)];
            let values = &inputs[block * self.columns * stride..];
            let tiles = TransformedTiles { values, tiles: bands.len() * self.columns, stride };
            self.compute(bands, tiles, panel, out);
        });
    }

    fn band(&self, index: usize) -> Band {
        let [height, _] = self.x.size();
        let per_image = height.div_ceil(OUT);
        Band { image: index / per_image, row: index % per_image }
    }

    /// Transforms the tiles of some bands.
    fn transform(&self, bands: &[Band], inputs: &mut [f32], stride: usize) {
        let (x, c_in) = (self.x, self.weights.c_in);
        let normed = x.norm().map(|norm| NormedLines::new(self.ctx, x, norm, bands, self.share));
        self.ctx.threads().for_each_chunk(self.share, inputs, stride, |slot, to| {
            let band = bands[slot / self.columns];
            let lines = match &normed {
                Some(normed) => normed.of_image(band.image),
                None => Lines { values: &x.values[band.image * x.height * x.width * c_in..], first: 0 },
            };
            transform_tile(self.ctx.isa(), x, lines, c_in, [band.row, slot % self.columns], to);
        });
    }

    /// Computes a panel's channels of a block's tiles.
    fn compute(&self, bands: &[Band], tiles: TransformedTiles<'_>, panel: usize, out: &DisjointOutput<'_>) {
        let mut piece = self.ctx.scratch(self.weights.piece_len());
        let plane = tiles.tiles * PANEL + SKEW;
        let mut products = self.ctx.scratch(POSITIONS * plane);
        self.weights.multiply(self.ctx, panel, tiles, &mut piece, (&mut products, plane));
        let (c_out, [height, width]) = (self.c_out, self.x.size());
        let channels: Range<usize> = panel * PANEL..c_out.min((panel + 1) * PANEL);
        let slots = bands.iter().flat_map(|band| (0..self.columns).map(move |column| (band, column)));
        for (slot, (band, column)) in slots.enumerate() {
            let products = Products { values: &products, plane, slot, doubled: self.x.is_doubled() };
            let [y, x] = [band.row, column].map(|tile| tile * OUT);
            let first = ((band.image * height + y) * width + x) * c_out + channels.start;
            let size = [OUT.min(height - y), OUT.min(width - x)];
            // SAFETY: no other piece has this panel's channels of this tile.
            let mut results = unsafe { out.tile(first, [width * c_out, c_out], size, channels.len()) };
            let bias = &self.bias[band.image * self.bias_stride..][channels.clone()];
            restore_tile(self.ctx.isa(), products, bias, self.residual, &mut results);
        }
    }
}
