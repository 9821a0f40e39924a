//! Neighbours as pairs of bf16 values by one instruction, which rounds to the nearest, ties to even.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_castsi512_ps, _mm512_castsi512_si256, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_extracti64x4_epi64, _mm512_loadu_ps, _mm512_slli_epi32, _mm512_storeu_ps,
    _mm512_sub_ps,
};

/// Values made into pairs at once.
pub(super) const AT_ONCE: usize = 32;

#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
#[expect(unsafe_code, reason = "vectors are read as other types")]
pub(in super::super) fn pairs_of(values: [__m512; 2]) -> __m512i {
    let [first, second] = values;
    // SAFETY: both are 64 bytes of plain numbers.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first)) }
}

/// What the pairs are of, in f32.
#[target_feature(enable = "avx512f")]
#[inline]
fn values_of(pairs: __m512i) -> [__m512; 2] {
    let halves = [_mm512_castsi512_si256(pairs), _mm512_extracti64x4_epi64::<1>(pairs)];
    halves.map(|half| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(half))))
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(unsafe_code, reason = "loads of vectors take pointers")]
pub(in super::super) fn load(values: &[f32; AT_ONCE]) -> [__m512; 2] {
    // SAFETY: the array is as long as two vectors.
    unsafe { [_mm512_loadu_ps(values.as_ptr()), _mm512_loadu_ps(values.as_ptr().add(AT_ONCE / 2))] }
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(unsafe_code, reason = "stores of vectors take pointers")]
pub(in super::super) fn store(pairs: __m512i, to: &mut [f32; AT_ONCE / 2]) {
    // SAFETY: the array is as long as a vector.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), _mm512_castsi512_ps(pairs)) }
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(unsafe_code, reason = "stores of vectors take pointers")]
pub(in super::super) fn store_values(values: [__m512; 2], to: &mut [f32; AT_ONCE]) {
    let [first, second] = values;
    // SAFETY: the array is as long as two vectors.
    unsafe {
        _mm512_storeu_ps(to.as_mut_ptr(), first);
        _mm512_storeu_ps(to.as_mut_ptr().add(AT_ONCE / 2), second);
    }
}

/// Neighbours as pairs of their high, and of their low parts.
#[target_feature(enable = "avx512f,avx512bf16")]
#[inline]
pub(in super::super) fn parts_of(values: [__m512; 2]) -> [__m512i; 2] {
    let high = pairs_of(values);
    let [first, second] = values_of(high);
    [high, pairs_of([_mm512_sub_ps(values[0], first), _mm512_sub_ps(values[1], second)])]
}

/// Neighbours as pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn pair_neighbours(values: &[[f32; AT_ONCE]], pairs: &mut [[f32; AT_ONCE / 2]]) {
    for (values, to) in values.iter().zip(pairs) {
        store(pairs_of(load(values)), to);
    }
}

/// Neighbours as pairs of their high and of their low parts.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn split_neighbours(
    values: &[[f32; AT_ONCE]],
    high: &mut [[f32; AT_ONCE / 2]],
    low: &mut [[f32; AT_ONCE / 2]],
) {
    for ((values, high), low) in values.iter().zip(high).zip(low) {
        let parts = parts_of(load(values));
        store(parts[0], high);
        store(parts[1], low);
    }
}
