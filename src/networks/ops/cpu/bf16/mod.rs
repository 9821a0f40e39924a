//! Pairs of bf16 values: half the memory and twice the products of f32, with sums still in f32.
//!
//! A pair lies in the place of one f32 value, so that packing and blocking do not know the
//! difference: the even depth in the low half, the odd one in the high half.
//!
//! Where products of pairs are many times as fast as those of f32 values, f32 values are split in two: what bf16 holds
//! of a value, and what it holds of the rest. Together they have 16 bits of mantissa, and f16 weights exactly; three
//! products of them are as exact to about 4e-6, relative.
//!
//! Source of the split: Henry, Tang & Heinecke 2019, <https://arxiv.org/abs/1904.06376>.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;

#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::super::threads;
use super::pack::Form;
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
pub(super) fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static FOUND: LazyLock<bool> = LazyLock::new(|| {
            [
                is_x86_feature_detected!("avx2"),
                is_x86_feature_detected!("fma"),
                is_x86_feature_detected!("avx512f"),
                is_x86_feature_detected!("avx512bw"),
                is_x86_feature_detected!("avx512dq"),
                is_x86_feature_detected!("avx512vl"),
                is_x86_feature_detected!("avx512bf16"),
            ]
            .iter()
            .all(|found| *found)
        });
        *FOUND
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

/// Neighbours as pairs.
fn pair_neighbours(values: &[f32], pairs: &mut [f32]) {
    let done = at_once(values.len());
    #[cfg(target_arch = "x86_64")]
    if done > 0 {
        let (values, pairs) = (values[..done].as_chunks().0, pairs[..done / 2].as_chunks_mut().0);
        #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
        // SAFETY: `at_once` found them on this processor.
        unsafe {
            avx512::pair_neighbours(values, pairs);
        }
    }
    pair_neighbours_in_steps(&values[done..], &mut pairs[done / 2..]);
}

/// How many of so many values are made into pairs by instructions for that.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "there are none"))]
fn at_once(values: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    return if is_available() { values - values % avx512::AT_ONCE } else { 0 };
    #[cfg(not(target_arch = "x86_64"))]
    return 0;
}

multiversioned! {
    fn pair_neighbours_in_steps(values: &[f32], pairs: &mut [f32]) {
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

/// The two values of a pair.
#[inline(always)]
pub(super) fn unpaired(pair: f32) -> [f32; 2] {
    [pair.to_bits() << 16, pair.to_bits() & 0xffff_0000].map(f32::from_bits)
}

/// The nearest bf16 value (ties away from zero) and what it leaves, as bits that are zero below bf16's.
#[inline(always)]
fn split(x: f32) -> [u32; 2] {
    let nearest = |x: f32| x.to_bits().wrapping_add(0x8000) & 0xffff_0000;
    let high = nearest(x);
    [high, nearest(x - f32::from_bits(high))]
}

/// Two values' bits, zero below bf16's, as a pair.
#[inline(always)]
fn joined(even: u32, odd: u32) -> f32 {
    f32::from_bits((even >> 16) | odd)
}

/// Neighbours as pairs of their high and of their low parts. What is not finite becomes not a number.
fn split_neighbours(values: &[f32], high: &mut [f32], low: &mut [f32]) {
    let done = at_once(values.len());
    #[cfg(target_arch = "x86_64")]
    if done > 0 {
        let values = values[..done].as_chunks().0;
        let (high, low) = (high[..done / 2].as_chunks_mut().0, low[..done / 2].as_chunks_mut().0);
        #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
        // SAFETY: `at_once` found them on this processor.
        unsafe {
            avx512::split_neighbours(values, high, low);
        }
    }
    split_neighbours_in_steps(&values[done..], &mut high[done / 2..], &mut low[done / 2..]);
}

multiversioned! {
    fn split_neighbours_in_steps(values: &[f32], high: &mut [f32], low: &mut [f32]) {
        for ((values, high), low) in values.chunks_exact(2).zip(high).zip(low) {
            let [even, odd] = [split(values[0]), split(values[1])];
            *high = joined(even[0], odd[0]);
            *low = joined(even[1], odd[1]);
        }
    }
}

multiversioned! {
    /// The same of each value of a row with the one a row below; rows are `width` long.
    pub(super) fn split_rows(values: &[f32], width: usize, high: &mut [f32], low: &mut [f32]) {
        let rows = high.chunks_exact_mut(width).zip(low.chunks_exact_mut(width));
        for (values, (high, low)) in values.chunks_exact(2 * width).zip(rows) {
            let (even, odd) = values.split_at(width);
            for i in 0..width {
                let [even, odd] = [split(even[i]), split(odd[i])];
                high[i] = joined(even[0], odd[0]);
                low[i] = joined(even[1], odd[1]);
            }
        }
    }
}

/// Values of an even number as left rows of this form, from `at` on in `places`.
pub(super) fn convert(values: &[f32], form: Form, places: &mut [f32], at: usize) {
    let range = at..at + values.len() / 2;
    match form {
        Form::F32 => places[at..at + values.len()].copy_from_slice(values),
        Form::Pairs => pair_neighbours(values, &mut places[range]),
        Form::Split(distance) => {
            let (high, low) = places.split_at_mut(distance);
            split_neighbours(values, &mut high[range.clone()], &mut low[range]);
        }
    }
}

/// The same as a whole, on the pool if there are many; with the form, which knows how far apart the parts are.
pub(super) fn converted(values: &[f32], form: Form) -> (Scratch, Form) {
    /// Places filled by one thread at once.
    const AT_ONCE: usize = 1 << 14;
    let half = values.len() / 2;
    let form = form.of(values.len());
    let mut places = Scratch::new(form.places(values.len()));
    if values.len() < 4 * AT_ONCE || threads::count() == 1 {
        convert(values, form, &mut places, 0);
        return (places, form);
    }
    let values = values.par_chunks(2 * AT_ONCE);
    if let Form::Split(_) = form {
        let (high, low) = places.split_at_mut(half);
        let pieces = high.par_chunks_mut(AT_ONCE).zip(low.par_chunks_mut(AT_ONCE)).zip(values);
        pieces.for_each(|((high, low), values)| split_neighbours(values, high, low));
    } else {
        places.par_chunks_mut(AT_ONCE).zip(values).for_each(|(pairs, values)| pair_neighbours(values, pairs));
    }
    (places, form)
}
