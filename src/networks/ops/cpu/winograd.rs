//! Winograd's F(4×4, 3×3): a 3×3 convolution with a quarter of the multiplications.
//!
//! Source: Lavin & Gray 2015, <https://arxiv.org/abs/1509.09308>, with interpolation points 0, ±1, ±2.
//! Each 6×6 input tile (4×4 outputs and their border) is transformed, multiplied with transformed
//! weights at 36 positions (36 matrix products over channels), and transformed back.

use rayon::prelude::*;

use super::super::threads;
use super::convolution::Batch;
use super::gemm::{Extra, Packed, Rows, packed_bias, packed_columns, product};
use super::kernel::PANEL;
use super::scratch::Scratch;
use super::simd::multiversioned;

/// Edge of an output tile.
const OUT: usize = 4;
/// Edge of an input tile.
const IN: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = IN * IN;
/// Channels transformed together.
const LANES: usize = 16;
/// Tiles of one block: enough that the weights are read seldom, few enough that the transformed tiles
/// stay in the last-level cache.
const BLOCK_TILES: usize = 96;
/// Values between transformed tiles, so that they do not all begin in the same cache set.
const SKEW: usize = 16;

type Lane = [f32; LANES];

/// Transformed weights, packed: for each position a matrix `[C_in, C_out]`.
pub(super) struct Weights {
    values: Vec<f32>,
    bias: Vec<f32>,
    c_in: usize,
    c_out: usize,
}

multiversioned! {
    /// `G·g·Gᵀ` of the kernels of one input channel for one panel of output channels. `kernels[t][o]`:
    /// tap `t` of output `o`.
    fn transform_kernels(kernels: &[[f32; PANEL]; 9], out: &mut [[f32; PANEL]; POSITIONS]) {
        let mut rows = [[[0.0_f64; PANEL]; 3]; IN];
        for (y, row) in rows.iter_mut().enumerate() {
            for (x, lane) in row.iter_mut().enumerate() {
                for l in 0..PANEL {
                    lane[l] = (0..3).map(|k| G[y][k] * f64::from(kernels[k * 3 + x][l])).sum();
                }
            }
        }
        for (y, row) in rows.iter().enumerate() {
            for x in 0..IN {
                for l in 0..PANEL {
                    out[y * IN + x][l] = (0..3).map(|k| G[x][k] * row[k][l]).sum::<f64>() as f32;
                }
            }
        }
    }
}

