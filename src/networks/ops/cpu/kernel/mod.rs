//! The innermost loops of matrix products: a few rows times a panel of packed columns, in registers.
//!
//! Left rows are read where they lie, one value broadcast at a time; the right matrix comes in panels
//! of up to [`PANEL`] columns, each row of a panel next to the one before. Sums stay in registers for
//! the whole depth: 12 rows × 32 columns with AVX-512 (24 of 32 registers), 6 × 16 with AVX2, 5 × 16 with NEON.

use super::prefetch::first_level;
use super::simd::{Level, level};
#[cfg(target_arch = "aarch64")]
use neon as baseline;
#[cfg(not(target_arch = "aarch64"))]
use portable as baseline;
#[cfg(target_arch = "x86_64")]
use x86::{avx2, avx512, avx512_eight, bf16, bf16_eight};

/// Columns of a full panel.
pub(super) const PANEL: usize = 32;
/// Columns of the last panel where 16 are enough.
pub(super) const HALF_PANEL: usize = 16;
/// So few columns, a picture's channels or the last of heads of 40 in pairs, take half the time with vectors of eight where
/// wider ones are computed in two halves (Zen 4).
#[cfg(target_arch = "x86_64")]
const EIGHT: usize = 8;
/// Depths multiplied one after another: each left row has a register of its own for its place, and all of them are moved on
/// once for so many.
const AT_ONCE: usize = 4;
/// Most rows whose sums registers hold, on any processor.
pub(super) const ROWS: usize = 12;

/// One tile, or several under each other: `rows × columns` results of a product. Pointers, because rows of the left matrix may
/// overlap (convolutions) and tiles of one result are written by several threads.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// First value of the first left row.
    pub(super) lhs: *const f32,
    /// Values from one left row to the next.
    pub(super) row_stride: usize,
    /// Each row is `segments` runs of `depth` values, `segment_stride` apart.
    pub(super) segments: usize,
    pub(super) segment_stride: usize,
    pub(super) depth: usize,
    /// `[segments · depth, panel_width]`.
    pub(super) panel: *const f32,
    pub(super) panel_width: usize,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
    pub(super) rows: usize,
    /// With tile registers, how many of them are neighbours of the first, and how far the next one is from it.
    pub(super) upper: usize,
    pub(super) lower: usize,
    /// Columns of the panel that are part of the result.
    pub(super) columns: usize,
    /// Whether what is in `out` is added.
    pub(super) accumulate: bool,
    /// Null, or `panel_width` values added to each row.
    pub(super) bias: *const f32,
    /// Null, or values added, with `out_stride`.
    pub(super) residual: *const f32,
    /// Whether `lhs` and `panel` hold pairs of bf16 values, depth by depth, in place of f32 values:
    /// only where [`super::bf16::is_available`].
    pub(super) pairs: bool,
    /// Where the low parts of split values lie, from the high ones: zero if there are none. Only with tile registers.
    pub(super) lhs_low: usize,
    pub(super) panel_low: usize,
}

/// Computes a tile with the widest instructions of this processor.
///
/// Segments are computed one after another, each added to those before: with a loop over them around the one over depths,
/// compilers would have the sums leave their registers after it.
///
/// # Safety
/// `lhs` must be readable at `r · row_stride + s · segment_stride + k` for every row, segment and
/// depth; `panel` in full; `bias`, if not null, for `panel_width` values; `out` and `residual` (if not
/// null) at `r · out_stride + c` for every row and column, and nobody else may use those of `out`.
/// `panel_width` is [`PANEL`] or [`HALF_PANEL`].
#[expect(unsafe_code, reason = "tiles are pointers, and instructions are chosen at run time")]
pub(super) unsafe fn compute(tile: &Tile) {
    if tile.segments == 1 {
        // Without a part of its own, whose copy takes a hundredth of a small tile's time.
        // SAFETY: the caller's promise.
        return unsafe { compute_segment(tile) };
    }
    for segment in 0..tile.segments {
        let (is_first, is_last) = (segment == 0, segment + 1 == tile.segments);
        let part = Tile {
            lhs: tile.lhs.wrapping_add(segment * tile.segment_stride),
            panel: tile.panel.wrapping_add(segment * tile.depth * tile.panel_width),
            accumulate: tile.accumulate || !is_first,
            bias: if is_last { tile.bias } else { std::ptr::null() },
            residual: if is_last { tile.residual } else { std::ptr::null() },
            ..*tile
        };
        // SAFETY: a part of what the caller promised.
        unsafe { compute_segment(&part) }
    }
}

