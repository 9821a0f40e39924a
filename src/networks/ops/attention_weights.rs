//! The weights of attention themselves, to be looked at.

use std::ops::Range;

use crate::networks::backend::{self, Result, Tensor};

/// The weight that each query gives to each of `keys`, mean over the heads: the columns `keys` of
/// `softmax(q·kᵀ / √D)`. `q`: `[1, N, H·D]`, `k`: `[1, M, H·D]` → `[keys, N]`.
///
/// # Errors
/// If shapes do not fit.
pub fn attention_weights(q: &Tensor, k: &Tensor, heads: usize, keys: Range<usize>) -> Result<Vec<f32>> {
    backend::attention_weights([q, k], heads, keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::backend::Device;

    #[test]
    fn weights_are_those_of_the_definition_and_sum_to_one() {
        let tensor = |tokens: usize, by: usize| {
            let values = (0..tokens * 4).map(|i| (i * by % 101) as f32 / 50.0 - 1.0);
            Tensor::from_vec(values.collect::<Vec<_>>(), (1, tokens, 4), &Device::Cpu).unwrap()
        };
        let (q, k) = (tensor(5, 37), tensor(3, 29));
        let all = attention_weights(&q, &k, 2, 0..3).unwrap();
        for query in 0..5 {
            let sum: f32 = all.iter().skip(query).step_by(5).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        }
        let part = attention_weights(&q, &k, 2, 1..3).unwrap();
        assert_eq!(part, all[5..]);
        let (q, k) = (q.to_values::<f32>().unwrap(), k.to_values::<f32>().unwrap());
        for (query, q) in q.chunks_exact(4).enumerate() {
            let mut wanted = [0.0_f32; 3];
            for head in [0, 2] {
                let score =
                    |k: &[f32]| ((q[head] * k[head] + q[head + 1] * k[head + 1]) / 2.0_f32.sqrt()).exp();
                let scores: Vec<f32> = k.chunks_exact(4).map(score).collect();
                let sum: f32 = scores.iter().sum();
                wanted.iter_mut().zip(scores).for_each(|(wanted, score)| *wanted += score / sum / 2.0);
            }
            for (key, wanted) in wanted.iter().enumerate() {
                let found = all[key * 5 + query];
                assert!((found - wanted).abs() < 1e-6, "{found} for {wanted}");
            }
        }
    }
}
