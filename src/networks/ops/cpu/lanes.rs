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
    /// Weights of a row from a column on, in f32; rows are `width` long.
    ///
    /// # Safety
    /// With `F16C`, the caller is compiled for that instruction.
    #[expect(unsafe_code, reason = "an instruction the compiler cannot know to be there")]
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

/// The first bits.
#[inline(always)]
fn bits(values: &[u16]) -> [u16; LANES] {
    let mut bits = [0; LANES];
    bits.copy_from_slice(&values[..LANES]);
    bits
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for F32<'_> {
    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        lane(&self.0[row * width + column..])
    }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for F16<'_> {
    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        // SAFETY: the caller's promise.
        unsafe { f16_lane::<F16C>(&bits(&self.0[row * width + column..])) }
    }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for Bf16<'_> {
    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        let bits = bits(&self.0[row * width + column..]);
        let mut lane = [0.0; LANES];
        for l in 0..LANES {
            lane[l] = bf16_value(bits[l]);
        }
        lane
    }
}

#[expect(unsafe_code, reason = "see the trait")]
impl StoredRows for Pairs<'_> {
    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, width: usize, row: usize, column: usize) -> Lane {
        let mut lane = lane(&self.0[row / 2 * width + column..]);
        for value in &mut lane {
            let [even, odd] = unpaired(*value);
            *value = if row.is_multiple_of(2) { even } else { odd };
        }
        lane
    }
}
