//! Winograd's F(4×4, 3×3): a 3×3 convolution with a quarter of the multiplications.
//!
//! Source: Lavin & Gray 2015, <https://arxiv.org/abs/1509.09308>, with interpolation points 0, ±1, ±2.
//! Each 6×6 input tile (4×4 outputs and their border) is transformed, multiplied with transformed
//! weights at 36 positions (36 matrix products over channels), and transformed back.
//!
//! The weights are transformed anew at each call, a few panels at a time: kept, they would take four times
//! the memory of the weights (eight times that of 16-bit ones), and reading them from there takes as long.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::super::threads;
use super::convolution::Batch;
use super::gemm::{Extra, Packed, Rows, Weights, product};
use super::kernel::PANEL;
use super::norm::Affine;
use super::pack::Panels;
use super::scratch::Scratch;
use super::simd::multiversioned;

/// Edge of an output tile.
pub(super) const OUT: usize = 4;
/// Edge of an input tile.
const IN: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = IN * IN;
/// Weights of a kernel.
const TAPS: usize = 9;
/// Channels transformed together.
const LANES: usize = 16;
/// Tiles of one block: enough that the weights are transformed or read seldom, few enough that the transformed
/// tiles stay in the last-level cache. Narrow layers take more, up to so many transformed values.
const BLOCK_TILES: usize = 128;
const BLOCK_VALUES: usize = 1_200_000;
/// Values between transformed tiles, so that they do not all begin in the same cache set.
const SKEW: usize = 16;
/// Transformed weights of one group of panels, values.
const GROUP_VALUES: usize = 1_500_000;
/// If a layer's transformed weights are no more values than this, several blocks share them.
const WHOLE_VALUES: usize = 12_000_000;
/// Channels of one product: what a product of panels takes in one pass.
const DEPTH: usize = 384;
/// Channels whose kernels are transformed together: their taps stay in the first-level cache.
const KERNELS_AT_ONCE: usize = 16;

type Lane = [f32; LANES];

