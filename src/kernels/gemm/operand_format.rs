//! How the factors of a product lie for the micro-kernel.

use super::super::Precision;
use super::super::dequantise::bf16_bits;
use super::super::isa::{Isa, multiversioned};

/// Columns of a full panel of a right-hand side.
pub(in super::super) const PANEL: usize = 32;

/// The format of both operands of a micro-kernel. A value, or a pair of them, takes a **slot** of four bytes: packing and
/// blocking count slots and do not know the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum OperandFormat {
    /// A slot is an f32 value.
    F32,
    /// A slot is two neighbours along the depth as bf16 values, the even one in the low half.
    Bf16Pairs,
}

impl OperandFormat {
    /// The format of operands that are packed row by row.
    pub(in super::super) fn new(precision: Precision) -> Self {
        match precision {
            Precision::Full => Self::F32,
            Precision::Bf16 => Self::Bf16Pairs,
        }
    }

    /// The format of operands whose rows of `depth` values are packed all together: those of pairs begin at even values.
    pub(in super::super) fn for_depth(precision: Precision, depth: usize) -> Self {
        if depth.is_multiple_of(2) { Self::new(precision) } else { Self::F32 }
    }

    /// The slots of a row of `depth` values. An odd one gets a zero for its neighbour.
    pub(in super::super) fn slots(self, depth: usize) -> usize {
        match self {
            Self::F32 => depth,
            Self::Bf16Pairs => depth.div_ceil(2),
        }
    }

    /// Packs the values of one LHS row, one after another: [`Self::slots`] of them.
    pub(in super::super) fn pack_lhs_row(self, isa: Isa, row: &[f32], slots: &mut [f32]) {
        match self {
            Self::F32 => slots.copy_from_slice(row),
            Self::Bf16Pairs => {
                let (pairs, rest) = row.as_chunks::<2>();
                pair_neighbours(isa, pairs.as_flattened(), &mut slots[..pairs.len()]);
                if let ([last], Some(slot)) = (rest, slots.get_mut(pairs.len())) {
                    *slot = f32::from_bits(bf16_bits(*last));
                }
            }
        }
    }

    /// Packs an f32 panel of full width for the micro-kernel: as it lies, or in `buffer`.
    pub(in super::super) fn pack_panel<'a>(
        self,
        isa: Isa,
        panel: &'a [[f32; PANEL]],
        buffer: &'a mut Vec<[f32; PANEL]>,
    ) -> &'a [[f32; PANEL]] {
        match self {
            Self::F32 => panel,
            Self::Bf16Pairs => {
                buffer.resize(self.slots(panel.len()), [0.0; PANEL]);
                pair_rows(isa, panel.as_flattened(), PANEL, buffer.as_flattened_mut());
                buffer
            }
        }
    }
}

#[inline(always)]
fn pair(even: f32, odd: f32) -> f32 {
    f32::from_bits(bf16_bits(even) | (bf16_bits(odd) << 16))
}

multiversioned! {
    /// Each even value with the odd one after it.
    pub(super) fn pair_neighbours(isa: Isa, values: &[f32], pairs: &mut [f32]) {
        /// Values of two vectors, in a copy of their own so that compilers see no overlap.
        const UNROLL: usize = 32;
        let (values, rest) = values.as_chunks::<UNROLL>();
        let (whole, pairs_rest) = pairs.as_chunks_mut::<{ UNROLL / 2 }>();
        for (values, pairs) in values.iter().zip(whole) {
            for i in 0..UNROLL / 2 {
                pairs[i] = pair(values[2 * i], values[2 * i + 1]);
            }
        }
        for (values, out) in rest.as_chunks::<2>().0.iter().zip(pairs_rest) {
            *out = pair(values[0], values[1]);
        }
    }
}

/// Each value of an even row with the one below it; rows are `width` long, and zeros are below a last even one.
pub(super) fn pair_rows(isa: Isa, values: &[f32], width: usize, pairs: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if isa.multiplies_bf16() && width.is_multiple_of(x86::LANES) && values.len() == 2 * pairs.len() {
        // SAFETY: the instruction set that multiplies bf16 values has those that round to them.
        return unsafe { x86::pair_rows(values, width, pairs) };
    }
    pair_rows_by_bits(isa, values, width, pairs);
}

