//! Micro-kernels: a register tile, some LHS rows times a panel of the RHS.
//!
//! LHS rows are read where they lie, one slot broadcast at a time; the RHS comes in panels of up to [`PANEL`] columns, each
//! row of a panel next to the one before. Sums stay in registers for the whole depth: 12 rows × 32 columns with AVX-512
//! (24 of 32 registers), 6 × 16 with AVX2, 5 × 16 with NEON.

#[cfg(target_arch = "aarch64")]
use neon as baseline;
#[cfg(not(target_arch = "aarch64"))]
use portable as baseline;

use super::super::isa::{Isa, Level};
use super::operand_format::{OperandFormat, PANEL};
use super::prefetch::to_l1;

/// Columns of the last panel where 16 are enough.
pub(super) const HALF_PANEL: usize = 16;
/// Most rows whose sums registers hold, on any processor.
pub(super) const ROWS: usize = 12;
/// Depths of the unrolled loop: each LHS row has a register of its own for its place, and all are moved on once for them.
const UNROLL: usize = 4;

/// A register tile, or several below each other: `rows × columns` results of a product. Pointers, because LHS rows may
/// overlap (convolutions) and tiles of one result are written by several threads.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// First slot of the first LHS row.
    pub(super) lhs: *const f32,
    /// Slots from one LHS row to the next.
    pub(super) row_stride: usize,
    /// Each row is `segments` runs of `depth` slots, `segment_stride` apart.
    pub(super) segments: usize,
    pub(super) segment_stride: usize,
    pub(super) depth: usize,
    /// `[segments · depth, panel_width]`.
    pub(super) panel: *const f32,
    /// [`PANEL`] or [`HALF_PANEL`].
    pub(super) panel_width: usize,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
    pub(super) rows: usize,
    /// Columns of the panel that are part of the result.
    pub(super) columns: usize,
    /// Whether the content of `out` is added.
    pub(super) accumulate: bool,
    /// Null, or `panel_width` values added to each row.
    pub(super) bias: *const f32,
    /// Null, or values added, with `out_stride`.
    pub(super) residual: *const f32,
}

/// The micro-kernel of an instruction set for operands of a format.
#[derive(Clone, Copy)]
pub(in super::super) struct MicroKernel {
    format: OperandFormat,
    /// Computes one segment of a tile; see [`Self::compute`].
    compute: unsafe fn(&Tile),
}

impl MicroKernel {
    /// # Panics
    /// If the instruction set does not multiply pairs of bf16 values and the format is that.
    pub(in super::super) fn new(isa: Isa, format: OperandFormat) -> Self {
        let compute: unsafe fn(&Tile) = match (format, isa.level()) {
            #[cfg(target_arch = "x86_64")]
            (OperandFormat::Bf16Pairs, Level::Avx512Bf16) => x86::avx512_bf16::compute,
            (OperandFormat::Bf16Pairs, _) => panic!("{isa:?} does not multiply bf16 values"),
            #[cfg(target_arch = "x86_64")]
            (OperandFormat::F32, Level::Avx512 | Level::Avx512Bf16) => x86::avx512::compute,
            #[cfg(target_arch = "x86_64")]
            (OperandFormat::F32, Level::Avx2) => x86::avx2::compute,
            (OperandFormat::F32, Level::Baseline) => baseline::compute,
        };
        Self { format, compute }
    }

    pub(in super::super) fn format(self) -> OperandFormat {
        self.format
    }

    /// Computes a tile.
    ///
    /// Segments are computed one after another, each added to those before: with a loop over them around the one over
    /// depths, compilers would move the sums out of their registers.
    ///
    /// # Safety
    /// `lhs` must be readable at `r · row_stride + s · segment_stride + k` for every row, segment and depth; `panel` in
    /// full; `bias`, if not null, for `panel_width` values; `out` (with `accumulate`) and `residual` (if not null) at
    /// `r · out_stride + c` for every row and column. `out` must be writable there, and nobody else may use those values.
    /// `panel_width` is [`PANEL`] or [`HALF_PANEL`]. Slots are in this kernel's format.
    pub(super) unsafe fn compute(self, tile: &Tile) {
        if tile.segments == 1 {
            // Without a copy of the tile, which takes a hundredth of a small one's time.
            // SAFETY: the caller's promise; `new` found the function's instructions on this processor.
            return unsafe { (self.compute)(tile) };
        }
        for segment in 0..tile.segments {
            let (is_first, is_last) = (segment == 0, segment + 1 == tile.segments);
            let part = Tile {
                segments: 1,
                lhs: tile.lhs.wrapping_add(segment * tile.segment_stride),
                panel: tile.panel.wrapping_add(segment * tile.depth * tile.panel_width),
                accumulate: tile.accumulate || !is_first,
                bias: if is_last { tile.bias } else { std::ptr::null() },
                residual: if is_last { tile.residual } else { std::ptr::null() },
                ..*tile
            };
            // SAFETY: a segment of the tile that the caller promised; what earlier segments wrote may be read.
            unsafe { (self.compute)(&part) }
        }
    }

