//! Winograd's F(4×4, 3×3): a 3×3 convolution with a quarter of the multiplications.
//!
//! Source: Lavin & Gray 2015, <https://arxiv.org/abs/1509.09308>, with interpolation points 0, ±1, ±2.
//! Each 6×6 input tile (4×4 outputs and their border) is transformed, multiplied with transformed
//! weights at 36 positions (36 matrix products over channels), and transformed back.

use rayon::prelude::*;

use super::super::threads;
use super::gemm::{Matrix, product};
use super::simd::multiversioned;

/// Edge of an output tile.
const OUT: usize = 4;
/// Edge of an input tile.
const IN: usize = 6;
/// Positions of a transformed tile.
const POSITIONS: usize = IN * IN;
/// Channels transformed together.
const LANES: usize = 16;
/// Most tiles of one block: their transforms stay in the second-level cache.
const MAX_TILES: usize = 128;

type Lane = [f32; LANES];

/// What a convolution reads and writes. `input`: `[H, W, C_in]` of one picture before upsampling.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) input: &'a [f32],
    pub(super) height: usize,
    pub(super) width: usize,
    /// Whether the input is doubled by repeating pixels first.
    pub(super) upsample: bool,
}

/// Weights `[C_out, C_in, 3, 3]` to `[36][C_in][C_out]`: `G·g·Gᵀ`.
pub(super) fn transform_weights(weights: &[f32], c_out: usize, c_in: usize) -> Vec<f32> {
    const G: [[f64; 3]; IN] = [
        [0.25, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    let mut transformed = vec![0.0_f32; POSITIONS * c_in * c_out];
    transformed.par_chunks_mut(c_in * c_out).enumerate().for_each(|(position, plane)| {
        let (row, column) = (position / IN, position % IN);
        for (i, out) in plane.chunks_exact_mut(c_out).enumerate() {
            for (o, out) in out.iter_mut().enumerate() {
                let kernel = &weights[(o * c_in + i) * 9..][..9];
                let mut sum = 0.0;
                for y in 0..3 {
                    for x in 0..3 {
                        sum += G[row][y] * f64::from(kernel[y * 3 + x]) * G[column][x];
                    }
                }
                *out = sum as f32;
            }
        }
    });
    transformed
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
    /// Transforms tile number `tile` into column `slot` of `out`, `[36][slots][C_in]`.
    fn transform_tile(picture: Picture<'_>, channels: usize, tile: [usize; 2], slot: usize, slots: usize, out: &mut [f32]) {
        let shift = usize::from(picture.upsample);
        let (height, width) = (picture.height << shift, picture.width << shift);
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            let mut columns = [[[0.0; LANES]; IN]; IN];
            for x in 0..IN {
                let mut d = [[0.0; LANES]; IN];
                // One pixel of padding around the picture.
                let px = (tile[1] * OUT + x).wrapping_sub(1);
                if px < width {
                    for (y, lane) in d.iter_mut().enumerate() {
                        let py = (tile[0] * OUT + y).wrapping_sub(1);
                        if py < height {
                            let from = ((py >> shift) * picture.width + (px >> shift)) * channels + first;
                            if lanes == LANES {
                                lane.copy_from_slice(&picture.input[from..from + LANES]);
                            } else {
                                lane[..lanes].copy_from_slice(&picture.input[from..from + lanes]);
                            }
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
                    let at = ((y * IN + x) * slots + slot) * channels + first;
                    out[at..at + lanes].copy_from_slice(&lane[..lanes]);
                }
            }
        }
    }
}

multiversioned! {
    /// Transforms column `slot` of `products`, `[36][slots][C_out]`, back into a `[4, 4, C_out]` tile with bias.
    fn restore_tile(products: &[f32], bias: &[f32], slot: usize, slots: usize, out: &mut [f32]) {
        let channels = bias.len();
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            let mut columns = [[[0.0; LANES]; IN]; OUT];
            for x in 0..IN {
                let mut m = [[0.0; LANES]; IN];
                for (y, lane) in m.iter_mut().enumerate() {
                    let at = ((y * IN + x) * slots + slot) * channels + first;
                    lane[..lanes].copy_from_slice(&products[at..at + lanes]);
                }
                let r = output_axis(&m);
                for y in 0..OUT {
                    columns[y][x] = r[y];
                }
            }
            for (y, row) in columns.iter().enumerate() {
                for (x, lane) in output_axis(row).iter().enumerate() {
                    let out = &mut out[(y * OUT + x) * channels + first..][..lanes];
                    for ((out, v), bias) in out.iter_mut().zip(lane).zip(&bias[first..first + lanes]) {
                        *out = v + bias;
                    }
                }
            }
        }
    }
}

/// A 3×3 convolution of stride 1 with one pixel of padding: `[H, W, C_out]` into `out`.
///
/// `weights`: from [`transform_weights`]. Rows of tiles are independent, so they are shared among threads.
pub(super) fn convolve(picture: Picture<'_>, weights: &[f32], bias: &[f32], out: &mut [f32]) {
    let shift = usize::from(picture.upsample);
    let (height, width) = (picture.height << shift, picture.width << shift);
    let c_out = bias.len();
    let c_in = weights.len() / (POSITIONS * c_out);
    let (rows, columns) = (height.div_ceil(OUT), width.div_ceil(OUT));
    // Blocks are whole rows of tiles, so that each writes a slice of its own.
    let fair = rows.div_ceil(threads::count());
    let rows_at_once = fair.min((MAX_TILES / columns).max(1)).max(1);
    let one_block = |(block, out): (usize, &mut [f32])| {
        let first_row = block * rows_at_once;
        let tiles: Vec<[usize; 2]> = (first_row..rows.min(first_row + rows_at_once))
            .flat_map(|y| (0..columns).map(move |x| [y, x]))
            .collect();
        let slots = tiles.len();
        let mut inputs = vec![0.0_f32; POSITIONS * slots * c_in];
        for (slot, tile) in tiles.iter().enumerate() {
            transform_tile(picture, c_in, *tile, slot, slots, &mut inputs);
        }
        let mut products = vec![0.0_f32; POSITIONS * slots * c_out];
        for position in 0..POSITIONS {
            let lhs = Matrix::rows(&inputs[position * slots * c_in..][..slots * c_in], c_in);
            let rhs = Matrix::rows(&weights[position * c_in * c_out..][..c_in * c_out], c_out);
            let out = &mut products[position * slots * c_out..][..slots * c_out];
            product([slots, c_out, c_in], lhs, rhs, out, c_out, false, false);
        }
        let mut tile_out = vec![0.0_f32; OUT * OUT * c_out];
        for (slot, tile) in tiles.iter().enumerate() {
            restore_tile(&products, bias, slot, slots, &mut tile_out);
            let inside = OUT.min(width - tile[1] * OUT);
            for y in 0..OUT.min(height - tile[0] * OUT) {
                let to = (((tile[0] - first_row) * OUT + y) * width + tile[1] * OUT) * c_out;
                out[to..to + inside * c_out].copy_from_slice(&tile_out[y * OUT * c_out..][..inside * c_out]);
            }
        }
    };
    let blocks = out.par_chunks_mut(rows_at_once * OUT * width * c_out).enumerate();
    if rows <= rows_at_once {
        one_block((0, out));
    } else {
        blocks.for_each(one_block);
    }
}
