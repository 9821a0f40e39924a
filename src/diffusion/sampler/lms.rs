//! Linear multistep: up to four earlier slopes, integrated exactly.
//!
//! Source: k-diffusion, `sample_lms` (Adams–Bashforth with uneven steps).

use candle_core::Tensor;

use super::{Denoiser, Sampler, SamplerStep, epsilon};
use crate::diffusion::prediction::combine;
use crate::diffusion::{DiffusionError, NoiseSource, SigmaStep};

/// Slopes that are remembered.
const ORDER: usize = 4;

/// Sigma and slope of the present and earlier steps, newest first.
#[derive(Default)]
pub(super) struct Lms {
    slopes: Vec<(f64, Tensor)>,
}

impl Sampler for Lms {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Tensor,
        SigmaStep { from, to }: SigmaStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let denoised = denoiser.denoise(noisy, from)?;
        self.slopes.insert(0, (from.k_sigma(), epsilon(noisy, &denoised, from)?));
        self.slopes.truncate(ORDER);
        let sigmas: Vec<f64> = self.slopes.iter().map(|(sigma, _)| *sigma).collect();
        let mut terms = vec![(to.alpha / from.alpha, noisy)];
        for (current, (_, slope)) in self.slopes.iter().enumerate() {
            terms.push((to.alpha * coefficient(&sigmas, current, to.k_sigma()), slope));
        }
        Ok(SamplerStep { noisy: combine(&terms)?, denoised })
    }
}

/// The integral of one Lagrange basis polynomial over `sigmas[0]` to `end`.
///
/// Three-point Gauss–Legendre is exact for polynomials up to degree five; these have at most three.
fn coefficient(sigmas: &[f64], current: usize, end: f64) -> f64 {
    let node = 0.6_f64.sqrt();
    let (half, middle) = ((end - sigmas[0]) / 2.0, f64::midpoint(end, sigmas[0]));
    let basis = |tau: f64| -> f64 {
        let others = sigmas.iter().enumerate().filter(|(k, _)| *k != current);
        others.map(|(_, s)| (tau - s) / (sigmas[current] - s)).product()
    };
    let sum = 5.0 * basis(middle - half * node) + 8.0 * basis(middle) + 5.0 * basis(middle + half * node);
    half * sum / 9.0
}
