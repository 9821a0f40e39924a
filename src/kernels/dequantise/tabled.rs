//! Blocks of numbers of a table's values.

use super::columns::{halves, per_column};

/// The values of `iq4` by their numbers.
const TABLE: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Values by the lower four bits of their numbers.
///
/// # Safety
/// As [`iq4_nl`].
#[inline(always)]
unsafe fn values_of<const W: usize, const AVX2: bool>(numbers: [u8; W]) -> [i8; W] {
    let mut values = [0; W];
    #[cfg(target_arch = "x86_64")]
    if AVX2 && W.is_multiple_of(16) {
        use std::arch::x86_64::{_mm_loadu_si128, _mm_shuffle_epi8, _mm_storeu_si128};
        for (numbers, values) in numbers.as_chunks::<16>().0.iter().zip(values.as_chunks_mut::<16>().0) {
            // SAFETY: each is an array of sixteen bytes; the caller promises the instructions.
            unsafe {
                let table = _mm_loadu_si128(TABLE.as_ptr().cast());
                let numbers = _mm_loadu_si128(numbers.as_ptr().cast());
                _mm_storeu_si128(values.as_mut_ptr().cast(), _mm_shuffle_epi8(table, numbers));
            }
        }
        return values;
    }
    for n in 0..W {
        values[n] = TABLE[usize::from(numbers[n])];
    }
    values
}

/// Thirty-two values of sixteen bytes: byte `k` holds value `k` below and value `k + 16` above.
///
/// # Safety
/// As [`iq4_nl`].
#[inline(always)]
unsafe fn part<const W: usize, const AVX2: bool>(
    bytes: &[[u8; W]],
    scale: &[f32; W],
    out: &mut [[f32; W]; 32],
) {
    for (k, bytes) in bytes.iter().enumerate().take(16) {
        let (mut below, mut above) = ([0; W], [0; W]);
        for n in 0..W {
            below[n] = bytes[n] & 15;
            above[n] = bytes[n] >> 4;
        }
        // SAFETY: the caller's promise.
        let (below, above) = unsafe { (values_of::<W, AVX2>(below), values_of::<W, AVX2>(above)) };
        out[k] = per_column(|n| scale[n] * f32::from(below[n]));
        out[k + 16] = per_column(|n| scale[n] * f32::from(above[n]));
    }
}

/// # Safety
/// With `AVX2`, on x86-64, the caller is compiled for its instructions and runs on a processor that has them.
#[inline(always)]
pub(super) unsafe fn iq4_nl<const W: usize, const AVX2: bool>(
    block: &[[u8; W]; 18],
    out: &mut [[f32; W]; 32],
) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    // SAFETY: the caller's promise.
    unsafe { part::<W, AVX2>(&block[2..], &d, out) }
}

/// # Safety
/// As [`iq4_nl`].
#[inline(always)]
pub(super) unsafe fn iq4_xs<const W: usize, const AVX2: bool>(
    block: &[[u8; W]; 136],
    out: &mut [[f32; W]; 256],
) {
    let d: [f32; W] = halves([&block[0], &block[1]]);
    for (number, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
        let scale: [f32; W] = per_column(|n| {
            let low = block[4 + number / 2][n] >> (number % 2 * 4) & 15;
            let high = block[2 + number / 4][n] >> (number % 4 * 2) & 3;
            d[n] * f32::from((low | high << 4).cast_signed() - 32)
        });
        // SAFETY: the caller's promise.
        unsafe { part::<W, AVX2>(&block[8 + 16 * number..], &scale, out) }
    }
}
