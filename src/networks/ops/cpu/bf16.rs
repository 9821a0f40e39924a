//! Pairs of bf16 values: half the memory and twice the products of f32, with sums still in f32.
//!
//! A pair lies in the place of one f32 value, so that packing and blocking do not know the
//! difference: the even depth in the low half, the odd one in the high half.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::super::threads;
use super::scratch::Scratch;
use super::simd::multiversioned;

/// The format of the matrices in products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As exact as the values.
    F32,
    /// Eight bits of mantissa: about 3e-3 of relative error, where the processor has it.
    Bf16,
}

static WANTED: AtomicBool = AtomicBool::new(false);

/// Chooses the format of the matrices packed from now on (weights when they are loaded, keys and
/// values at each call). Without the instructions products stay in f32.
pub fn set_matrix_precision(precision: Precision) {
    WANTED.store(precision == Precision::Bf16, Ordering::Relaxed);
}

/// The format of the matrices packed from now on.
pub fn matrix_precision() -> Precision {
    if WANTED.load(Ordering::Relaxed) && is_available() { Precision::Bf16 } else { Precision::F32 }
}

/// Whether this processor multiplies bf16 values.
fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let features = [
            is_x86_feature_detected!("avx2"),
            is_x86_feature_detected!("fma"),
            is_x86_feature_detected!("avx512f"),
            is_x86_feature_detected!("avx512bw"),
            is_x86_feature_detected!("avx512dq"),
            is_x86_feature_detected!("avx512vl"),
            is_x86_feature_detected!("avx512bf16"),
        ];
        features.iter().all(|found| *found)
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The upper half of an f32, rounded to the nearest, ties to even. Something that is not a number
/// stays so.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() { (bits >> 16) | 0x40 } else { nearest }
}

#[inline(always)]
fn pair(even: f32, odd: f32) -> f32 {
    f32::from_bits(rounded(even) | (rounded(odd) << 16))
}

multiversioned! {
    /// Neighbours as pairs.
    pub(super) fn pair_neighbours(values: &[f32], pairs: &mut [f32]) {
        for (values, out) in values.chunks_exact(2).zip(pairs) {
            *out = pair(values[0], values[1]);
        }
    }
}

multiversioned! {
    /// Each value with the one a row below.
    pub(super) fn pair_rows(even: &[f32], odd: &[f32], pairs: &mut [f32]) {
        for ((even, odd), out) in even.iter().zip(odd).zip(pairs) {
            *out = pair(*even, *odd);
        }
    }
}

multiversioned! {
    /// What [`pair_rows`] put together, taken apart.
    pub(super) fn unpair_rows(pairs: &[f32], even: &mut [f32], odd: &mut [f32]) {
        for ((pair, even), odd) in pairs.iter().zip(even).zip(odd) {
            *even = f32::from_bits(pair.to_bits() << 16);
            *odd = f32::from_bits(pair.to_bits() & 0xffff_0000);
        }
    }
}

/// Values of an even number as pairs, on the pool if there are many.
pub(super) fn pairs_of(values: &[f32]) -> Scratch {
    const AT_ONCE: usize = 1 << 14;
    let mut pairs = Scratch::new(values.len() / 2);
    if values.len() >= 4 * AT_ONCE && threads::count() > 1 {
        let pieces = pairs.par_chunks_mut(AT_ONCE).zip(values.par_chunks(2 * AT_ONCE));
        pieces.for_each(|(pairs, values)| pair_neighbours(values, pairs));
    } else {
        pair_neighbours(values, &mut pairs);
    }
    pairs
}