multiversioned! {
    fn pair_rows_by_bits(isa: Isa, values: &[f32], width: usize, pairs: &mut [f32]) {
        for (values, pairs) in values.chunks(2 * width).zip(pairs.chunks_exact_mut(width)) {
            let (even, odd) = values.split_at(width);
            if odd.is_empty() {
                for (even, out) in even.iter().zip(pairs) {
                    *out = pair(*even, 0.0);
                }
            } else {
                for ((even, odd), out) in even.iter().zip(odd).zip(pairs) {
                    *out = pair(*even, *odd);
                }
            }
        }
    }
}

/// Rounding in one instruction: a third of the time that it takes by bits. Subnormal values become zeros, as products of
/// pairs take them anyway.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16,
        _mm512_storeu_si512,
    };

    /// Values of a vector.
    pub(super) const LANES: usize = 16;

    /// Each of the lower half beside its partner of the upper half.
    const INTERLEAVED: [u16; 2 * LANES] = {
        let mut places = [0; 2 * LANES];
        let mut i = 0;
        while i < LANES {
            places[2 * i] = i as u16;
            places[2 * i + 1] = (i + LANES) as u16;
            i += 1;
        }
        places
    };

    /// [`super::pair_rows`] of an even number of rows of whole vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pair_rows(values: &[f32], width: usize, pairs: &mut [f32]) {
        // SAFETY: an array of the vector's size.
        let interleaved = unsafe { _mm512_loadu_si512(INTERLEAVED.as_ptr().cast()) };
        for (values, pairs) in values.chunks_exact(2 * width).zip(pairs.chunks_exact_mut(width)) {
            let (even, odd) = values.split_at(width);
            let (even, odd) = (even.as_chunks::<LANES>().0, odd.as_chunks::<LANES>().0);
            for ((even, odd), out) in even.iter().zip(odd).zip(pairs.as_chunks_mut::<LANES>().0) {
                // SAFETY: each is an array of a vector's size, and both vectors are 64 bytes of any content.
                unsafe {
                    let both =
                        _mm512_cvtne2ps_pbh(_mm512_loadu_ps(odd.as_ptr()), _mm512_loadu_ps(even.as_ptr()));
                    let both: __m512i = std::mem::transmute(both);
                    _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_permutexvar_epi16(interleaved, both));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values_of(slot: f32) -> [f32; 2] {
        [slot.to_bits() << 16, slot.to_bits() & 0xffff_0000].map(f32::from_bits)
    }

    #[test]
    fn rows_are_paired_alike_on_every_instruction_set() {
        let mut values: Vec<f32> =
            (0..2 * 3 * 48).map(|i| (i as f32 - 100.3) * 1.001_f32.powi(i * i % 997)).collect();
        values[..6].copy_from_slice(&[0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY]);
        values[7] = f32::NAN;
        for width in [16, 48, 6] {
            let mut wanted = vec![0.0; 3 * 48];
            pair_rows_by_bits(Isa::widest(), &values, width, &mut wanted);
            for isa in Isa::available() {
                let mut found = vec![0.0; 3 * 48];
                pair_rows(isa, &values, width, &mut found);
                for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    for (found, wanted) in values_of(*found).into_iter().zip(values_of(*wanted)) {
                        let same = found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan();
                        assert!(same, "{isa:?} {width} {i}: {found} for {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_along_the_depth_share_a_slot() {
        for isa in Isa::available() {
            for depth in [1, 2, 33, 70] {
                let row: Vec<f32> = (0..depth).map(|i| i as f32 - 20.0).collect();
                let mut slots = vec![f32::NAN; OperandFormat::Bf16Pairs.slots(depth)];
                OperandFormat::Bf16Pairs.pack_lhs_row(isa, &row, &mut slots);
                let mut found: Vec<f32> = slots.iter().flat_map(|slot| values_of(*slot)).collect();
                assert_eq!(found.split_off(depth), vec![0.0; depth % 2]);
                assert_eq!(found, row, "{isa:?}");

                let panel: Vec<[f32; PANEL]> =
                    row.iter().map(|v| std::array::from_fn(|column| v + column as f32)).collect();
                let mut buffer = Vec::new();
                let packed = OperandFormat::Bf16Pairs.pack_panel(isa, &panel, &mut buffer);
                for (k, wanted) in panel.iter().enumerate() {
                    let found = packed[k / 2].map(|slot| values_of(slot)[k % 2]);
                    assert_eq!(found, *wanted, "{isa:?} row {k}");
                }
                assert_eq!(OperandFormat::F32.pack_panel(isa, &panel, &mut Vec::new()), panel);
            }
        }
    }
}
