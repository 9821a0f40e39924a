//! What a network's output means: from prediction to the denoised estimate x̂₀.

use super::NoiseLevel;
use super::combine::combine;
use crate::catalog::PredictionType;
use crate::latent::Latent;

/// x̂₀ from a network's output for the latent `noisy` at `level`.
///
/// - epsilon: `(x − sigma·ε) / alpha` (Ho et al. 2020, eq. 15)
/// - v: `(alpha·x − sigma·v) / (alpha² + sigma²)` (Salimans & Ho 2022, appendix D)
/// - sample: the output itself
/// - flow: `x − sigma·v` (Liu et al. 2022)
pub fn denoised_from_output(
    prediction: PredictionType,
    noisy: &Latent,
    output: &Latent,
    level: NoiseLevel,
) -> Latent {
    let NoiseLevel { alpha, sigma, .. } = level;
    match prediction {
        PredictionType::Epsilon => combine(&[(1.0 / alpha, noisy), (-sigma / alpha, output)]),
        PredictionType::V => {
            let norm = alpha.mul_add(alpha, sigma * sigma);
            combine(&[(alpha / norm, noisy), (-sigma / norm, output)])
        }
        PredictionType::Sample => output.clone(),
        PredictionType::Flow => combine(&[(1.0, noisy), (-sigma, output)]),
    }
}
