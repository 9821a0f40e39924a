//! The softmax of attention, a part of a row of scores at a time.
//!
//! Source: Milakov & Gimelshein 2018, <https://arxiv.org/abs/1805.02867>.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod columns;
mod parts;

pub(super) use columns::Columns;
pub(in super::super) use parts::{in_parts, is_whole};

use super::bf16::convert;
#[cfg(target_arch = "x86_64")]
use super::bf16::is_available;
use super::pack::Form;
#[cfg(target_arch = "x86_64")]
use super::simd::{Level, level};
use super::simd::{exp2, multiversioned};

/// Scores turned into weights together; rows of scores are filled up to a multiple.
pub(super) const AT_ONCE: usize = 32;
/// Lanes of a vector, on processors with wide ones.
const LANES: usize = AT_ONCE / 2;

/// Running figures of one row: the largest score so far and the sum of weights relative to it.
#[derive(Clone, Copy)]
pub(super) struct Running {
    pub(super) largest: f32,
    pub(super) sum: f32,
}

impl Running {
    /// Of a row of which nothing was seen; a score's weight is two to its power.
    pub(super) fn new() -> Self {
        Self { largest: f32::NEG_INFINITY, sum: 0.0 }
    }

    /// The same where no score is so large that its own power of two is not a plain number: weights are relative to 0,
    /// and no score is the largest.
    pub(super) fn bounded() -> Self {
        Self { largest: 0.0, sum: 0.0 }
    }

    /// Makes the sum one of weights relative to this score, if that is larger; gives the factor for whatever was summed
    /// before.
    pub(super) fn raise(&mut self, score: f32) -> f32 {
        if score <= self.largest {
            return 1.0;
        }
        let factor = (self.largest - score).exp2();
        *self = Self { largest: score, sum: self.sum * factor };
        factor
    }
}

/// The score that weights are relative to.
#[derive(Clone, Copy)]
struct Relative {
    to: f32,
    /// Whether it is zero and all exponents are those of normal numbers.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only AVX-512's loops ask"))]
    is_plain: bool,
}

/// The largest of some scores (a multiple of [`AT_ONCE`]) that are numbers.
pub(super) fn largest(scores: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if level() >= Level::Avx512 {
        #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
        // SAFETY: `level` found them on this processor.
        return unsafe { avx512::largest(scores.as_chunks().0) };
    }
    largest_in_lanes(scores)
}

/// Turns scores (a multiple of [`AT_ONCE`] of them, with infinite ones below zero for keys that are not there) into
/// weights relative to the largest, and adds up these. The weights are left rows of this form, pairs or split, from `at`
/// on in `places`.
///
/// A score that is not a number stays one, and makes the sum one. With `is_plain` all are numbers, of keys that are
/// there, and the row is [`Running::bounded`].
pub(super) fn weigh(
    scores: &mut [f32],
    running: &mut Running,
    is_plain: bool,
    form: Form,
    places: &mut [f32],
    at: usize,
) {
    let relative = Relative { to: running.largest, is_plain };
    #[cfg(target_arch = "x86_64")]
    if level() >= Level::Avx512 && is_available() {
        let scores = scores.as_chunks_mut().0;
        let range = at..at + scores.len() * LANES;
        #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
        // SAFETY: `level` and `is_available` found them on this processor.
        let sum = unsafe {
            match form {
                Form::Split(distance) => {
                    let (high, low) = places.split_at_mut(distance);
                    let [high, low] = [high, low].map(|part| part[range.clone()].as_chunks_mut().0);
                    avx512::split(scores, relative, high, low)
                }
                Form::Pairs => avx512::pairs(scores, relative, places[range].as_chunks_mut().0),
                Form::F32 => unreachable!("f32 weights are those of columns"),
            }
        };
        running.sum += sum;
        return;
    }
    running.sum += weigh_in_place(scores, relative.to);
    convert(scores, form, places, at);
}

/// The larger of two; `b` if `a` is not a number. One instruction, which [`f32::max`] is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// All lanes together, half by half.
#[inline(always)]
fn folded(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] = f(lanes[l + half], lanes[l]);
        }
        half /= 2;
    }
    lanes[0]
}

multiversioned! {
    fn largest_in_lanes(scores: &[f32]) -> f32 {
        // Two vectors of maxima, because one waits for itself.
        let mut maxima = [[f32::NEG_INFINITY; LANES]; 2];
        for pair in scores.as_chunks::<AT_ONCE>().0 {
            for (half, maxima) in maxima.iter_mut().enumerate() {
                for l in 0..LANES {
                    maxima[l] = larger(pair[half * LANES + l], maxima[l]);
                }
            }
        }
        let [mut maxima, others] = maxima;
        for l in 0..LANES {
            maxima[l] = larger(others[l], maxima[l]);
        }
        folded(maxima, larger)
    }
}

multiversioned! {
    /// The largest sum of squares of the first `width` values of some rows that are `stride` apart; not a number if
    /// one is not.
    pub(super) fn largest_square(rows: &[f32], stride: usize, width: usize) -> f32 {
        let mut largest = 0.0;
        for row in rows.chunks(stride) {
            let (chunks, rest) = row[..width].as_chunks::<{ LANES / 2 }>();
            let mut sums = [0.0_f32; LANES];
            for chunk in chunks {
                for l in 0..LANES / 2 {
                    sums[l] += chunk[l] * chunk[l];
                }
            }
            let rest: f32 = rest.iter().map(|value| value * value).sum();
            let square = folded(sums, |a, b| a + b) + rest;
            if square > largest || square.is_nan() {
                largest = square;
            }
        }
        largest
    }
}