/// A 3×3 convolution of stride 1 with one pixel of padding: `[B, H, W, C_out]`, plus `residual` of that size.
/// The weights' depth: kernel rows, kernel columns, input channels.
pub(super) fn convolve(weights: &Weights, x: Batch<'_>, residual: Option<&[f32]>) -> Vec<f32> {
    let (c_in, c_out) = (weights.matrix.depth / TAPS, weights.matrix.columns);
    let [height, width] = x.doubled_size();
    let len = x.pictures * height * width * c_out;
    let mut out: Vec<f32> = Vec::with_capacity(len);
    let (line_in, columns) = (x.width * c_in, width.div_ceil(OUT));
    let mut bands = bands(&mut out.spare_capacity_mut()[..len], residual, [height, width * c_out]);
    let bands_at_once = (BLOCK_TILES.max(BLOCK_VALUES / (POSITIONS * c_in)) / columns).clamp(1, bands.len());
    let blocks = bands.len().div_ceil(bands_at_once);
    let bands_at_once = bands.len().div_ceil(blocks);
    let most = bands_at_once * columns;
    let share = threads::count() > 1 && most * c_in * c_out >= 1 << 16;

    let panels = c_out.div_ceil(PANEL);
    let kernels = Kernels::new(weights, share, blocks);
    let mut transformed = Scratch::new(kernels.group * kernels.panel_len());
    if kernels.group == panels {
        kernels.transform(0..panels, &mut transformed);
    }
    // What a layer without bias adds.
    let zeros = vec![0.0; if weights.bias.is_empty() { c_out } else { 0 }];
    let bias = if weights.bias.is_empty() { &zeros } else { &weights.bias };
    let in_stride = POSITIONS * c_in + SKEW;
    let mut inputs = Scratch::new(most * in_stride);
    let mut products = Scratch::new(POSITIONS * most * kernels.group * PANEL);
    for bands in bands.chunks_mut(bands_at_once) {
        let tiles = bands.len() * columns;
        let normed = x.norm.map(|norm| NormedLines::new(x, norm, bands, share));
        let transform = |(slot, to): (usize, &mut [f32])| {
            let band = &bands[slot / columns];
            let lines = match &normed {
                Some(normed) => normed.of_picture(band.picture),
                None => Lines { values: &x.values[band.picture * x.height * line_in..], first: 0 },
            };
            transform_tile(x, lines, c_in, [band.row, slot % columns], to);
        };
        let inputs = &mut inputs[..tiles * in_stride];
        if share {
            inputs.par_chunks_exact_mut(in_stride).enumerate().for_each(transform);
        } else {
            inputs.chunks_exact_mut(in_stride).enumerate().for_each(transform);
        }
        for first in (0..panels).step_by(kernels.group) {
            let group = first..panels.min(first + kernels.group);
            if kernels.group < panels {
                kernels.transform(group.clone(), &mut transformed);
            }
            let channels = group.start * PANEL..c_out.min(group.end * PANEL);
            let stride = group.len() * PANEL;
            let multiply = |(position, to): (usize, &mut [f32])| {
                kernels.multiply(&transformed, position, group.clone(), (inputs, in_stride), tiles, to);
            };
            let products = &mut products[..POSITIONS * tiles * stride];
            if share {
                products.par_chunks_exact_mut(tiles * stride).enumerate().for_each(multiply);
            } else {
                products.chunks_exact_mut(tiles * stride).enumerate().for_each(multiply);
            }
            let restore = |(band_number, band): (usize, &mut Band<'_>)| {
                for column in 0..columns {
                    let products =
                        Products { values: products, tiles, stride, slot: band_number * columns + column };
                    let inside = OUT.min(width - column * OUT);
                    let at = column * OUT * c_out + channels.start;
                    let residual = band.residual.map(|r| &r[at..]);
                    let bias = &bias[channels.clone()];
                    restore_tile(
                        products,
                        bias,
                        residual,
                        &mut band.out[at..],
                        [width * c_out, c_out],
                        inside,
                    );
                }
            };
            if share {
                bands.par_iter_mut().enumerate().for_each(restore);
            } else {
                bands.iter_mut().enumerate().for_each(restore);
            }
        }
    }
    #[expect(unsafe_code, reason = "zeros that are overwritten cost up to a tenth of a convolution")]
    // SAFETY: every tile of every band was restored for every group of panels, which are all values.
    unsafe {
        out.set_len(len);
    }
    out
}

/// How weights are transformed, a group of panels at a time: for each panel and each chunk of input channels to
/// `[36, channels, width]`.
struct Kernels<'a> {
    weights: &'a Weights,
    c_in: usize,
    /// Panels of a group.
    group: usize,
    /// Input channels of a chunk.
    chunk: usize,
    share: bool,
}

impl<'a> Kernels<'a> {
    /// For so many blocks of tiles.
    fn new(weights: &'a Weights, share: bool, blocks: usize) -> Self {
        let c_in = weights.matrix.depth / TAPS;
        let panels = weights.matrix.columns.div_ceil(PANEL);
        // Even, for pairs of channels.
        let chunk = c_in.div_ceil(c_in.div_ceil(DEPTH)).next_multiple_of(2);
        let mut kernels = Self { weights, c_in, group: panels, chunk, share };
        let len = kernels.panel_len();
        if blocks == 1 || panels * len > WHOLE_VALUES {
            kernels.group = (GROUP_VALUES / len).clamp(1, panels);
        }
        kernels
    }

    /// Chunks of a panel.
    fn chunks(&self) -> usize {
        self.c_in.div_ceil(self.chunk)
    }

    fn channels(&self, chunk: usize) -> Range<usize> {
        chunk * self.chunk..self.c_in.min((chunk + 1) * self.chunk)
    }

    fn piece_len(&self) -> usize {
        POSITIONS * self.chunk * PANEL
    }

    /// Values of a panel's transformed weights.
    fn panel_len(&self) -> usize {
        self.chunks() * self.piece_len()
    }

    /// Transforms the weights of some panels.
    fn transform(&self, panels: Range<usize>, values: &mut [f32]) {
        let (chunks, len) = (self.chunks(), self.piece_len());
        let transform = |(piece, to): (usize, &mut [f32])| {
            self.transform_piece(panels.start + piece / chunks, self.channels(piece % chunks), to);
        };
        let pieces = &mut values[..panels.len() * chunks * len];
        if self.share {
            pieces.par_chunks_exact_mut(len).enumerate().for_each(transform);
        } else {
            pieces.chunks_exact_mut(len).enumerate().for_each(transform);
        }
    }