/// The weights' transform.
const G: [[f64; 3]; IN] = [
    [0.25, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

impl Weights {
    /// From `[C_out, C_in, 3, 3]`.
    pub(super) fn new(raw: &[f32], bias: Option<&[f32]>, c_out: usize, c_in: usize) -> Self {
        let mut values = vec![0.0_f32; POSITIONS * c_in * packed_columns(c_out)];
        // The planes' panels, by panel, so that threads can share the work.
        let mut panels: Vec<Vec<&mut [f32]>> = Vec::new();
        panels.resize_with(c_out.div_ceil(PANEL), Vec::new);
        for plane in values.chunks_exact_mut(c_in * packed_columns(c_out)) {
            for (panels, panel) in panels.iter_mut().zip(plane.chunks_mut(c_in * PANEL)) {
                panels.push(panel);
            }
        }
        panels.into_par_iter().enumerate().for_each(|(panel, mut positions)| {
            let outputs = panel * PANEL..c_out.min((panel + 1) * PANEL);
            let width = positions[0].len() / c_in;
            let mut kernels = [[0.0; PANEL]; 9];
            let mut transformed = [[0.0; PANEL]; POSITIONS];
            for i in 0..c_in {
                for (l, o) in outputs.clone().enumerate() {
                    let kernel = &raw[(o * c_in + i) * 9..][..9];
                    for (lanes, value) in kernels.iter_mut().zip(kernel) {
                        lanes[l] = *value;
                    }
                }
                transform_kernels(&kernels, &mut transformed);
                for (position, values) in positions.iter_mut().zip(&transformed) {
                    position[i * width..][..width].copy_from_slice(&values[..width]);
                }
            }
        });
        let bias = packed_bias(Some(bias.unwrap_or(&vec![0.0; c_out])));
        Self { values, bias, c_in, c_out }
    }

    /// A 3×3 convolution of stride 1 with one pixel of padding: `[B, H, W, C_out]` into `out`, plus
    /// `residual` of that size.
    pub(super) fn convolve(&self, x: Batch<'_>, residual: Option<&[f32]>, out: &mut [f32]) {
        let (c_in, c_out) = (self.c_in, self.c_out);
        let [height, width] = x.doubled_size();
        let columns = width.div_ceil(OUT);
        let mut bands = bands(out, residual, [height, width * c_out]);
        let in_stride = POSITIONS * c_in + SKEW;
        let bands_at_once = (BLOCK_TILES / columns).clamp(1, bands.len());
        let most = bands_at_once * columns;
        let mut inputs = Scratch::new(most * in_stride);
        let mut products = Scratch::new(POSITIONS * most * c_out);
        let plane = c_in * packed_columns(c_out);
        for bands in bands.chunks_mut(bands_at_once) {
            let tiles = bands.len() * columns;
            let share = threads::count() > 1 && tiles * c_in * c_out >= 1 << 16;
            let transform = |(slot, to): (usize, &mut [f32])| {
                let band = &bands[slot / columns];
                transform_tile(x, band.picture, c_in, [band.row, slot % columns], to);
            };
            let inputs = &mut inputs[..tiles * in_stride];
            if share {
                inputs.par_chunks_exact_mut(in_stride).enumerate().for_each(transform);
            } else {
                inputs.chunks_exact_mut(in_stride).enumerate().for_each(transform);
            }
            let multiply = |(position, to): (usize, &mut [f32])| {
                let rows = Rows::plain(&inputs[position * c_in..], tiles, in_stride);
                let values = &self.values[position * plane..][..plane];
                let weights = Packed { values, depth: c_in, columns: c_out, pairs: false };
                product(rows, weights, Extra::default(), to, c_out, false);
            };
            let products = &mut products[..POSITIONS * tiles * c_out];
            if share {
                products.par_chunks_exact_mut(tiles * c_out).enumerate().for_each(multiply);
            } else {
                products.chunks_exact_mut(tiles * c_out).enumerate().for_each(multiply);
            }
            let restore = |(band_number, band): (usize, &mut Band<'_>)| {
                for column in 0..columns {
                    let slot = [band_number * columns + column, tiles];
                    let inside = OUT.min(width - column * OUT);
                    let at = column * OUT * c_out;
                    let residual = band.residual.map(|r| &r[at..]);
                    let out = &mut band.out[at..];
                    restore_tile(products, &self.bias[..c_out], slot, residual, out, width * c_out, inside);
                }
            };
            if share {
                bands.par_iter_mut().enumerate().for_each(restore);
            } else {
                bands.iter_mut().enumerate().for_each(restore);
            }
        }
    }
}

/// A row of tiles of one picture: up to four lines of the result.
struct Band<'a> {
    picture: usize,
    row: usize,
    out: &'a mut [f32],
    residual: Option<&'a [f32]>,
}

/// The result `[B, height, line]` and the residual in bands.
fn bands<'a>(out: &'a mut [f32], residual: Option<&'a [f32]>, [height, line]: [usize; 2]) -> Vec<Band<'a>> {
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
    /// Transforms the tile at row and column `tile` of a picture to `[36][C_in]`.
    fn transform_tile(x: Batch<'_>, picture: usize, channels: usize, tile: [usize; 2], out: &mut [f32]) {
        let shift = usize::from(x.upsample);
        let [height, width] = x.doubled_size();
        let lines = x.height * x.width * channels;
        let input = &x.values[picture * lines..][..lines];
        // Where each pixel of the tile is, if it is inside: one pixel of zeros goes around the picture.
        let mut places = [[None; IN]; IN];
        for (y, places) in places.iter_mut().enumerate() {
            for (x_in_tile, place) in places.iter_mut().enumerate() {
                let py = (tile[0] * OUT + y).wrapping_sub(1);
                let px = (tile[1] * OUT + x_in_tile).wrapping_sub(1);
                if py < height && px < width {
                    *place = Some(((py >> shift) * x.width + (px >> shift)) * channels);
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

multiversioned! {
    /// Transforms one tile of `products`, `[36][tiles][C_out]`, back into `out`: up to four lines,
    /// `line` apart, of `inside` pixels.
    fn restore_tile(
        products: &[f32],
        bias: &[f32],
        slot: [usize; 2],
        residual: Option<&[f32]>,
        out: &mut [f32],
        line: usize,
        inside: usize,
    ) {
        let channels = bias.len();
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            let mut columns = [[[0.0; LANES]; IN]; OUT];
            for x in 0..IN {
                let mut m = [[0.0; LANES]; IN];
                for (y, lane) in m.iter_mut().enumerate() {
                    let from = &products[((y * IN + x) * slot[1] + slot[0]) * channels + first..];
                    if lanes == LANES {
                        lane.copy_from_slice(&from[..LANES]);
                    } else {
                        lane[..lanes].copy_from_slice(&from[..lanes]);
                    }
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
                    let at = x * channels + first;
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
                        out[at..at + LANES].copy_from_slice(&sum);
                    } else {
                        out[at..at + lanes].copy_from_slice(&sum[..lanes]);
                    }
                }
            }
        }
    }
}