    /// `out = lhs · panel`, or added to `out`, in one pass on this thread: the checks of a whole GEMM would take a tenth
    /// of such a small product's time. `lhs`: `rows` rows of the panel's depth, `row_stride` apart, in slots.
    pub(in super::super) fn multiply_panel(
        self,
        (lhs, rows, row_stride): (&[f32], usize, usize),
        panel: PanelView<'_>,
        accumulate: bool,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let PanelView { slots, width, columns } = panel;
        let depth = slots.len() / width;
        assert!(width == PANEL || width == HALF_PANEL, "a panel");
        assert!(columns <= width && columns <= out_stride, "a panel's columns");
        if rows == 0 {
            return;
        }
        assert!((rows - 1) * row_stride + depth <= lhs.len(), "a product reads outside its rows");
        assert!((rows - 1) * out_stride + columns <= out.len(), "a product's result is too short");
        let tile = Tile {
            lhs: lhs.as_ptr(),
            row_stride,
            segments: 1,
            segment_stride: 0,
            depth,
            panel: slots.as_ptr(),
            panel_width: width,
            out: out.as_mut_ptr(),
            out_stride,
            rows,
            columns,
            accumulate,
            bias: std::ptr::null(),
            residual: std::ptr::null(),
        };
        // SAFETY: the last row, the panel and the last result lie inside their slices, as asserted; `out` is borrowed.
        unsafe { self.compute(&tile) }
    }
}

/// A panel of an RHS, `[depth, width]` slots.
#[derive(Clone, Copy)]
pub(in super::super) struct PanelView<'a> {
    pub(in super::super) slots: &'a [f32],
    /// [`PANEL`] or [`HALF_PANEL`].
    pub(in super::super) width: usize,
    /// Those that are part of the result.
    pub(in super::super) columns: usize,
}

impl<'a> PanelView<'a> {
    /// A full panel.
    pub(in super::super) fn full(rows: &'a [[f32; PANEL]]) -> Self {
        Self { slots: rows.as_flattened(), width: PANEL, columns: PANEL }
    }
}

