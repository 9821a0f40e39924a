//! The softmax of a panel of queries, some keys at a time: the scores of one key lie side by side.
//!
//! Source: Milakov & Gimelshein 2018, <https://arxiv.org/abs/1805.02867>.

use super::super::elementary::exp2;
use super::super::gemm::PANEL;
use super::super::isa::{Isa, multiversioned};

/// How far a score may exceed its query's reference before sums are rescaled: 2³² times a few thousand keys is far from
/// f32's limit, and after the first keys there is hardly ever anything to rescale.
const HEADROOM: f32 = 32.0;
/// Queries that are summed in one vector.
const LANES: usize = 16;

/// The running softmax of some queries. A score's weight is `exp2(score − reference)`.
#[derive(Clone, Copy)]
pub(super) struct OnlineSoftmax {
    /// No score so far is more than [`HEADROOM`] larger.
    reference: [f32; PANEL],
    /// Sums of weights.
    sums: [f32; PANEL],
}

impl OnlineSoftmax {
    /// Before any score.
    pub(super) fn new() -> Self {
        Self { reference: [f32::NEG_INFINITY; PANEL], sums: [0.0; PANEL] }
    }

    /// Turns the scores of some keys into weights and adds these up. Returns the factors for sums made with earlier
    /// weights, unless all are 1. Masked scores are −∞; a query's first score must not be.
    ///
    /// A NaN score stays one, and makes the sum one.
    pub(super) fn exp_and_sum(&mut self, isa: Isa, scores: &mut [[f32; PANEL]]) -> Option<[f32; PANEL]> {
        let factors = self.rescale(isa, scores);
        exp_and_sum(isa, scores, &self.reference, &mut self.sums);
        factors
    }

    /// Moves the references to the largest of these scores where that is far larger.
    fn rescale(&mut self, isa: Isa, scores: &[[f32; PANEL]]) -> Option<[f32; PANEL]> {
        let mut largest = [f32::NEG_INFINITY; PANEL];
        column_maxima(isa, scores, &mut largest);
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

    /// What turns weighted sums into averages.
    pub(super) fn factors(&self) -> [f32; PANEL] {
        self.sums.map(|sum| 1.0 / sum)
    }
}

/// The larger of two; `b` if `a` is NaN. One instruction, which [`f32::max`] is not.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

multiversioned! {
    /// Raises maxima to scores that are not NaN.
    fn column_maxima(isa: Isa, scores: &[[f32; PANEL]], largest: &mut [f32; PANEL]) {
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
    fn exp_and_sum<const FMA: bool>(
        isa: Isa,
        scores: &mut [[f32; PANEL]],
        reference: &[f32; PANEL],
        sums: &mut [f32; PANEL],
    ) {
        let (reference, sums) = (reference.as_chunks::<LANES>().0, sums.as_chunks_mut::<LANES>().0);
        for (half, (reference, sums)) in reference.iter().zip(sums).enumerate() {
            let mut sum = *sums;
            for scores in &mut *scores {
                let scores = &mut scores.as_chunks_mut::<LANES>().0[half];
                for l in 0..LANES {
                    scores[l] = exp2::<FMA>(scores[l] - reference[l]);
                    sum[l] += scores[l];
                }
            }
            *sums = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights of some queries in two parts, relative to the same score in the end, with their sums.
    fn weights_of(isa: Isa, scores: &[[f32; PANEL]]) -> (Vec<[f32; PANEL]>, OnlineSoftmax) {
        let mut softmax = OnlineSoftmax::new();
        let mut weights = scores.to_vec();
        let (first, second) = weights.split_at_mut(scores.len() / 3);
        assert_eq!(softmax.exp_and_sum(isa, first), Some([0.0; PANEL]));
        let factors = softmax.exp_and_sum(isa, second).unwrap_or([1.0; PANEL]);
        for weights in first {
            weights.iter_mut().zip(factors).for_each(|(weight, factor)| *weight *= factor);
        }
        (weights, softmax)
    }

    fn agree(scores: &[[f32; PANEL]]) {
        let column = |lane: usize| scores.iter().map(move |scores| f64::from(scores[lane]));
        for isa in Isa::available() {
            let (weights, softmax) = weights_of(isa, scores);
            for lane in 0..PANEL {
                let largest = column(lane).fold(f64::NEG_INFINITY, f64::max);
                let wanted = column(lane).map(|score| (score - largest).exp2());
                let sum: f64 = wanted.clone().sum();
                for (weights, wanted) in weights.iter().zip(wanted.map(|wanted| wanted / sum)) {
                    let found = f64::from(weights[lane]) * f64::from(softmax.factors()[lane]);
                    assert!(
                        (found - wanted).abs() <= 1e-5 * wanted + 1e-37,
                        "{isa:?} {lane}: {found} for {wanted}"
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
    fn scores_in_parts_have_the_softmax_of_all() {
        agree(&made_up(50, 1.6));
        let mut masked = made_up(35, 0.3);
        for (key, scores) in masked.iter_mut().enumerate().skip(1) {
            scores[..key.min(PANEL)].fill(f32::NEG_INFINITY);
        }
        agree(&masked);
        let mut rising = made_up(60, 0.1);
        for (key, scores) in rising.iter_mut().enumerate() {
            scores.iter_mut().skip(key % 2).for_each(|score| *score += 1.4 * key as f32);
        }
        agree(&rising);
    }

    #[test]
    fn sums_are_rescaled_for_scores_that_are_far_larger_only() {
        let (mut softmax, isa) = (OnlineSoftmax::new(), Isa::widest());
        assert_eq!(softmax.exp_and_sum(isa, &mut [[5.0; PANEL]]), Some([0.0; PANEL]));
        let mut scores = [[5.0 + HEADROOM; PANEL]];
        assert_eq!(softmax.exp_and_sum(isa, &mut scores), None);
        assert!(scores[0].iter().all(|weight| (weight / HEADROOM.exp2() - 1.0).abs() < 1e-6));
        let mut scores = [[0.0; PANEL]];
        scores[0][3] = 6.0 + HEADROOM;
        let factors = softmax.exp_and_sum(isa, &mut scores).unwrap();
        for (lane, factor) in factors.into_iter().enumerate() {
            let wanted = if lane == 3 { (-1.0 - HEADROOM).exp2() } else { 1.0 };
            assert!((factor / wanted - 1.0).abs() < 1e-6, "{lane}: {factor}");
        }
    }

    #[test]
    fn nan_stays_nan() {
        let mut scores = made_up(9, 0.1);
        scores[4][5] = f32::NAN;
        for isa in Isa::available() {
            let (_, softmax) = weights_of(isa, &scores);
            let lost = softmax.factors().iter().filter(|factor| factor.is_nan()).count();
            assert_eq!(lost, 1, "{isa:?}");
            assert!(softmax.factors()[5].is_nan(), "{isa:?}");
        }
    }
}