/// Computes one segment of a tile.
///
/// # Safety
/// See [`compute`].
#[expect(unsafe_code, reason = "see `compute`")]
unsafe fn compute_segment(tile: &Tile) {
    debug_assert!(tile.columns <= tile.panel_width);
    debug_assert!(tile.lhs_low == 0 && tile.panel_low == 0);
    debug_assert!(cfg!(target_arch = "x86_64") || !tile.pairs);
    #[cfg(target_arch = "x86_64")]
    if tile.pairs {
        // SAFETY: pairs are packed only where the processor multiplies them; the rest is the caller's
        // promise.
        return unsafe {
            if tile.columns <= EIGHT { bf16_eight::compute(tile) } else { bf16::compute(tile) }
        };
    }
    match level() {
        // SAFETY: `level` found the instructions on this processor; the rest is the caller's promise.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Amx if tile.columns <= EIGHT => unsafe { avx512_eight::compute(tile) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Amx => unsafe { avx512::compute(tile) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2::compute(tile) },
        // SAFETY: the caller's promise.
        Level::Baseline => unsafe { baseline::compute(tile) },
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
        /// See [`super::compute_segment`].
        $(#[$feature])*
        #[expect(unsafe_code, reason = "tiles are pointers")]
        pub(in super::super) unsafe fn compute(tile: &Tile) {
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
                    // SAFETY: rows `first..first + rows` and the columns from `column` are the caller's, and a panel, of 16
                    // or 32 columns, has all of a vector's if it has one.
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
        $(#[$feature])*
        #[expect(unsafe_code, reason = "tiles are pointers")]
        // SAFETY: called by `compute` above for rows and columns inside the tile.
        unsafe fn some_rows<const NV: usize, const WIDTH: usize>(
            tile: &Tile,
            rows: usize,
            first: usize,
            column: usize,
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                match rows {
                    $($count => columns::<$count, NV, WIDTH>(tile, first, column),)*
                    _ => unreachable!("a tile of {rows} rows"),
                }
            }
        }

        /// Adds the products of `MR` rows and `NV` vectors of columns for `COUNT` depths, one after another.
        $(#[$feature])*
        #[inline]
        #[expect(unsafe_code, reason = "reads through pointers")]
        // SAFETY: called by `columns` below for places inside its tile.
        unsafe fn add_products<const MR: usize, const NV: usize, const WIDTH: usize, const COUNT: usize>(
            sums: &mut [[$vector; NV]; MR],
            lhs: *const f32,
            row_stride: usize,
            panel: *const f32,
        ) {
            // SAFETY: the caller's promise.
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
        $(#[$feature])*
        #[inline]
        #[expect(unsafe_code, reason = "reads and writes through the tile's pointers")]
        // SAFETY: called by `some_rows` above for rows and columns inside the tile.
        unsafe fn columns<const MR: usize, const NV: usize, const WIDTH: usize>(
            tile: &Tile,
            first: usize,
            column: usize,
        ) {
            let mut sums: [[$vector; NV]; MR] = [[$zero(); NV]; MR];
            // The sums of earlier passes would be waited for at the end.
            if tile.accumulate {
                for i in 0..MR {
                    first_level(tile.out.wrapping_add((first + i) * tile.out_stride + column));
                }
            }
            // SAFETY: every access is at a row, segment, depth and column of the tile; whole vectors of
            // `out` and `residual` only where all their columns are part of the result.
            unsafe {
                let mut panel = tile.panel.add(column);
                let mut lhs = tile.lhs.add(first * tile.row_stride);
                for _ in 0..tile.depth / AT_ONCE {
                    add_products::<MR, NV, WIDTH, AT_ONCE>(&mut sums, lhs, tile.row_stride, panel);
                    panel = panel.add(AT_ONCE * WIDTH);
                    lhs = lhs.add(AT_ONCE);
                }
                for _ in 0..tile.depth % AT_ONCE {
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
