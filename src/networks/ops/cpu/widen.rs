//! 16-bit values as f32 values, which hold them exactly.

use super::simd::multiversioned;
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};

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
pub(super) fn widen_f16(bits: &[u16], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if level() >= Level::Avx2 && is_x86_feature_detected!("f16c") {
        #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
        // SAFETY: they were found on this processor.
        unsafe {
            widen_f16_at_once(bits, out);
        }
        return;
    }
    widen_f16_in_steps(bits, out);
}

/// Eight values by one instruction.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx,f16c")]
fn widen_f16_at_once(bits: &[u16], out: &mut [f32]) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};
    let ((eights, rest), (wide, wide_rest)) = (bits.as_chunks::<8>(), out.as_chunks_mut::<8>());
    for (eight, wide) in eights.iter().zip(wide) {
        #[expect(unsafe_code, reason = "loads and stores of vectors take pointers")]
        // SAFETY: each is an array of eight values.
        unsafe {
            _mm256_storeu_ps(wide.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(eight.as_ptr().cast())));
        }
    }
    for (out, bits) in wide_rest.iter_mut().zip(rest) {
        *out = f16_value(*bits);
    }
}

multiversioned! {
    fn widen_f16_in_steps(bits: &[u16], out: &mut [f32]) {
        for (out, bits) in out.iter_mut().zip(bits) {
            *out = f16_value(*bits);
        }
    }
}

multiversioned! {
    /// bf16 values from their bits.
    pub(super) fn widen_bf16(bits: &[u16], out: &mut [f32]) {
        for (out, bits) in out.iter_mut().zip(bits) {
            *out = f32::from_bits(u32::from(*bits) << 16);
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
        let mut found = vec![0.0; bits.len()];
        for widen in [widen_f16, widen_f16_in_steps] {
            found.fill(0.0);
            widen(&bits, &mut found);
            for (bits, found) in bits.iter().zip(&found) {
                let wanted = f16::from_bits(*bits).to_f32();
                let same = found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan();
                assert!(same, "{bits:#06x}: {found} for {wanted}");
            }
        }
    }
}
