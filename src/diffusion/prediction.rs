//! What a network's output means: from prediction to the denoised estimate x̂₀.

use candle_core::Tensor;

use super::NoiseLevel;
use crate::request::PredictionType;

/// x̂₀ from a network's output for the latent `noisy` at `level`.
///
/// - epsilon: `(x − sigma·ε) / alpha` (Ho et al. 2020, eq. 15)
/// - v: `(alpha·x − sigma·v) / (alpha² + sigma²)` (Salimans & Ho 2022, appendix D)
/// - flow: `x − sigma·v` (Liu et al. 2022)
pub fn denoised_from_output(
    prediction: PredictionType,
    noisy: &Tensor,
    output: &Tensor,
    level: NoiseLevel,
) -> candle_core::Result<Tensor> {
    let NoiseLevel { alpha, sigma, .. } = level;
    match prediction {
        PredictionType::Epsilon => combine(&[(1.0 / alpha, noisy), (-sigma / alpha, output)]),
        PredictionType::V => {
            let norm = alpha.mul_add(alpha, sigma * sigma);
            combine(&[(alpha / norm, noisy), (-sigma / norm, output)])
        }
        PredictionType::Flow => combine(&[(1.0, noisy), (-sigma, output)]),
    }
}

/// `Σ factor · tensor`.
pub(crate) fn combine(terms: &[(f64, &Tensor)]) -> candle_core::Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (factor, tensor) in terms {
        let scaled = tensor.affine(*factor, 0.0)?;
        sum = Some(match sum {
            None => scaled,
            Some(sum) => (sum + scaled)?,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a sum of no tensors".into()))
}
