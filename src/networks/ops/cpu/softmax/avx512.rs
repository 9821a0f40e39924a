//! A row's part in vectors of sixteen, with instructions for powers of two.

use std::arch::x86_64::{
    __m512, _CMP_NLT_UQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _MM_FROUND_TO_NEG_INF, _mm512_add_ps,
    _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_maskz_scalef_ps, _mm512_max_ps, _mm512_reduce_add_ps,
    _mm512_reduce_max_ps, _mm512_reduce_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_sub_ps,
};

use super::super::bf16::avx512::{load, pairs_of, parts_of, store, store_values};
use super::super::simd::EXP2;
use super::{AT_ONCE, LANES, Relative};

/// Terms of 2^r: all of them, and so many that bf16's rounding is a hundred times the error (4e-5).
const EXACT: usize = EXP2.len();
const OF_PAIRS: usize = 5;
/// 2^f for 0 ≤ f < 1: the polynomials of degree 5 and 4 with the least relative errors, 7.5e-8 and 2.6e-6.
const EXP2_OF_FRACTION: [f32; EXACT] =
    [0.999_999_9, 0.693_153_1, 0.240_153_62, 5.582_632e-2, 8.989_34e-3, 1.877_576_7e-3];
const SHORT_EXP2_OF_FRACTION: [f32; OF_PAIRS] =
    [1.000_002_6, 0.693_003_83, 0.241_442_76, 5.201_146e-2, 1.353_416_8e-2];

/// 2^x for x ≤ 127, 0 below −126; what is not a number stays so.
///
/// Source: 2^n·2^r with n the nearest whole number, and the first `TERMS` terms of [`EXP2`].
#[target_feature(enable = "avx512f")]
#[inline]
fn exp2<const TERMS: usize>(x: __m512) -> __m512 {
    /// To whole numbers.
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let n = _mm512_roundscale_ps::<NEAREST>(x);
    let terms = std::array::from_fn::<f32, TERMS, _>(|term| EXP2[term]);
    let p = polynomial(_mm512_sub_ps(x, n), terms);
    // Masked, so that results too small for a normal number take no detour through microcode.
    let counts = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(-126.0));
    _mm512_maskz_scalef_ps(counts, p, n)
}

/// 2^x for x between −126 and 127, with fewer instructions; what is not a number stays so.
///
/// Source: 2^⌊x⌋·2^f with f the fraction, and the polynomial of so many terms (5 or 6) with the least relative error.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn exp2_of_bounded<const TERMS: usize>(x: __m512) -> __m512 {
    /// What whole numbers below leave.
    const FRACTION: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
    let f = _mm512_reduce_ps::<FRACTION>(x);
    let p =
        if TERMS == EXACT { polynomial(f, EXP2_OF_FRACTION) } else { polynomial(f, SHORT_EXP2_OF_FRACTION) };
    // It takes the whole number below the exponent itself.
    _mm512_scalef_ps(p, x)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn polynomial<const TERMS: usize>(x: __m512, terms: [f32; TERMS]) -> __m512 {
    let mut p = _mm512_set1_ps(terms[TERMS - 1]);
    for term in terms[..TERMS - 1].iter().rev() {
        p = _mm512_fmadd_ps(p, x, _mm512_set1_ps(*term));
    }
    p
}

/// The largest of some scores that are numbers.
#[target_feature(enable = "avx512f")]
pub(super) fn largest(scores: &[[f32; AT_ONCE]]) -> f32 {
    let mut maxima = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
    for scores in scores {
        let [first, second] = load(scores);
        // The second operand is the result where the first is not a number.
        maxima = [_mm512_max_ps(first, maxima[0]), _mm512_max_ps(second, maxima[1])];
    }
    _mm512_reduce_max_ps(_mm512_max_ps(maxima[0], maxima[1]))
}

/// Turns scores into weights and hands each [`AT_ONCE`] of them to `emit`, with their number and the scores' place.
/// Gives their sums, with `sums` added.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn weigh<const TERMS: usize>(
    scores: &mut [[f32; AT_ONCE]],
    maxima: [__m512; 2],
    is_plain: bool,
    mut sums: [__m512; 2],
    mut emit: impl FnMut(usize, [__m512; 2], &mut [f32; AT_ONCE]),
) -> [__m512; 2] {
    for (i, scores) in scores.iter_mut().enumerate() {
        let [first, second] = load(scores);
        let weights = if is_plain {
            [first, second].map(|scores| exp2_of_bounded::<TERMS>(scores))
        } else {
            let exponents = [_mm512_sub_ps(first, maxima[0]), _mm512_sub_ps(second, maxima[1])];
            exponents.map(|exponent| exp2::<TERMS>(exponent))
        };
        sums = [_mm512_add_ps(sums[0], weights[0]), _mm512_add_ps(sums[1], weights[1])];
        emit(i, weights, scores);
    }
    sums
}

/// [`weigh`] of one row; gives the sum.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn weigh_row<const TERMS: usize>(
    scores: &mut [[f32; AT_ONCE]],
    relative: Relative,
    mut emit: impl FnMut(usize, [__m512; 2]),
) -> f32 {
    let (maxima, zeros) = ([_mm512_set1_ps(relative.to); 2], [_mm512_setzero_ps(); 2]);
    let emit = |i: usize, weights: [__m512; 2], _: &mut [f32; AT_ONCE]| emit(i, weights);
    let sums = weigh::<TERMS>(scores, maxima, relative.is_plain, zeros, emit);
    _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]))
}

/// Weights in the place of scores of [`AT_ONCE`] queries side by side, and their sums.
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn columns(
    scores: &mut [[f32; AT_ONCE]],
    maxima: &[f32; AT_ONCE],
    is_plain: bool,
    sums: &mut [f32; AT_ONCE],
) {
    let emit = |_: usize, weights: [__m512; 2], scores: &mut [f32; AT_ONCE]| store_values(weights, scores);
    let found = weigh::<EXACT>(scores, load(maxima), is_plain, load(sums), emit);
    store_values(found, sums);
}

/// Weights as pairs of bf16 values.
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
pub(super) fn pairs(scores: &mut [[f32; AT_ONCE]], relative: Relative, pairs: &mut [[f32; LANES]]) -> f32 {
    weigh_row::<OF_PAIRS>(scores, relative, |i, weights| store(pairs_of(weights), &mut pairs[i]))
}

/// Weights as pairs of their high and of their low parts.
#[target_feature(enable = "avx512f,avx512dq,avx512bf16")]
pub(super) fn split(
    scores: &mut [[f32; AT_ONCE]],
    relative: Relative,
    high: &mut [[f32; LANES]],
    low: &mut [[f32; LANES]],
) -> f32 {
    weigh_row::<EXACT>(scores, relative, |i, weights| {
        let parts = parts_of(weights);
        store(parts[0], &mut high[i]);
        store(parts[1], &mut low[i]);
    })
}
