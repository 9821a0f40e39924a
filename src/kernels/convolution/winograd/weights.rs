//! The weights' side: kernels transformed, a part of a panel at a time, and multiplied.

use std::ops::Range;

use super::super::super::KernelContext;
use super::super::super::dequantise::{Bf16, F16, F32, LANES, Lane, StoredValues};
use super::super::super::gemm::{MicroKernel, OperandFormat, PANEL, PanelView, Panels, RhsView};
use super::super::super::isa::multiversioned;
use super::{IN, POSITIONS, SKEW, counts};

/// Weights of a kernel.
const TAPS: usize = 9;
/// Lines of positions whose transforms have terms in common: what is transformed at once.
const LINES: [[usize; 2]; 3] = [[0, 5], [1, 2], [3, 4]];
/// Positions of two lines.
const ROUND_POSITIONS: usize = 2 * IN;
/// Input channels of a piece: enough that sums are seldom read and written, few enough that the transformed piece stays
/// in the second-level cache.
const CHANNELS: usize = 320;

/// Transformed tiles, `[36, C_in]` each, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct TransformedTiles<'a> {
    pub(super) values: &'a [f32],
    pub(super) tiles: usize,
    pub(super) stride: usize,
}

/// The weights of a layer. Their depth: kernel rows, kernel columns, input channels.
pub(super) struct WinogradWeights<'a> {
    rhs: RhsView<'a>,
    pub(super) c_in: usize,
    /// Input channels of a piece.
    channels: usize,
    /// Whether the images' pixels are doubled.
    doubled: bool,
}

impl<'a> WinogradWeights<'a> {
    pub(super) fn new(rhs: RhsView<'a>, depth: usize, doubled: bool) -> Self {
        let c_in = depth / TAPS;
        let channels = c_in.div_ceil(c_in.div_ceil(CHANNELS));
        Self { rhs, c_in, channels, doubled }
    }

    pub(super) fn panels(&self) -> usize {
        self.rhs.columns().div_ceil(PANEL)
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

    /// Values of a transformed piece.
    pub(super) fn piece_len(&self) -> usize {
        ROUND_POSITIONS * Self::plane(self.channels, PANEL)
    }

    /// The products of a panel with some tiles, `[36, tiles, PANEL]`, `plane` from position to position, at the positions
    /// that count. `transformed`: [`Self::piece_len`] values.
    pub(super) fn multiply(
        &self,
        ctx: &KernelContext,
        panel: usize,
        tiles: TransformedTiles<'_>,
        transformed: &mut [f32],
        (products, plane): (&mut [f32], usize),
    ) {
        let pieces = self.pieces();
        let kernel = MicroKernel::new(ctx.isa(), OperandFormat::F32);
        let width = self.rhs.width(panel);
        let columns = width.min(self.rhs.columns() - panel * PANEL);
        // Piece by piece, so that the weights of one are still in the second-level cache at its last round.
        for piece in 0..pieces {
            let next = if piece + 1 < pieces { (panel, piece + 1) } else { (panel + 1, 0) };
            let channels = self.channels_of(piece);
            let piece_plane = Self::plane(channels.len(), width);
            for (round, lines) in LINES.into_iter().enumerate() {
                let stored = Taps {
                    panel: self.rhs.stored_panel(panel),
                    width,
                    c_in: self.c_in,
                    doubled: self.doubled,
                };
                transform_kernels(ctx.isa(), stored, channels.clone(), round, piece_plane, transformed);
                for number in 0..ROUND_POSITIONS {
                    let (y, x) = (lines[number / IN], number % IN);
                    let position = y * IN + x;
                    self.fetch(next, round * ROUND_POSITIONS + number);
                    if !counts(y, self.doubled) || !counts(x, self.doubled) {
                        continue;
                    }
                    let first = position * self.c_in + channels.start;
                    let slots = &transformed[number * piece_plane..][..channels.len() * width];
                    // The first piece begins the sums.
                    kernel.multiply_panel(
                        (&tiles.values[first..], tiles.tiles, tiles.stride),
                        PanelView { slots, width, columns },
                        piece > 0,
                        &mut products[position * plane..],
                        PANEL,
                    );
                }
            }
        }
    }

    /// Prefetches one of [`POSITIONS`] shares of the piece that is transformed next, if there is one: the weights of layers
    /// of few tiles come from main memory.
    fn fetch(&self, (panel, piece): (usize, usize), share: usize) {
        if panel < self.panels() {
            let channels = self.channels_of(piece);
            for tap in 0..TAPS {
                let rows = tap * self.c_in + channels.start..tap * self.c_in + channels.end;
                self.rhs.prefetch(panel, rows).part(share, POSITIONS);
            }
        }
    }
}

/// The kernels of a panel as they are stored: `[9, C_in, width]`.
#[derive(Clone, Copy)]
struct Taps<'a> {
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
    /// Two lines of `G·g·Gᵀ` of some channels' kernels to the beginning of 12 planes, `[12, channels, width]`, where they
    /// count.
    fn transform_kernels<const FMA: bool>(
        isa: Isa,
        taps: Taps<'_>,
        channels: Range<usize>,
        round: usize,
        plane: usize,
        out: &mut [f32],
    ) {
        match taps.panel {
            Panels::F32(values) => transform_stored::<FMA>(F32(values), taps, channels, round, plane, out),
            Panels::F16(bits) => transform_stored::<FMA>(F16(bits), taps, channels, round, plane, out),
            Panels::Bf16(bits) => transform_stored::<FMA>(Bf16(bits), taps, channels, round, plane, out),
            Panels::Bf16Pairs(_) | Panels::Blocks(_) => {
                unreachable!("Winograd layers are packed for products in f32")
            }
        }
    }
}

#[inline(always)]
fn transform_stored<const F16C: bool>(
    stored: impl StoredValues,
    taps: Taps<'_>,
    channels: Range<usize>,
    round: usize,
    plane: usize,
    out: &mut [f32],
) {
    match round {
        0 => transform_lines::<F16C, 0>(stored, taps, channels, plane, out),
        1 => transform_lines::<F16C, 1>(stored, taps, channels, plane, out),
        _ => transform_lines::<F16C, 2>(stored, taps, channels, plane, out),
    }
}

#[inline(always)]
fn transform_lines<const F16C: bool, const ROUND: usize>(
    stored: impl StoredValues,
    Taps { width, c_in, doubled, .. }: Taps<'_>,
    channels: Range<usize>,
    plane: usize,
    out: &mut [f32],
) {
    // Slices of one length, so that one check is for all.
    let len = channels.len() * width;
    let taps: [_; TAPS] = std::array::from_fn(|tap| stored.slice((tap * c_in + channels.start) * width, len));
    let mut planes = out.chunks_mut(plane);
    let planes: [&mut [f32]; ROUND_POSITIONS] =
        std::array::from_fn(|_| &mut planes.next().expect("a plane for each position")[..len]);
    for index in (0..len).step_by(LANES) {
        let mut lines = [[[0.0; LANES]; 3]; 2];
        for x in 0..3 {
            let mut g = [[0.0; LANES]; 3];
            for (y, lane) in g.iter_mut().enumerate() {
                // SAFETY: with `F16C` set on x86-64, `transform_kernels` is compiled for it and chosen by an `Isa`.
                *lane = unsafe { taps[y * 3 + x].lane::<F16C>(index) };
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
                if counts(x, doubled) {
                    planes[y * IN + x][index..index + LANES].copy_from_slice(lane);
                }
            }
        }
    }
}