    fn transform_piece(&self, panel: usize, channels: Range<usize>, to: &mut [f32]) {
        let matrix = &self.weights.matrix;
        let width = matrix.width(panel);
        let plane = channels.len() * width;
        let mut taps = Scratch::new(TAPS * KERNELS_AT_ONCE * width);
        for first in channels.clone().step_by(KERNELS_AT_ONCE) {
            let end = channels.end.min(first + KERNELS_AT_ONCE);
            let len = (end - first) * width;
            let taps = &mut taps[..TAPS * len];
            for (tap, taps) in taps.chunks_exact_mut(len).enumerate() {
                matrix.rows(panel, tap * self.c_in + first..tap * self.c_in + end, taps);
            }
            transform_kernels(taps, plane, &mut to[(first - channels.start) * width..]);
        }
    }

    /// The products of one position with transformed weights: `[tiles, panels · PANEL]`.
    fn multiply(
        &self,
        transformed: &[f32],
        position: usize,
        panels: Range<usize>,
        (inputs, in_stride): (&[f32], usize),
        tiles: usize,
        to: &mut [f32],
    ) {
        let stride = panels.len() * PANEL;
        for (number, panel) in panels.enumerate() {
            let width = self.weights.matrix.width(panel);
            let columns = width.min(self.weights.matrix.columns - panel * PANEL);
            for chunk in 0..self.chunks() {
                let channels = self.channels(chunk);
                let rows = Rows::plain(&inputs[position * self.c_in + channels.start..], tiles, in_stride);
                let len = channels.len() * width;
                let piece = (number * self.chunks() + chunk) * self.piece_len();
                let panels = Panels::F32(&transformed[piece + position * len..][..len]);
                let packed = Packed { panels, depth: channels.len(), columns };
                let extra = Extra { accumulate: chunk > 0, ..Extra::default() };
                product(rows, packed, extra, &mut to[number * PANEL..], stride, false);
            }
        }
    }
}

/// `G·g` along one axis.
#[inline(always)]
fn kernel_axis(g: &[Lane; 3]) -> [Lane; IN] {
    let mut r = [[0.0; LANES]; IN];
    for l in 0..LANES {
        let [g0, g1, g2] = [g[0][l], g[1][l], g[2][l]];
        let sum = g0 + g2;
        let (outer, inner) = (g0 * (1.0 / 24.0) + g2 * (1.0 / 6.0), g1 * (1.0 / 12.0));
        r[0][l] = 0.25 * g0;
        r[1][l] = (sum + g1) * (-1.0 / 6.0);
        r[2][l] = (g1 - sum) * (1.0 / 6.0);
        r[3][l] = outer + inner;
        r[4][l] = outer - inner;
        r[5][l] = g2;
    }
    r
}

multiversioned! {
    /// `G·g·Gᵀ` of kernels `[9, n]` (n a multiple of [`LANES`]) to the beginning of 36 planes.
    fn transform_kernels(taps: &[f32], plane: usize, out: &mut [f32]) {
        let count = taps.len() / TAPS;
        for first in (0..count).step_by(LANES) {
            let mut rows = [[[0.0; LANES]; 3]; IN];
            for x in 0..3 {
                let mut g = [[0.0; LANES]; 3];
                for (y, lane) in g.iter_mut().enumerate() {
                    lane.copy_from_slice(&taps[(y * 3 + x) * count + first..][..LANES]);
                }
                let r = kernel_axis(&g);
                for y in 0..IN {
                    rows[y][x] = r[y];
                }
            }
            for (y, row) in rows.iter().enumerate() {
                for (x, lane) in kernel_axis(row).iter().enumerate() {
                    out[(y * IN + x) * plane + first..][..LANES].copy_from_slice(lane);
                }
            }
        }
    }
}

/// A row of tiles of one picture: up to four lines of the result.
struct Band<'a> {
    picture: usize,
    row: usize,
    out: &'a mut [MaybeUninit<f32>],
    residual: Option<&'a [f32]>,
}

