//! Formats whose values stand alone: f32, f16 and bf16, each of which f32 holds exactly.

use super::super::isa::multiversioned;

/// Values decoded together: a vector of AVX-512, several of narrower instruction sets.
pub(in super::super) const LANES: usize = 16;

pub(in super::super) type Lane = [f32; LANES];

/// The first values.
#[inline(always)]
pub(in super::super) fn lane(values: &[f32]) -> Lane {
    let mut lane = [0.0; LANES];
    lane.copy_from_slice(&values[..LANES]);
    lane
}

/// Values in a stored format that need no block's scale: any of them can be decoded alone.
pub(in super::super) trait StoredValues: Copy {
    /// `len` values from `first` on.
    fn slice(self, first: usize, len: usize) -> Self;

    /// [`LANES`] values from `index` on.
    ///
    /// # Safety
    /// With `F16C`, the caller is compiled for that instruction and runs on a processor that has it.
    unsafe fn lane<const F16C: bool>(self, index: usize) -> Lane;
}

/// f32 values as they are.
#[derive(Clone, Copy)]
pub(in super::super) struct F32<'a>(pub(in super::super) &'a [f32]);

/// The bits of f16 values.
#[derive(Clone, Copy)]
pub(in super::super) struct F16<'a>(pub(in super::super) &'a [u16]);

/// The bits of bf16 values.
#[derive(Clone, Copy)]
pub(in super::super) struct Bf16<'a>(pub(in super::super) &'a [u16]);

/// The bits from `index` on.
#[inline(always)]
fn bits_of(values: &[u16], index: usize) -> [u16; LANES] {
    let mut bits = [0; LANES];
    bits.copy_from_slice(&values[index..index + LANES]);
    bits
}

impl StoredValues for F32<'_> {
    #[inline(always)]
    fn slice(self, first: usize, len: usize) -> Self {
        Self(&self.0[first..][..len])
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, index: usize) -> Lane {
        lane(&self.0[index..index + LANES])
    }
}

impl StoredValues for F16<'_> {
    #[inline(always)]
    fn slice(self, first: usize, len: usize) -> Self {
        Self(&self.0[first..][..len])
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, index: usize) -> Lane {
        // SAFETY: the caller promises the instruction.
        unsafe { f16_lane::<F16C>(&bits_of(self.0, index)) }
    }
}

impl StoredValues for Bf16<'_> {
    #[inline(always)]
    fn slice(self, first: usize, len: usize) -> Self {
        Self(&self.0[first..][..len])
    }

    #[inline(always)]
    unsafe fn lane<const F16C: bool>(self, index: usize) -> Lane {
        bits_of(self.0, index).map(bf16_value)
    }
}

/// An f16 value from its bits (IEEE 754's binary16), in a form that compilers vectorise.
#[inline(always)]
pub(super) fn f16_value(bits: u16) -> f32 {
    /// The exponents' bias differs by 112.
    const BIAS: u32 = 112 << 23;
    /// The exponent of infinities and NaN, in f32's place.
    const LAST: u32 = 31 << 23;
    let magnitude = u32::from(bits & 0x7fff) << 13;
    let sign = u32::from(bits & 0x8000) << 16;
    // Subnormal numbers: as if the leading one were there, and without it again.
    let small = f32::from_bits(magnitude + BIAS + (1 << 23)) - f32::from_bits(BIAS + (1 << 23));
    let normal = magnitude + if magnitude >= LAST { 2 * BIAS } else { BIAS };
    f32::from_bits(sign | if magnitude < 1 << 23 { small.to_bits() } else { normal })
}

/// f16 values from their bits.
///
/// # Safety
/// With `F16C`, the caller is compiled for that instruction and runs on a processor that has it.
#[inline(always)]
unsafe fn f16_lane<const F16C: bool>(bits: &[u16; LANES]) -> Lane {
    let mut values = [0.0; LANES];
    #[cfg(target_arch = "x86_64")]
    if F16C {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};
        let halves = bits.as_chunks::<8>().0.iter().zip(values.as_chunks_mut::<8>().0);
        for (bits, values) in halves {
            // SAFETY: each is an array of eight values; the caller promises the instruction.
            unsafe {
                _mm256_storeu_ps(values.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(bits.as_ptr().cast())));
            }
        }
        return values;
    }
    for (value, bits) in values.iter_mut().zip(bits) {
        *value = f16_value(*bits);
    }
    values
}

multiversioned! {
    /// f16 values from their bits.
    pub(in super::super) fn decode_f16<const FMA: bool>(isa: Isa, bits: &[u16], out: &mut [f32]) {
        let ((lanes, rest), (out, out_rest)) = (bits.as_chunks(), out.as_chunks_mut());
        for (bits, out) in lanes.iter().zip(out) {
            // SAFETY: this body is compiled for F16C where `FMA` is set on x86-64, and chosen by an `Isa` that has it.
            *out = unsafe { f16_lane::<FMA>(bits) };
        }
        for (bits, out) in rest.iter().zip(out_rest) {
            *out = f16_value(*bits);
        }
    }
}

/// A bf16 value from its bits.
#[inline(always)]
fn bf16_value(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

multiversioned! {
    /// bf16 values from their bits.
    pub(in super::super) fn decode_bf16(isa: Isa, bits: &[u16], out: &mut [f32]) {
        for (out, bits) in out.iter_mut().zip(bits) {
            *out = bf16_value(*bits);
        }
    }
}

/// The bits of the nearest bf16 value, ties to even; NaN stays NaN.
#[inline(always)]
pub(in super::super) fn bf16_bits(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() { (bits >> 16) | 0x40 } else { nearest }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::super::super::Isa;
    use super::*;

    #[test]
    fn every_f16_and_bf16_value_is_decoded_exactly() {
        let bits: Vec<u16> = (0..=u16::MAX).collect();
        for isa in Isa::available() {
            let mut found = [vec![0.0; bits.len()], vec![0.0; bits.len()]];
            decode_f16(isa, &bits, &mut found[0]);
            decode_bf16(isa, &bits, &mut found[1]);
            for (i, bits) in bits.iter().enumerate() {
                let wanted = [f16::from_bits(*bits).to_f32(), bf16::from_bits(*bits).to_f32()];
                for (found, wanted) in found.iter().zip(wanted) {
                    let same = found[i].to_bits() == wanted.to_bits() || found[i].is_nan() && wanted.is_nan();
                    assert!(same, "{isa:?} {bits:#06x}: {} for {wanted}", found[i]);
                }
            }
        }
    }

    #[test]
    fn values_are_rounded_to_the_nearest_bf16_value() {
        for x in
            [0.0, -0.0, 1.0, 1.003_906_3, 1.011_718_8, -3.171_592_7, 1e38, f32::MAX, f32::INFINITY, 1e-40]
        {
            assert_eq!(bf16_bits(x), u32::from(bf16::from_f32(x).to_bits()), "{x}");
        }
        assert!(bf16_value(bf16_bits(f32::NAN) as u16).is_nan());
    }
}