multiversioned! {
    fn weigh_in_place<const FMA: bool>(scores: &mut [f32], largest: f32) -> f32 {
        let mut sums = [0.0_f32; LANES];
        for chunk in scores.as_chunks_mut::<LANES>().0 {
            for l in 0..LANES {
                chunk[l] = exp2::<FMA>(chunk[l] - largest);
                sums[l] += chunk[l];
            }
        }
        folded(sums, |a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Level, limit};
    use super::*;

    /// Weights of a row in two parts, as f32 values, with the figures of the whole row.
    fn weighed(row: &[f32], cut: usize, form: Form) -> (Vec<f32>, Running) {
        let mut running = Running::new();
        let mut places = vec![0.0; row.len()];
        let mut scores = row.to_vec();
        let (first, second) = scores.split_at_mut(cut);
        assert_eq!(running.raise(largest(first)), 0.0);
        weigh(first, &mut running, false, form, &mut places, 0);
        let factor = running.raise(largest(second));
        weigh(second, &mut running, false, form, &mut places, cut / form.halves());
        let value = |bits: u32| f32::from_bits(bits);
        let of_pair = |pair: &f32| [value(pair.to_bits() << 16), value(pair.to_bits() & 0xffff_0000)];
        let mut weights: Vec<f32> = match form {
            Form::F32 => unreachable!("weights of rows are pairs or split"),
            Form::Pairs => places[..row.len() / 2].iter().flat_map(of_pair).collect(),
            Form::Split(distance) => {
                let (high, low) = places.split_at(distance);
                let sums = |(high, low)| {
                    let (high, low): ([f32; 2], [f32; 2]) = (of_pair(high), of_pair(low));
                    [high[0] + low[0], high[1] + low[1]]
                };
                high.iter().zip(low).flat_map(sums).collect()
            }
        };
        weights[..cut].iter_mut().for_each(|weight| *weight *= factor);
        (weights, running)
    }

    #[test]
    fn parts_of_a_row_are_weighed_as_its_softmax() {
        let row: Vec<f32> = (0..160)
            .map(|i| match i {
                3 | 130 => f32::NEG_INFINITY,
                7 => -250.0,
                _ => (i * 37 % 101) as f32 / 7.0 - 6.0 + i as f32 / 40.0,
            })
            .collect();
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let wanted: Vec<f64> = row.iter().map(|score| f64::from(score - largest).exp2()).collect();
        let wanted_sum: f64 = wanted.iter().sum();
        let mut seen = Vec::new();
        for level in Level::available() {
            limit(Some(level));
            for (form, tolerance) in [(Form::Pairs, 4e-3_f64), (Form::Split(80), 1.6e-5)] {
                let (weights, running) = weighed(&row, 96, form);
                assert!(
                    (f64::from(running.sum) / wanted_sum - 1.0).abs() < tolerance.min(1e-4),
                    "{level:?} {form:?}"
                );
                assert!((running.largest - largest).abs() < 1e-6);
                for (i, (weight, wanted)) in weights.iter().zip(&wanted).enumerate() {
                    let error = (f64::from(*weight) - wanted).abs();
                    assert!(
                        error <= tolerance * wanted + 1e-37,
                        "{level:?} {form:?} {i}: {weight} for {wanted}"
                    );
                    assert!(*weight == 0.0 || row[i] > -200.0, "{level:?} {form:?} {i}: {weight}");
                }
                seen.push(running.sum);
            }
            let (_, broken) = weighed(&[[1.0; 48], [f32::NAN; 48]].concat(), 32, Form::Pairs);
            assert!(broken.sum.is_nan(), "{level:?}");
        }
        limit(None);
        assert_eq!(seen.len(), 2 * Level::available().len());
    }

    #[test]
    fn bounded_scores_are_weighed_without_their_largest() {
        let row: Vec<f32> = (0..128).map(|i| (i * 37 % 101) as f32 * 1.6 - 80.0).collect();
        let wanted = |score: &f32| f64::from(*score).exp2();
        for level in Level::available() {
            limit(Some(level));
            let sum: f64 = row.iter().map(wanted).sum();
            let mut places = vec![0.0; row.len()];
            // Pairs first: their polynomial is the shorter one.
            for (form, tolerance) in [(Form::Pairs, 1e-5), (Form::Split(64), 4e-6)] {
                let (mut scores, mut running) = (row.clone(), Running::bounded());
                weigh(&mut scores, &mut running, true, form, &mut places, 0);
                let error = (f64::from(running.sum) / sum - 1.0).abs();
                assert!(error < tolerance, "{level:?} {form:?}: {error:e}");
            }
            let (high, low) = places.split_at(64);
            for (i, score) in row.iter().enumerate() {
                let part = |parts: &[f32]| f32::from_bits(parts[i / 2].to_bits() >> (16 * (i % 2)) << 16);
                let (weight, wanted) = (part(high) + part(low), wanted(score));
                assert!(
                    (f64::from(weight) / wanted - 1.0).abs() < 1.6e-5,
                    "{level:?}: {weight} for {wanted}"
                );
            }
        }
        limit(None);
    }

    #[test]
    fn the_longest_row_is_found_and_no_number_is_not_lost() {
        let mut rows: Vec<f32> = (0..5 * 23).map(|i| (i * 37 % 101) as f32 / 50.0).collect();
        let squares =
            |rows: &[f32]| rows.chunks(23).map(|r| r[..19].iter().map(|v| v * v).sum()).fold(0.0, f32::max);
        assert!((largest_square(&rows, 23, 19) - squares(&rows)).abs() < 1e-4);
        rows[30] = f32::NAN;
        assert!(largest_square(&rows, 23, 19).is_nan());
    }
}
