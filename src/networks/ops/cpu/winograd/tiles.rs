//! The pictures' side: tiles transformed, and back.

use std::ops::Range;

use super::super::convolution::Batch;
use super::super::kernel::PANEL;
use super::super::lanes::{LANES, Lane, lane};
use super::super::norm::Affine;
use super::super::prefetch::to_write;
use super::super::scratch::Scratch;
use super::super::shared::Runs;
use super::super::simd::multiversioned;
use super::{IN, OUT, counts, threads};

/// How far ahead each of the 36 places of a transform's results is asked for, values: no processor foresees so many.
const AHEAD: usize = 2 * LANES;

/// Transformed tiles, `[36, C_in]` each, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) values: &'a [f32],
    pub(super) tiles: usize,
    pub(super) stride: usize,
}

/// A row of tiles of one picture: up to four lines of the result.
#[derive(Clone, Copy)]
pub(super) struct Band {
    pub(super) picture: usize,
    pub(super) row: usize,
}

/// The lines of one picture from the `first` on, `[.., W, C_in]`.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) values: &'a [f32],
    pub(super) first: usize,
}

/// The lines under a block of bands, normed.
pub(super) struct NormedLines {
    /// For each picture under the block, its number, its lines, and where their values begin.
    pictures: Vec<(usize, Range<usize>, usize)>,
    values: Scratch,
}

impl NormedLines {
    pub(super) fn new(x: Batch<'_>, norm: &Affine, bands: &[Band], share: bool) -> Self {
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
        threads::for_each_chunk(share, &mut values, line, |index, to| {
            let (picture, y) = lines[index];
            norm.apply(picture, &x.values[(picture * x.height + y) * line..][..line], to);
        });
        Self { pictures, values }
    }

    pub(super) fn of_picture(&self, picture: usize) -> Lines<'_> {
        let found = self.pictures.iter().find(|(number, ..)| *number == picture);
        found.map_or(Lines { values: &[], first: 0 }, |(_, lines, at)| Lines {
            values: &self.values[*at..],
            first: lines.start,
        })
    }
}

/// The first `lanes` of some values, and zeros.
#[inline(always)]
fn some_lanes(values: &[f32], lanes: usize) -> Lane {
    if lanes == LANES {
        return lane(values);
    }
    let mut some = [0.0; LANES];
    some[..lanes].copy_from_slice(&values[..lanes]);
    some
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
    /// Transforms the tile at row and column `tile` of the picture of these lines to `[36][C_in]`, at the positions that
    /// count.
    pub(super) fn transform_tile(x: Batch<'_>, lines: Lines<'_>, channels: usize, tile: [usize; 2], out: &mut [f32]) {
        let (doubled, shift) = (x.upsample, usize::from(x.upsample));
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
        // Out here, for it is filled anew for all channels.
        let mut rows = [[[0.0; LANES]; IN]; IN];
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            for x in 0..IN {
                let mut d = [[0.0; LANES]; IN];
                for (y, lane) in d.iter_mut().enumerate() {
                    if let Some(place) = places[y][x] {
                        *lane = some_lanes(&input[place + first..], lanes);
                    }
                }
                let column = input_axis(&d);
                for y in 0..IN {
                    rows[y][x] = column[y];
                }
            }
            for (y, row) in rows.iter().enumerate() {
                if !counts(y, doubled) {
                    continue;
                }
                for (x, lane) in input_axis(row).iter().enumerate() {
                    if !counts(x, doubled) {
                        continue;
                    }
                    let out = &mut out[(y * IN + x) * channels + first..];
                    to_write(out.as_ptr().wrapping_add(AHEAD));
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

/// The products of a panel, `[36, tiles, PANEL]`, and the tile among them that is meant.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    pub(super) values: &'a [f32],
    /// Values from position to position.
    pub(super) plane: usize,
    pub(super) slot: usize,
    /// Whether the pictures' pixels are doubled: products are there at the positions that count.
    pub(super) doubled: bool,
}

multiversioned! {
    /// Transforms one tile back, to as many lines, pixels and channels as `out` has. The residual is of the whole result.
    pub(super) fn restore_tile(products: Products<'_>, bias: &[f32], residual: Option<&[f32]>, out: &mut Runs<'_>) {
        let ([height, width], channels) = (out.size, out.len);
        let mut rows = [[[0.0; LANES]; IN]; OUT];
        for first in (0..channels).step_by(LANES) {
            let lanes = LANES.min(channels - first);
            for x in (0..IN).filter(|x| counts(*x, products.doubled)) {
                let mut m = [[0.0; LANES]; IN];
                for (y, to) in m.iter_mut().enumerate() {
                    if !counts(y, products.doubled) {
                        continue;
                    }
                    let at = (y * IN + x) * products.plane + products.slot * PANEL;
                    *to = lane(&products.values[at + first..]);
                }
                let column = output_axis(&m);
                for y in 0..OUT {
                    rows[y][x] = column[y];
                }
            }
            let bias_lane = some_lanes(&bias[first..], lanes);
            for (y, row) in rows.iter().enumerate().take(height) {
                for (x, values) in output_axis(row).iter().enumerate().take(width) {
                    let mut sum = [0.0; LANES];
                    for l in 0..LANES {
                        sum[l] = values[l] + bias_lane[l];
                    }
                    if let Some(residual) = residual {
                        let at = out.place([y, x]) + first;
                        for (sum, r) in sum.iter_mut().zip(&residual[at..at + lanes]) {
                            *sum += r;
                        }
                    }
                    let out = out.part([y, x], first..first + lanes);
                    if lanes == LANES {
                        out.write_copy_of_slice(&sum);
                    } else {
                        out.write_copy_of_slice(&sum[..lanes]);
                    }
                }
            }
        }
    }
}
