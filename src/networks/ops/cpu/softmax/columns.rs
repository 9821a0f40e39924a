//! The softmax of attention for a panel of queries, whose scores of one key lie side by side.

use super::super::kernel::PANEL;
#[cfg(target_arch = "x86_64")]
use super::super::simd::{Level, level};
use super::super::simd::{exp2, multiversioned};
#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{LANES, larger};

/// How far a score may be above the one that weights are relative to before these are corrected: with a few thousand keys
/// sums are far from what f32 holds, and after the first keys there is hardly ever anything to correct.
const HEADROOM: f32 = 32.0;

/// Running figures of some queries: a score that weights are relative to, and their sum.
#[derive(Clone, Copy)]
pub(in super::super) struct Columns {
    /// No score so far is more than [`HEADROOM`] larger.
    reference: [f32; PANEL],
    sums: [f32; PANEL],
    bounded: bool,
}

impl Columns {
    /// Of queries of which no score was seen; a score's weight is two to its power. If they are `bounded`, no score is so
    /// large that its own power of two is not a plain number: weights are relative to 0 then.
    pub(in super::super) fn new(bounded: bool) -> Self {
        let reference = if bounded { 0.0 } else { f32::NEG_INFINITY };
        Self { reference: [reference; PANEL], sums: [0.0; PANEL], bounded }
    }

