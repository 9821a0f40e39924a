//! The weights' side: kernels transformed, a part of a panel at a time, and multiplied.

use std::ops::Range;

use super::super::gemm::{Panel, Rows, multiply_panel};
use super::super::kernel::PANEL;
use super::super::lanes::{Bf16, F16, F32, LANES, Lane, Pairs, StoredRows};
use super::super::pack::Panels;
use super::super::simd::multiversioned;
use super::super::weights::Weights;
use super::tiles::Inputs;
use super::{IN, POSITIONS, SKEW, counts};

/// Weights of a kernel.
pub(super) const TAPS: usize = 9;
/// Lines of positions whose transforms have terms in common: what is transformed at once.
const LINES: [[usize; 2]; 3] = [[0, 5], [1, 2], [3, 4]];
/// Positions of two lines.
const AT_ONCE: usize = 2 * IN;
/// Input channels of a piece: enough that sums are seldom read and written, few enough that the transformed piece stays
/// in the second-level cache.
const CHANNELS: usize = 320;

/// The weights of a layer. Their depth: kernel rows, kernel columns, input channels.
pub(super) struct Kernels<'a> {
    weights: &'a Weights,
    pub(super) c_in: usize,
    /// Input channels of a piece.
    channels: usize,
    /// Whether the pictures' pixels are doubled.
    doubled: bool,
}

impl<'a> Kernels<'a> {
    pub(super) fn new(weights: &'a Weights, doubled: bool) -> Self {
        let c_in = weights.matrix.depth / TAPS;
        let channels = c_in.div_ceil(c_in.div_ceil(CHANNELS));
        // Even, for pairs of channels.
        Self { weights, c_in, channels: channels.next_multiple_of(2), doubled }
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

    /// Values from position to position of a transformed piece.
    fn plane(channels: usize, width: usize) -> usize {
        channels * width + SKEW
    }

    /// Values of what is transformed at once.
    pub(super) fn room(&self) -> usize {
        AT_ONCE * Self::plane(self.channels, PANEL)
    }

    /// The products of a panel with some tiles, `[36, tiles, PANEL]`, `plane` from position to position, at the positions
    /// that count. `room`: [`Self::room`].
    pub(super) fn multiply(
        &self,
        panel: usize,
        inputs: Inputs<'_>,
        room: &mut [f32],
        (products, plane): (&mut [f32], usize),
    ) {
        let pieces = self.pieces();
        // Piece by piece, so that the weights of one are still in the second-level cache at its last round.
        for piece in 0..pieces {
            let next = if piece + 1 < pieces { (panel, piece + 1) } else { (panel + 1, 0) };
            for (round, lines) in LINES.into_iter().enumerate() {
                self.transform(panel, piece, round, room);
                for number in 0..AT_ONCE {
                    let (y, x) = (lines[number / IN], number % IN);
                    let position = y * IN + x;
                    self.fetch(next, round * AT_ONCE + number);
                    if !counts(y, self.doubled) || !counts(x, self.doubled) {
                        continue;
                    }
                    let to = &mut products[position * plane..];
                    self.multiply_piece((room, number), [panel, piece], position, inputs, to);
                }
            }
        }
    }

    /// Transforms two lines of positions of a piece of a panel to `[12, channels, width]`, where they count.
    fn transform(&self, panel: usize, piece: usize, round: usize, to: &mut [f32]) {
        let matrix = &self.weights.matrix;
        let kernels = Packed {
            panel: matrix.panels().after(panel * PANEL * matrix.depth),
            width: matrix.width(panel),
            c_in: self.c_in,
            doubled: self.doubled,
        };
        let channels = self.channels_of(piece);
        let plane = Self::plane(channels.len(), kernels.width);
        transform_kernels(kernels, channels, round, plane, to);
    }

    /// Asks for one of [`POSITIONS`] shares of a piece that is transformed next, if there is one: the weights of layers of
    /// few tiles come from main memory.
    fn fetch(&self, (panel, piece): (usize, usize), share: usize) {
        if panel < self.panels() {
            let channels = self.channels_of(piece);
            for tap in 0..TAPS {
                let rows = tap * self.c_in + channels.start..tap * self.c_in + channels.end;
                self.weights.matrix.ahead(panel, rows).fetch(share, POSITIONS);
            }
        }
    }

    /// Adds a transformed piece's products at one position, but for the first piece, which begins them.
    fn multiply_piece(
        &self,
        (transformed, number): (&[f32], usize),
        [panel, piece]: [usize; 2],
        position: usize,
        inputs: Inputs<'_>,
        to: &mut [f32],
    ) {
        let matrix = &self.weights.matrix;
        let width = matrix.width(panel);
        let channels = self.channels_of(piece);
        let first = position * self.c_in + channels.start;
        let rows = Rows::plain(&inputs.values[first..], inputs.tiles, inputs.stride);
        let plane = Self::plane(channels.len(), width);
        let values = &transformed[number * plane..][..channels.len() * width];
        let columns = width.min(matrix.columns - panel * PANEL);
        multiply_panel(rows, Panel { values, width, columns }, piece > 0, to, PANEL);
    }
}

/// The kernels of a panel as they are stored: `[9, C_in, width]`.
#[derive(Clone, Copy)]
struct Packed<'a> {
    panel: Panels<'a>,
    width: usize,
    c_in: usize,
    doubled: bool,
}

