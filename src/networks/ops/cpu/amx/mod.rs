//! Products of tiles of bf16 values by AMX, sixteen times as many at once as AVX-512's of f32 values.
//!
//! A tile register holds 16 rows of 64 bytes. A left tile's rows are 16 pairs of bf16 values each, a right tile's rows
//! 16 columns of a pair each, as panels of pairs have them ([`super::bf16`]), a result's 16 sums in f32. Four results,
//! 32 rows and 32 columns together, stay in registers for the whole depth.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

#[cfg(not(target_arch = "x86_64"))]
mod absent;
#[cfg(target_arch = "x86_64")]
mod loops;
#[cfg(target_arch = "x86_64")]
mod tiles;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use absent::Tiles;
#[cfg(target_arch = "x86_64")]
pub(super) use tiles::{Tiles, is_available};

/// Rows of a tile, and pairs or columns of its rows.
pub(super) const EDGE: usize = 16;
/// Most rows of one call of [`Tiles::compute`].
pub(super) const ROWS: usize = 2 * EDGE;

/// Pairs of one pass: a panel of them leaves room in the first-level cache for the left rows.
pub(super) const PASS_DEPTH: usize = 160;
/// The same of split values: left rows and a panel of them, in two parts, stay in the first-level cache.
pub(super) const SPLIT_DEPTH: usize = 64;
/// Depths that are a multiple leave no rest.
pub(super) const DEPTH: usize = 32;

/// Whether products may use the tile registers.
pub(super) fn is_in_use() -> bool {
    super::simd::level().splits_values()
}
