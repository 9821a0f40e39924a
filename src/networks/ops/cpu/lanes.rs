//! Sixteen values at a time, of f32 values and of packed weights in the formats they are stored in.

use super::bf16::unpaired;
use super::widen::{bf16_value, f16_lane};

/// Values of a lane: a vector of AVX-512, several of narrower ones.
pub(super) const LANES: usize = 16;

pub(super) type Lane = [f32; LANES];

/// The first values.
#[inline(always)]
pub(super) fn lane(values: &[f32]) -> Lane {
    let mut lane = [0.0; LANES];
    lane.copy_from_slice(&values[..LANES]);
    lane
}

/// Rows of packed weights.
pub(super) trait StoredRows: Copy {
    /// Whole rows of a width.
    fn rows(self, width: usize) -> usize;

    /// Weights of a row from a column on, in f32; rows are `width` long.
    ///
    /// # Safety
    /// There are so many rows, and columns of the row. With `F16C`, the caller is compiled for that instruction.
    #[expect(unsafe_code, reason = "loops over many places that were checked at once, and an instruction")]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane;
}

#[derive(Clone, Copy)]
pub(super) struct F32<'a>(pub(super) &'a [f32]);

#[derive(Clone, Copy)]
pub(super) struct F16<'a>(pub(super) &'a [u16]);

#[derive(Clone, Copy)]
pub(super) struct Bf16<'a>(pub(super) &'a [u16]);

#[derive(Clone, Copy)]
pub(super) struct Pairs<'a>(pub(super) &'a [f32]);

/// The values from a place on.
///
/// # Safety
/// So many are there.
#[inline(always)]
#[expect(unsafe_code, reason = "where it is used")]
unsafe fn at<T: Copy>(values: &[T], first: usize) -> [T; LANES] {
    debug_assert!(first + LANES <= values.len());
    // SAFETY: the caller's promise.
    unsafe { values.as_ptr().add(first).cast::<[T; LANES]>().read() }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for F32<'_> {
    fn rows(self, width: usize) -> usize {
        self.0.len() / width
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        // SAFETY: the caller's promise.
        unsafe { at(self.0, row * width + column) }
    }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for F16<'_> {
    fn rows(self, width: usize) -> usize {
        self.0.len() / width
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        // SAFETY: the caller's promise.
        unsafe { f16_lane::<F16C>(&at(self.0, row * width + column)) }
    }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for Bf16<'_> {
    fn rows(self, width: usize) -> usize {
        self.0.len() / width
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        // SAFETY: the caller's promise.
        let bits = unsafe { at(self.0, row * width + column) };
        let mut lane = [0.0; LANES];
        for l in 0..LANES {
            lane[l] = bf16_value(bits[l]);
        }
        lane
    }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for Pairs<'_> {
    fn rows(self, width: usize) -> usize {
        self.0.len() / width * 2
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        // SAFETY: the caller's promise.
        let mut lane = unsafe { at(self.0, row / 2 * width + column) };
        for value in &mut lane {
            let [even, odd] = unpaired(*value);
            *value = if row.is_multiple_of(2) { even } else { odd };
        }
        lane
    }
}