/// The result `[B, height, line]` and the residual in bands.
fn bands<'a>(
    out: &'a mut [MaybeUninit<f32>],
    residual: Option<&'a [f32]>,
    [height, line]: [usize; 2],
) -> Vec<Band<'a>> {
    let mut bands = Vec::new();
    for (picture, out) in out.chunks_exact_mut(height * line).enumerate() {
        for (row, out) in out.chunks_mut(OUT * line).enumerate() {
            let first = (picture * height + row * OUT) * line;
            let residual = residual.map(|r| &r[first..first + out.len()]);
            bands.push(Band { picture, row, out, residual });
        }
    }
    bands
}

/// The lines of one picture from the `first` on, `[.., W, C_in]`.
#[derive(Clone, Copy)]
struct Lines<'a> {
    values: &'a [f32],
    first: usize,
}

/// The lines under a block of bands, normed.
struct NormedLines {
    /// For each picture under the block, its number, its lines, and where their values begin.
    pictures: Vec<(usize, Range<usize>, usize)>,
    values: Scratch,
}

impl NormedLines {
    fn new(x: Batch<'_>, norm: &Affine, bands: &[Band<'_>], share: bool) -> Self {
        let line = x.values.len() / (x.pictures * x.height);
        let (mut pictures, mut lines) = (Vec::new(), Vec::new());
        for bands in bands.chunk_by(|a, b| a.picture == b.picture) {
            let (picture, begin, end) = (bands[0].picture, bands[0].row, bands[bands.len() - 1].row + 1);
            // One more above and below, where the picture has them.
            let range = (begin * OUT).saturating_sub(1)..x.height.min(end * OUT + 1);
            pictures.push((picture, range.clone(), lines.len() * line));
            lines.extend(range.map(|y| (picture, y)));
        }
        let mut values = Scratch::new(lines.len() * line);
        let fill = |(index, to): (usize, &mut [f32])| {
            let (picture, y) = lines[index];
            norm.apply(picture, &x.values[(picture * x.height + y) * line..][..line], to);
        };
        if share {
            values.par_chunks_exact_mut(line).enumerate().for_each(fill);
        } else {
            values.chunks_exact_mut(line).enumerate().for_each(fill);
        }
        Self { pictures, values }
    }

    fn of_picture(&self, picture: usize) -> Lines<'_> {
        let found = self.pictures.iter().find(|(number, ..)| *number == picture);
        found.map_or(Lines { values: &[], first: 0 }, |(_, lines, at)| Lines {
            values: &self.values[*at..],
            first: lines.start,
        })
    }
}

/// `Bᵀ·d` along one axis.
#[inline(always)]
fn input_axis(d: &[Lane; IN]) -> [Lane; IN] {
    let mut r = [[0.0; LANES]; IN];
    for l in 0..LANES {
        let [d0, d1, d2, d3, d4, d5] = [d[0][l], d[1][l], d[2][l], d[3][l], d[4][l], d[5][l]];
        r[0][l] = 4.0 * d0 - 5.0 * d2 + d4;
        r[1][l] = -4.0 * (d1 + d2) + d3 + d4;
        r[2][l] = 4.0 * (d1 - d2) - d3 + d4;
        r[3][l] = -2.0 * d1 - d2 + 2.0 * d3 + d4;
        r[4][l] = 2.0 * d1 - d2 - 2.0 * d3 + d4;
        r[5][l] = 4.0 * d1 - 5.0 * d3 + d5;
    }
    r
}

/// `Aᵀ·m` along one axis.
#[inline(always)]
fn output_axis(m: &[Lane; IN]) -> [Lane; OUT] {
    let mut r = [[0.0; LANES]; OUT];
    for l in 0..LANES {
        let (sum12, difference12) = (m[1][l] + m[2][l], m[1][l] - m[2][l]);
        let (sum34, difference34) = (m[3][l] + m[4][l], m[3][l] - m[4][l]);
        r[0][l] = m[0][l] + sum12 + sum34;
        r[1][l] = difference12 + 2.0 * difference34;
        r[2][l] = sum12 + 4.0 * sum34;
        r[3][l] = difference12 + 8.0 * difference34 + m[5][l];
    }
    r
}

