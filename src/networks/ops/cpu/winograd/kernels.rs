//! The weights' side: kernels transformed, a part of a layer at a time, and multiplied.

use std::ops::Range;

use super::super::gemm::{Panel, Rows, multiply_panel};
use super::super::kernel::PANEL;
use super::super::prefetch::first_level;
use super::super::scratch::Scratch;
use super::super::simd::multiversioned;
use super::super::weights::Weights;
use super::tiles::Inputs;
use super::{AHEAD, IN, LANES, Lane, POSITIONS, SKEW, each_chunk, lane};

/// Weights of a kernel.
pub(super) const TAPS: usize = 9;
/// Channels whose kernels are transformed together: their taps stay in the first-level cache.
const KERNELS_AT_ONCE: usize = 16;

/// The weights of a layer. Their depth: kernel rows, kernel columns, input channels.
pub(super) struct Kernels<'a> {
    weights: &'a Weights,
    pub(super) c_in: usize,
    /// Input channels of a piece.
    channels: usize,
}

impl<'a> Kernels<'a> {
    /// In pieces of one panel and about so many input channels.
    pub(super) fn new(weights: &'a Weights, channels: usize) -> Self {
        let c_in = weights.matrix.depth / TAPS;
        // Even, for pairs of channels.
        let channels = c_in.div_ceil(c_in.div_ceil(channels)).next_multiple_of(2);
        Self { weights, c_in, channels }
    }

    pub(super) fn panels(&self) -> usize {
        self.weights.matrix.columns.div_ceil(PANEL)
    }

    /// Pieces of a panel.
    fn pieces(&self) -> usize {
        self.c_in.div_ceil(self.channels)
    }

    fn channels_of(&self, piece: usize) -> Range<usize> {
        piece * self.channels..self.c_in.min((piece + 1) * self.channels)
    }

    /// Values of a transformed piece.
    pub(super) fn piece_len(&self) -> usize {
        POSITIONS * Self::plane(self.channels, PANEL)
    }

    /// Values from position to position of a piece.
    fn plane(channels: usize, width: usize) -> usize {
        channels * width + SKEW
    }

    /// Values of a transformed panel.
    pub(super) fn panel_len(&self) -> usize {
        self.pieces() * self.piece_len()
    }

    /// Transforms some panels to `[panels, pieces, 36, channels, width]`.
    pub(super) fn transform(&self, panels: Range<usize>, transformed: &mut [f32], share: bool) {
        let transformed = &mut transformed[..panels.len() * self.panel_len()];
        each_chunk(transformed, self.piece_len(), share, |number, to| {
            self.transform_piece(panels.start + number / self.pieces(), number % self.pieces(), to);
        });
    }

    fn transform_piece(&self, panel: usize, piece: usize, to: &mut [f32]) {
        let matrix = &self.weights.matrix;
        let width = matrix.width(panel);
        let channels = self.channels_of(piece);
        let plane = Self::plane(channels.len(), width);
        let mut room = Scratch::new(TAPS * KERNELS_AT_ONCE * width);
        for first in channels.clone().step_by(KERNELS_AT_ONCE) {
            let end = channels.end.min(first + KERNELS_AT_ONCE);
            let len = (end - first) * width;
            let taps = &mut room[..TAPS * len];
            // Copied first, even as f32: nine places read at once are slower than one after another.
            for (tap, taps) in taps.chunks_exact_mut(len).enumerate() {
                matrix.rows(panel, tap * self.c_in + first..tap * self.c_in + end, taps);
            }
            transform_kernels(taps, plane, &mut to[(first - channels.start) * width..]);
        }
    }

    /// Asks for a position's share of a piece that is transformed next, if there is one: the weights of such layers
    /// come from main memory.
    fn fetch(&self, (panel, piece): (usize, usize), position: usize) {
        if panel < self.panels() {
            let channels = self.channels_of(piece);
            for tap in 0..TAPS {
                let rows = tap * self.c_in + channels.start..tap * self.c_in + channels.end;
                self.weights.matrix.ahead(panel, rows).fetch(position, POSITIONS);
            }
        }
    }

    /// The products of one position with what [`Self::transform`] gave: `[tiles, panels · PANEL]`.
    pub(super) fn multiply(
        &self,
        transformed: &[f32],
        panels: Range<usize>,
        position: usize,
        inputs: Inputs<'_>,
        to: &mut [f32],
    ) {
        let stride = panels.len() * PANEL;
        for (number, panel) in panels.enumerate() {
            for piece in 0..self.pieces() {
                let values = &transformed[(number * self.pieces() + piece) * self.piece_len()..];
                self.multiply_piece(
                    values,
                    [panel, piece],
                    position,
                    inputs,
                    (&mut to[number * PANEL..], stride),
                );
            }
        }
    }

    /// Transforms one panel and multiplies at all positions, piece by piece: `[36, tiles, PANEL]`. `room`:
    /// [`Self::piece_len`].
    pub(super) fn transform_and_multiply(
        &self,
        panel: usize,
        inputs: Inputs<'_>,
        room: &mut [f32],
        to: &mut [f32],
    ) {
        for piece in 0..self.pieces() {
            self.transform_piece(panel, piece, room);
            let next = if piece + 1 < self.pieces() { (panel, piece + 1) } else { (panel + 1, 0) };
            for (position, to) in to.chunks_exact_mut(inputs.tiles * PANEL).enumerate() {
                self.fetch(next, position);
                self.multiply_piece(room, [panel, piece], position, inputs, (to, PANEL));
            }
        }
    }

    /// Adds a transformed piece's products, but for the first piece, which begins them.
    fn multiply_piece(
        &self,
        transformed: &[f32],
        [panel, piece]: [usize; 2],
        position: usize,
        inputs: Inputs<'_>,
        (to, stride): (&mut [f32], usize),
    ) {
        let matrix = &self.weights.matrix;
        let width = matrix.width(panel);
        let channels = self.channels_of(piece);
        let len = channels.len() * width;
        let first = position * self.c_in + channels.start;
        let rows = Rows::plain(&inputs.values[first..], inputs.tiles, inputs.stride);
        let values = &transformed[position * Self::plane(channels.len(), width)..][..len];
        let columns = width.min(matrix.columns - panel * PANEL);
        multiply_panel(rows, Panel { values, width, columns }, piece > 0, to, stride);
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
        // Out here, for it is filled anew for all channels.
        let mut rows = [[[0.0; LANES]; 3]; IN];
        for first in (0..count).step_by(LANES) {
            for x in 0..3 {
                let tap = |y: usize| lane(&taps[(y * 3 + x) * count + first..]);
                let column = kernel_axis(&[tap(0), tap(1), tap(2)]);
                for y in 0..IN {
                    rows[y][x] = column[y];
                }
            }
            for (y, row) in rows.iter().enumerate() {
                for (x, lane) in kernel_axis(row).iter().enumerate() {
                    let out = &mut out[(y * IN + x) * plane + first..];
                    first_level(out.as_ptr().wrapping_add(AHEAD));
                    out[..LANES].copy_from_slice(lane);
                }
            }
        }
    }
}
