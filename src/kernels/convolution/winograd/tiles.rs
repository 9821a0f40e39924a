//! The images' side: tiles transformed, and back.

use std::ops::Range;

use super::super::super::KernelContext;
use super::super::super::dequantise::{LANES, Lane, lane};
use super::super::super::disjoint_output::OutputTile;
use super::super::super::gemm::PANEL;
use super::super::super::isa::multiversioned;
use super::super::super::norm::Affine;
use super::super::super::scratch::Scratch;
use super::super::feature_map::FeatureMap;
use super::{IN, OUT, counts};

/// A row of tiles of one image: up to four lines of the result.
#[derive(Clone, Copy)]
pub(super) struct Band {
    pub(super) image: usize,
    pub(super) row: usize,
}

/// The lines of one image from the `first` on, `[.., W, C_in]`.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) values: &'a [f32],
    pub(super) first: usize,
}

/// The lines under a block of bands, normed.
pub(super) struct NormedLines<'a> {
    /// For each image under the block, its number, its lines, and where their values begin.
    images: Vec<(usize, Range<usize>, usize)>,
    values: Scratch<'a>,
}

impl<'a> NormedLines<'a> {
    pub(super) fn new(
        ctx: &'a KernelContext,
        x: FeatureMap<'_>,
        norm: &Affine,
        bands: &[Band],
        share: bool,
    ) -> Self {
        let line = x.line();
        let (mut images, mut lines) = (Vec::new(), Vec::new());
        for bands in bands.chunk_by(|a, b| a.image == b.image) {
            let (image, begin, end) = (bands[0].image, bands[0].row, bands[bands.len() - 1].row + 1);
            // One more above and below, where the image has them.
            let range = (begin * OUT).saturating_sub(1)..x.height.min(end * OUT + 1);
            images.push((image, range.clone(), lines.len() * line));
            lines.extend(range.map(|y| (image, y)));
        }
        let mut values = ctx.scratch(lines.len() * line);
        ctx.threads().for_each_chunk(share, &mut values, line, |index, to| {
            let (image, y) = lines[index];
            norm.apply(ctx.isa(), image, &x.values[(image * x.height + y) * line..][..line], to);
        });
        Self { images, values }
    }

    pub(super) fn of_image(&self, image: usize) -> Lines<'_> {
        let found = self.images.iter().find(|(number, ..)| *number == image);
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
    /// Transforms the tile at row and column `tile` of the image of these lines to `[36][C_in]`, at the positions that
    /// count.
    pub(super) fn transform_tile(
        isa: Isa,
        x: FeatureMap<'_>,
        lines: Lines<'_>,
        channels: usize,
        tile: [usize; 2],
        out: &mut [f32],
    ) {
        let doubled = x.is_doubled();
        let shift = usize::from(doubled);
        let [height, width] = x.size();
        let input = lines.values;
        // Where each pixel of the tile is, if it is inside: one pixel of zeros goes around the image.
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

/// The products of a panel, `[36, tiles, PANEL]`, and the tile among them that is restored.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    pub(super) values: &'a [f32],
    /// Values from position to position.
    pub(super) plane: usize,
    pub(super) slot: usize,
    /// Whether the images' pixels are doubled: products are there at the positions that count.
    pub(super) doubled: bool,
}

multiversioned! {
    /// Transforms one tile back, to as many lines, pixels and channels as `out` has. The residual is of the whole result.
    pub(super) fn restore_tile(
        isa: Isa,
        products: Products<'_>,
        bias: &[f32],
        residual: Option<&[f32]>,
        out: &mut OutputTile<'_>,
    ) {
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
                        let at = out.index([y, x]) + first;
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