    /// Turns the scores of some keys into weights, and adds up these. Gives the factors for
    /// whatever was summed before, unless they are 1. `is_masked`: some scores may be infinite ones below zero, but no
    /// query's first.
    ///
    /// A score that is not a number stays one, and makes the sum one.
    pub(in super::super) fn weigh(
        &mut self,
        scores: &mut [[f32; PANEL]],
        is_masked: bool,
    ) -> Option<[f32; PANEL]> {
        let factors = if self.bounded { None } else { self.raise(scores) };
        #[cfg(target_arch = "x86_64")]
        if level() >= Level::Avx512 {
            let is_plain = self.bounded && !is_masked;
            #[expect(unsafe_code, reason = "instructions the compiler cannot know to be there")]
            // SAFETY: `level` found them on this processor.
            unsafe {
                avx512::columns(scores, &self.reference, is_plain, &mut self.sums);
            }
            return factors;
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = is_masked;
        weigh(scores, &self.reference, &mut self.sums);
        factors
    }

    /// Makes weights relative to the largest of these scores where that is so much larger.
    fn raise(&mut self, scores: &[[f32; PANEL]]) -> Option<[f32; PANEL]> {
        let mut largest = [f32::NEG_INFINITY; PANEL];
        raise(scores, &mut largest);
        let is_far: [bool; PANEL] =
            std::array::from_fn(|lane| largest[lane] > self.reference[lane] + HEADROOM);
        if !is_far.contains(&true) {
            return None;
        }
        let mut factors = [1.0; PANEL];
        for lane in (0..PANEL).filter(|lane| is_far[*lane]) {
            factors[lane] = (self.reference[lane] - largest[lane]).exp2();
            self.sums[lane] *= factors[lane];
            self.reference[lane] = largest[lane];
        }
        Some(factors)
    }

    /// What makes weighted sums averages.
    pub(in super::super) fn factors(&self) -> [f32; PANEL] {
        self.sums.map(|sum| 1.0 / sum)
    }
}

multiversioned! {
    /// Raises maxima to scores that are numbers.
    fn raise(scores: &[[f32; PANEL]], largest: &mut [f32; PANEL]) {
        let mut maxima = *largest;
        for scores in scores {
            for l in 0..PANEL {
                maxima[l] = larger(scores[l], maxima[l]);
            }
        }
        *largest = maxima;
    }
}

multiversioned! {
    fn weigh<const FMA: bool>(scores: &mut [[f32; PANEL]], maxima: &[f32; PANEL], sums: &mut [f32; PANEL]) {
        let (maxima, sums) = (maxima.as_chunks::<LANES>().0, sums.as_chunks_mut::<LANES>().0);
        for (half, (maxima, sums)) in maxima.iter().zip(sums).enumerate() {
            let mut sum = *sums;
            for scores in &mut *scores {
                let scores = &mut scores.as_chunks_mut::<LANES>().0[half];
                for l in 0..LANES {
                    scores[l] = exp2::<FMA>(scores[l] - maxima[l]);
                    sum[l] += scores[l];
                }
            }
            *sums = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::simd::{Level, limit};
    use super::*;

    /// The weights of some queries in two parts, relative to the same score in the end, with their sums.
    fn weighed(scores: &[[f32; PANEL]], bounded: bool, is_masked: bool) -> (Vec<[f32; PANEL]>, Columns) {
        let mut columns = Columns::new(bounded);
        let mut weights = scores.to_vec();
        let (first, second) = weights.split_at_mut(scores.len() / 3);
        let factors = columns.weigh(first, is_masked);
        assert_eq!(factors, (!bounded).then_some([0.0; PANEL]));
        let factors = columns.weigh(second, is_masked).unwrap_or([1.0; PANEL]);
        for weights in first {
            weights.iter_mut().zip(factors).for_each(|(weight, factor)| *weight *= factor);
        }
        (weights, columns)
    }

    fn agree(scores: &[[f32; PANEL]], bounded: bool, is_masked: bool) {
        let column = |lane: usize| scores.iter().map(move |scores| f64::from(scores[lane]));
        for level in Level::available() {
            limit(Some(level));
            let (weights, columns) = weighed(scores, bounded, is_masked);
            limit(None);
            for lane in 0..PANEL {
                let largest = column(lane).fold(f64::NEG_INFINITY, f64::max);
                let wanted = column(lane).map(|score| (score - largest).exp2());
                let sum: f64 = wanted.clone().sum();
                for (weights, wanted) in weights.iter().zip(wanted.map(|wanted| wanted / sum)) {
                    let found = f64::from(weights[lane]) * f64::from(columns.factors()[lane]);
                    assert!(
                        (found - wanted).abs() <= 1e-5 * wanted + 1e-37,
                        "{level:?} {lane}: {found} for {wanted}"
                    );
                }
            }
        }
    }

    fn made_up(keys: usize, factor: f32) -> Vec<[f32; PANEL]> {
        let score = |i: usize| (i * 37 % 101) as f32 * factor - 50.0 * factor;
        (0..keys).map(|key| std::array::from_fn(|lane| score(key * 7 + lane * 13))).collect()
    }

    #[test]
    fn parts_of_columns_are_weighed_as_their_softmax() {
        agree(&made_up(50, 1.6), false, false);
        let mut masked = made_up(35, 0.3);
        for (key, scores) in masked.iter_mut().enumerate().skip(1) {
            scores[..key.min(PANEL)].fill(f32::NEG_INFINITY);
        }
        agree(&masked, false, true);
        agree(&masked, true, true);
        let mut rising = made_up(60, 0.1);
        for (key, scores) in rising.iter_mut().enumerate() {
            scores.iter_mut().skip(key % 2).for_each(|score| *score += 1.4 * key as f32);
        }
        agree(&rising, false, false);
        agree(&made_up(41, 1.6), true, false);
    }

    #[test]
    fn weights_are_corrected_for_scores_that_are_much_larger_only() {
        let mut columns = Columns::new(false);
        assert_eq!(columns.weigh(&mut [[5.0; PANEL]], false), Some([0.0; PANEL]));
        let mut scores = [[5.0 + HEADROOM; PANEL]];
        assert_eq!(columns.weigh(&mut scores, false), None);
        assert!(scores[0].iter().all(|weight| (weight / HEADROOM.exp2() - 1.0).abs() < 1e-6));
        let mut scores = [[0.0; PANEL]];
        scores[0][3] = 6.0 + HEADROOM;
        let factors = columns.weigh(&mut scores, false).unwrap();
        for (lane, factor) in factors.into_iter().enumerate() {
            let wanted = if lane == 3 { (-1.0 - HEADROOM).exp2() } else { 1.0 };
            assert!((factor / wanted - 1.0).abs() < 1e-6, "{lane}: {factor}");
        }
    }

    #[test]
    fn no_number_is_not_lost() {
        for bounded in [false, true] {
            let mut scores = made_up(9, 0.1);
            scores[4][5] = f32::NAN;
            for level in Level::available() {
                limit(Some(level));
                let (_, columns) = weighed(&scores, bounded, false);
                limit(None);
                let lost = columns.factors().iter().filter(|factor| factor.is_nan()).count();
                assert_eq!(lost, 1, "{level:?}");
                assert!(columns.factors()[5].is_nan(), "{level:?}");
            }
        }
    }
}