multiversioned! {
    /// Transforms the tile at row and column `tile` of the picture of these lines to `[36][C_in]`.
    fn transform_tile(x: Batch<'_>, lines: Lines<'_>, channels: usize, tile: [usize; 2], out: &mut [f32]) {
        let shift = usize::from(x.upsample);
        let [height, width] = x.doubled_size();
        let input = lines.values;
        // Where each pixel of the tile is, if it is inside: one pixel of zeros goes around the picture.
        let mut places = [[None; IN]; IN];
        for (y, places) in places.iter_mut().enumerate() {
            for (x_in_tile, place) in places.iter_mut().enumerate() {
                let py = (tile[0] * OUT + y).wrapping_sub(1);
                let px = (tile[1] * OUT + x_in_tile).wrapping_sub(1);
                if py < height && px < width {
                    *place = Some((((py >> shift) - lines.first) * x.width + (px >> shift)) * channels);
                }
            }
        }
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            let mut columns = [[[0.0; LANES]; IN]; IN];
            for x in 0..IN {
                let mut d = [[0.0; LANES]; IN];
                for (y, lane) in d.iter_mut().enumerate() {
                    if let Some(place) = places[y][x] {
                        if lanes == LANES {
                            lane.copy_from_slice(&input[place + first..][..LANES]);
                        } else {
                            lane[..lanes].copy_from_slice(&input[place + first..][..lanes]);
                        }
                    }
                }
                let r = input_axis(&d);
                for y in 0..IN {
                    columns[y][x] = r[y];
                }
            }
            for (y, row) in columns.iter().enumerate() {
                for (x, lane) in input_axis(row).iter().enumerate() {
                    let out = &mut out[(y * IN + x) * channels + first..];
                    if lanes == LANES {
                        out[..LANES].copy_from_slice(lane);
                    } else {
                        out[..lanes].copy_from_slice(&lane[..lanes]);
                    }
                }
            }
        }
    }
}

/// The products of a block, `[36][tiles][stride]`, and the tile among them that is meant.
#[derive(Clone, Copy)]
struct Products<'a> {
    values: &'a [f32],
    tiles: usize,
    stride: usize,
    slot: usize,
}

multiversioned! {
    /// Transforms one tile back into some channels of `out`: up to four lines of `inside` pixels, `apart[0]` from
    /// line to line and `apart[1]` from pixel to pixel, as in `residual`.
    fn restore_tile(
        products: Products<'_>,
        bias: &[f32],
        residual: Option<&[f32]>,
        out: &mut [MaybeUninit<f32>],
        apart: [usize; 2],
        inside: usize,
    ) {
        let [line, pixel] = apart;
        let channels = bias.len();
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            let mut columns = [[[0.0; LANES]; IN]; OUT];
            for x in 0..IN {
                let mut m = [[0.0; LANES]; IN];
                for (y, lane) in m.iter_mut().enumerate() {
                    let row = (y * IN + x) * products.tiles + products.slot;
                    lane.copy_from_slice(&products.values[row * products.stride + first..][..LANES]);
                }
                let r = output_axis(&m);
                for y in 0..OUT {
                    columns[y][x] = r[y];
                }
            }
            let mut bias_lane = [0.0; LANES];
            bias_lane[..lanes].copy_from_slice(&bias[first..first + lanes]);
            // The last band of a picture may have fewer lines.
            for (y, out) in out.chunks_mut(line).enumerate().take(OUT) {
                let row = output_axis(&columns[y]);
                for (x, values) in row.iter().enumerate().take(inside) {
                    let at = x * pixel + first;
                    let mut sum = [0.0; LANES];
                    for l in 0..LANES {
                        sum[l] = values[l] + bias_lane[l];
                    }
                    if let Some(residual) = residual {
                        for (sum, r) in sum.iter_mut().zip(&residual[y * line + at..][..lanes]) {
                            *sum += r;
                        }
                    }
                    if lanes == LANES {
                        out[at..at + LANES].write_copy_of_slice(&sum);
                    } else {
                        out[at..at + lanes].write_copy_of_slice(&sum[..lanes]);
                    }
                }
            }
        }
    }
}