/// A loop over constants, written out: the sums stay in registers only if they are never indexed by
/// a variable, and compilers do not unroll loops of this size by themselves.
macro_rules! unrolled {
    ($index:ident < $end:ident, $body:block) => {
        unrolled!(@ $index $end $body 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $index:ident $end:ident $body:block $($number:literal)*) => {
        $(if $number < $end {
            let $index: usize = $number;
            $body
        })*
    };
}

/// Defines `compute` over vectors of one kind, some of them side by side: the `shapes`, numbers of vectors of a panel's
/// width, the most first. Tiles of more rows than `$rows`, or more columns, are computed in pieces.
macro_rules! kernels {
    ($(#[$feature:meta])* $vector:ty, lanes $lanes:literal, rows $rows:literal,
     shapes [$(($vectors:literal, $width:ident))*],
     zero $zero:path, load $load:path, splat $splat:path, fma $fma:path, add $add:path, store $store:path,
     counts [$($count:literal)*]) => {
        /// Computes a tile of one segment.
        ///
        /// # Safety
        /// As [`MicroKernel::compute`](super::MicroKernel::compute); the processor has the instructions.
        $(#[$feature])*
        pub(in super::super) unsafe fn compute(tile: &Tile) {
            debug_assert!(tile.columns <= tile.panel_width && tile.segments == 1);
            // Most tiles are of one piece, and a division takes as long as the rest of this.
            let (pieces, least, longer) = if tile.rows <= $rows {
                (1, tile.rows, 0)
            } else {
                let pieces = tile.rows.div_ceil($rows);
                (pieces, tile.rows / pieces, tile.rows % pieces)
            };
            let mut first = 0;
            for piece in 0..pieces {
                let rows = least + usize::from(piece < longer);
                let mut column = 0;
                while column < tile.columns {
                    // The most vectors of which the last has work.
                    let shapes = [$(($vectors, $width)),*];
                    let fits = |(vectors, width): &(usize, usize)| {
                        *width == tile.panel_width && tile.columns - column > (vectors - 1) * $lanes
                    };
                    let shape = shapes.into_iter().find(fits);
                    // SAFETY: rows `first..first + rows` and the columns from `column` are inside the caller's tile, and a
                    // panel of 16 or 32 columns has all columns of a vector if it has one.
                    unsafe {
                        match shape {
                            $(Some(($vectors, $width)) => some_rows::<$vectors, $width>(tile, rows, first, column),)*
                            _ => unreachable!("a panel of {} columns", tile.panel_width),
                        }
                    }
                    column += shape.map_or(0, |(vectors, _)| vectors * $lanes);
                }
                first += rows;
            }
        }

        /// `rows` rows from `first` times `NV` vectors of columns from `column`, of a panel of `WIDTH`.
        ///
        /// # Safety
        /// As [`compute`], for rows and columns inside the tile.
        $(#[$feature])*
        unsafe fn some_rows<const NV: usize, const WIDTH: usize>(
            tile: &Tile,
            rows: usize,
            first: usize,
            column: usize,
        ) {
            // SAFETY: the caller's promise, with the number of rows as a constant.
            unsafe {
                match rows {
                    $($count => columns::<$count, NV, WIDTH>(tile, first, column),)*
                    _ => unreachable!("a tile of {rows} rows"),
                }
            }
        }

        /// Adds the products of `MR` rows and `NV` vectors of columns for `COUNT` depths, one after another.
        ///
        /// # Safety
        /// `lhs` must be readable at `i · row_stride + k` for `MR` rows and `COUNT` depths, `panel` for `NV` vectors at
        /// `k · WIDTH`.
        $(#[$feature])*
        #[inline]
        unsafe fn add_products<const MR: usize, const NV: usize, const WIDTH: usize, const COUNT: usize>(
            sums: &mut [[$vector; NV]; MR],
            lhs: *const f32,
            row_stride: usize,
            panel: *const f32,
        ) {
            // SAFETY: the caller promises every place that is read.
            unsafe {
                unrolled!(k < COUNT, {
                    let mut rhs = [$zero(); NV];
                    unrolled!(j < NV, { rhs[j] = $load(panel.add(k * WIDTH + j * $lanes)) });
                    unrolled!(i < MR, {
                        let value = $splat(*lhs.add(i * row_stride + k));
                        unrolled!(j < NV, { sums[i][j] = $fma(value, rhs[j], sums[i][j]) });
                    });
                });
            }
        }

        /// [`some_rows`] of `MR` rows.
        ///
        /// # Safety
        /// As [`compute`], for rows and columns inside the tile.
        $(#[$feature])*
        #[inline]
        unsafe fn columns<const MR: usize, const NV: usize, const WIDTH: usize>(
            tile: &Tile,
            first: usize,
            column: usize,
        ) {
            let mut sums: [[$vector; NV]; MR] = [[$zero(); NV]; MR];
            // The sums of earlier passes would be waited for at the end.
            if tile.accumulate {
                for i in 0..MR {
                    to_l1(tile.out.wrapping_add((first + i) * tile.out_stride + column));
                }
            }
            // SAFETY: every access is at a row, segment, depth and column of the tile; whole vectors of
            // `out` and `residual` only where all their columns are part of the result.
            unsafe {
                let mut panel = tile.panel.add(column);
                let mut lhs = tile.lhs.add(first * tile.row_stride);
                for _ in 0..tile.depth / UNROLL {
                    add_products::<MR, NV, WIDTH, UNROLL>(&mut sums, lhs, tile.row_stride, panel);
                    panel = panel.add(UNROLL * WIDTH);
                    lhs = lhs.add(UNROLL);
                }
                for _ in 0..tile.depth % UNROLL {
                    add_products::<MR, NV, WIDTH, 1>(&mut sums, lhs, tile.row_stride, panel);
                    panel = panel.add(WIDTH);
                    lhs = lhs.add(1);
                }
                let out = tile.out.add(first * tile.out_stride + column);
                let bias = tile.bias.wrapping_add(column);
                let residual = tile.residual.wrapping_add(first * tile.out_stride + column);
                let inside = tile.columns - column;
                // With one way for all, the jumps around what is not added would take a twentieth of a tile of depth 40.
                let is_alone = tile.bias.is_null() && tile.residual.is_null();
                if inside >= NV * $lanes && is_alone && !tile.accumulate {
                    unrolled!(i < MR, {
                        unrolled!(j < NV, { $store(out.add(i * tile.out_stride + j * $lanes), sums[i][j]) });
                    });
                } else if inside >= NV * $lanes && is_alone {
                    unrolled!(i < MR, {
                        unrolled!(j < NV, {
                            let to = out.add(i * tile.out_stride + j * $lanes);
                            $store(to, $add(sums[i][j], $load(to)));
                        });
                    });
                } else if inside >= NV * $lanes {
                    // Row by row: if all sums were changed at once, compilers would move them to memory in between.
                    unrolled!(i < MR, {
                        unrolled!(j < NV, {
                            let at = i * tile.out_stride + j * $lanes;
                            let mut sum = sums[i][j];
                            if !tile.bias.is_null() {
                                sum = $add(sum, $load(bias.add(j * $lanes)));
                            }
                            if tile.accumulate {
                                sum = $add(sum, $load(out.add(at)));
                            }
                            if !tile.residual.is_null() {
                                sum = $add(sum, $load(residual.add(at)));
                            }
                            $store(out.add(at), sum);
                        });
                    });
                } else {
                    let mut values = [[[0.0_f32; $lanes]; NV]; MR];
                    unrolled!(i < MR, {
                        unrolled!(j < NV, { $store(values[i][j].as_mut_ptr(), sums[i][j]) });
                    });
                    for (i, row) in values.iter().enumerate() {
                        for (c, value) in row.as_flattened().iter().enumerate().take(inside) {
                            let at = i * tile.out_stride + c;
                            let mut value = *value;
                            if !tile.bias.is_null() {
                                value += *bias.add(c);
                            }
                            if tile.accumulate {
                                value += *out.add(at);
                            }
                            if !tile.residual.is_null() {
                                value += *residual.add(at);
                            }
                            *out.add(at) = value;
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(target_arch = "aarch64"))]
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;
