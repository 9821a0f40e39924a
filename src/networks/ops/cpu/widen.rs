//! 16-bit values as f32 values, which hold them exactly.

use super::lanes::{LANES, Lane};
use super::simd::multiversioned;

/// An f16 value from its bits: IEEE 754's binary16, in a form compilers vectorise.
#[inline(always)]
fn f16_value(bits: u16) -> f32 {
    /// The exponents' bias differs by 112.
    const BIAS: u32 = 112 << 23;
    /// The exponent of infinities and of what is not a number, in f32's place.
    const LAST: u32 = 31 << 23;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let sign = u32::from(bits & 0x8000) << 16;
    // Below the smallest normal number: as if the leading one were there, and without it again.
    let small = f32::from_bits(magnitude + BIAS + (1 << 23)) - f32::from_bits(BIAS + (1 << 23));
    let normal = magnitude + if magnitude >= LAST { 2 * BIAS } else { BIAS };
    f32::from_bits(sign | if magnitude < 1 << 23 { small.to_bits() } else { normal })
}

/// f16 values from their bits.
///
/// # Safety
/// With `F16C`, the caller is compiled for that instruction.
#[inline(always)]
#[expect(unsafe_code, reason = "an instruction the compiler cannot know to be there")]
pub(super) unsafe fn f16_lane<const F16C: bool>(bits: &[u16; LANES]) -> Lane {
    let mut wide = [0.0; LANES];
    #[cfg(target_arch = "x86_64")]
    if F16C {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};
        let eights = bits.as_chunks::<8>().0.iter().zip(wide.as_chunks_mut::<8>().0);
        for (bits, wide) in eights {
            // SAFETY: each is an array of eight values; the instruction is the caller's promise.
            unsafe {
                _mm256_storeu_ps(wide.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(bits.as_ptr().cast())));
            }
        }
        return wide;
    }
    for (wide, bits) in wide.iter_mut().zip(bits) {
        *wide = f16_value(*bits);
    }
    wide
}

multiversioned! {
    /// f16 values from their bits.
    pub(super) fn widen_f16<const FMA: bool>(bits: &[u16], out: &mut [f32]) {
        let ((lanes, rest), (wide, wide_rest)) = (bits.as_chunks(), out.as_chunks_mut());
        for (bits, wide) in lanes.iter().zip(wide) {
            #[expect(unsafe_code, reason = "see `f16_lane`")]
            // SAFETY: with FMA there is F16C on x86-64; elsewhere it is not asked for.
            unsafe {
                *wide = f16_lane::<FMA>(bits);
            }
        }
        for (bits, out) in rest.iter().zip(wide_rest) {
            *out = f16_value(*bits);
        }
    }
}

/// bf16 values from their bits.
#[inline(always)]
pub(super) fn bf16_value(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

multiversioned! {
    /// bf16 values from their bits.
    pub(super) fn widen_bf16(bits: &[u16], out: &mut [f32]) {
        for (out, bits) in out.iter_mut().zip(bits) {
            *out = bf16_value(*bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn every_f16_value_is_widened_exactly() {
        let bits: Vec<u16> = (0..=u16::MAX).collect();
        let mut at_once = vec![0.0; bits.len()];
        widen_f16(&bits, &mut at_once);
        #[expect(unsafe_code, reason = "see `f16_lane`")]
        // SAFETY: no instruction is asked for.
        let in_steps = bits.as_chunks().0.iter().flat_map(|bits| unsafe { f16_lane::<false>(bits) });
        for ((bits, found), other) in bits.iter().zip(at_once).zip(in_steps) {
            let wanted = f16::from_bits(*bits).to_f32();
            for found in [found, other] {
                let same = found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan();
                assert!(same, "{bits:#06x}: {found} for {wanted}");
            }
        }
    }
}