/// Two lines of `G·g` along one axis.
#[inline(always)]
fn two_of_axis<const ROUND: usize>(g: &[Lane; 3]) -> [Lane; 2] {
    let (all, [first, second]) = (kernel_axis(g), LINES[ROUND]);
    [all[first], all[second]]
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
    /// Two lines of `G·g·Gᵀ` of some channels' kernels to the beginning of 12 planes.
    fn transform_kernels<const FMA: bool>(
        kernels: Packed<'_>,
        channels: Range<usize>,
        round: usize,
        plane: usize,
        out: &mut [f32],
    ) {
        match kernels.panel {
            Panels::F32(values) => transform_taps::<FMA>(F32(values), kernels, channels, round, plane, out),
            Panels::F16(bits) => transform_taps::<FMA>(F16(bits), kernels, channels, round, plane, out),
            Panels::Bf16(bits) => transform_taps::<FMA>(Bf16(bits), kernels, channels, round, plane, out),
            Panels::Pairs(pairs) => transform_taps::<FMA>(Pairs(pairs), kernels, channels, round, plane, out),
            Panels::Split(_) => unreachable!("weights are not stored split"),
        }
    }
}

#[inline(always)]
fn transform_taps<const F16C: bool>(
    taps: impl StoredRows,
    kernels: Packed<'_>,
    channels: Range<usize>,
    round: usize,
    plane: usize,
    out: &mut [f32],
) {
    match round {
        0 => transform_lines::<F16C, 0>(taps, kernels, channels, plane, out),
        1 => transform_lines::<F16C, 1>(taps, kernels, channels, plane, out),
        _ => transform_lines::<F16C, 2>(taps, kernels, channels, plane, out),
    }
}

#[inline(always)]
fn transform_lines<const F16C: bool, const ROUND: usize>(
    taps: impl StoredRows,
    Packed { width, c_in, doubled, .. }: Packed<'_>,
    channels: Range<usize>,
    plane: usize,
    out: &mut [f32],
) {
    // Checked once: at every place it would take longer than the transform.
    assert!(
        width.is_multiple_of(LANES) && channels.end <= c_in && taps.rows(width) >= TAPS * c_in,
        "all taps"
    );
    assert!(out.len() >= (AT_ONCE - 1) * plane + channels.len() * width, "room for all planes");
    for (number, channel) in channels.enumerate() {
        for column in (0..width).step_by(LANES) {
            let mut lines = [[[0.0; LANES]; 3]; 2];
            for x in 0..3 {
                let mut g = [[0.0; LANES]; 3];
                for (y, lane) in g.iter_mut().enumerate() {
                    #[expect(unsafe_code, reason = "see `StoredRows::lane`")]
                    // SAFETY: the channel and the column are inside, as asserted. On x86-64, code with FMA is compiled for
                    // F16C.
                    unsafe {
                        *lane = taps.lane::<F16C>(width, (y * 3 + x) * c_in + channel, column);
                    }
                }
                let two = two_of_axis::<ROUND>(&g);
                for y in 0..2 {
                    lines[y][x] = two[y];
                }
            }
            for (y, line) in lines.iter().enumerate() {
                if !counts(LINES[ROUND][y], doubled) {
                    continue;
                }
                for (x, lane) in kernel_axis(line).iter().enumerate() {
                    if !counts(x, doubled) {
                        continue;
                    }
                    let at = (y * IN + x) * plane + number * width + column;
                    debug_assert!(at + LANES <= out.len());
                    #[expect(unsafe_code, reason = "one of many places that were checked at once")]
                    // SAFETY: so many values of every plane are there, as asserted.
                    unsafe {
                        out.as_mut_ptr().add(at).cast::<Lane>().write(*lane);
                    }
                }
            }
        }
    }
}
