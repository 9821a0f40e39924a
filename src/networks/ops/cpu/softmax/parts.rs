//! The softmax of short rows, each at once.

use std::f32::consts::LOG2_E;

use super::super::super::threads;
use super::super::PARALLEL_VALUES;
use super::super::simd::{exp2, multiversioned};
use super::{LANES, folded, larger};

/// Whether rows of this length are whole vectors, which [`in_parts`] asks for.
pub(in super::super::super) fn is_whole(part: usize) -> bool {
    part > 0 && part.is_multiple_of(LANES)
}

/// Replaces each `part` values by their softmax.
pub(in super::super::super) fn in_parts(values: &mut [f32], part: usize) {
    assert!(is_whole(part) && values.len().is_multiple_of(part), "parts of whole vectors");
    let at_once = (PARALLEL_VALUES / 2).next_multiple_of(part);
    threads::for_each(values.len() >= PARALLEL_VALUES, values.chunks_mut(at_once), |parts| {
        weigh(parts, part)
    });
}

multiversioned! {
    fn weigh<const FMA: bool>(values: &mut [f32], part: usize) {
        for scores in values.chunks_exact_mut(part) {
            let scores = scores.as_chunks_mut::<LANES>().0;
            let (mut maxima, mut sums) = ([f32::NEG_INFINITY; LANES], [0.0; LANES]);
            for scores in &*scores {
                for l in 0..LANES {
                    maxima[l] = larger(scores[l], maxima[l]);
                }
            }
            let largest = folded(maxima, larger);
            for scores in &mut *scores {
                for l in 0..LANES {
                    scores[l] = exp2::<FMA>((scores[l] - largest) * LOG2_E);
                    sums[l] += scores[l];
                }
            }
            let factor = 1.0 / folded(sums, |a, b| a + b);
            for scores in scores {
                for l in 0..LANES {
                    scores[l] *= factor;
                }
            }
        }
    }
}
