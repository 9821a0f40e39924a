//! EDM's preconditioning: how its networks take a noisy latent, and what their output means.
//!
//! Source: Karras et al. 2022, <https://arxiv.org/abs/2206.00364>, table 1, last column; diffusers'
//! `EDMEulerScheduler`.

use super::combine::combine;
use super::{NoiseLevel, SchedulerConfig, denoised_from_output};
use crate::catalog::PredictionType;
use crate::latent::Latent;

/// How a network takes a latent at a [`NoiseLevel`], and what its output means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Preconditioning {
    /// The latent as it is and the training timestep; the output is a [`PredictionType`].
    #[default]
    None,
    /// EDM's scaling to unit variance, and a quarter of the logarithm of sigma.
    Edm {
        /// The standard deviation of the clean latents in training.
        sigma_data: f64,
    },
}

impl Preconditioning {
    /// The preconditioning of the networks that a scheduler's configuration is for.
    pub fn of(config: &SchedulerConfig) -> Self {
        config.edm().map_or(Self::None, |edm| Self::Edm { sigma_data: edm.sigma_data })
    }

    /// The network's input for the latent `noisy` at `level`: `c_in · x / alpha`, where c_in = 1 / √(σ² + σ_data²) in
    /// k-diffusion's sigma.
    pub(super) fn input(self, noisy: &Latent, level: NoiseLevel) -> Latent {
        match self {
            Self::None => noisy.clone(),
            Self::Edm { sigma_data } => {
                combine(&[(1.0 / (level.alpha * level.k_sigma().hypot(sigma_data)), noisy)])
            }
        }
    }

    /// The time that the network gets: c_noise = ln(σ) / 4.
    pub(super) fn time(self, level: NoiseLevel) -> f64 {
        match self {
            Self::None => level.timestep,
            Self::Edm { .. } => 0.25 * level.k_sigma().ln(),
        }
    }

    /// x̂₀ from the network's output for the latent `noisy` at `level`: `c_skip · x / alpha + c_out · output`, with the
    /// sign of c_out by the prediction type, as in diffusers.
    pub(super) fn denoised(
        self,
        prediction: PredictionType,
        noisy: &Latent,
        output: &Latent,
        level: NoiseLevel,
    ) -> Latent {
        match self {
            Self::None => denoised_from_output(prediction, noisy, output, level),
            Self::Edm { sigma_data } => {
                let sigma = level.k_sigma();
                let norm = sigma.hypot(sigma_data);
                let sign = if prediction == PredictionType::V { -1.0 } else { 1.0 };
                let skip = (sigma_data / norm).powi(2) / level.alpha;
                combine(&[(skip, noisy), (sign * sigma * sigma_data / norm, output)])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    /// The figures are those of Karras et al., table 1, for σ = 2 and σ_data = 0.5.
    #[test]
    fn the_factors_are_those_of_the_table() {
        let edm = Preconditioning::Edm { sigma_data: 0.5 };
        let level = NoiseLevel::from_k_sigma(2.0, 0.0);
        let of = |value: f32| Latent::new(LatentShape::new(1, 1, 1), vec![value]).unwrap();
        // x = 3 in EDM's own scale, where the clean latent is not scaled.
        let noisy = combine(&[(level.alpha, &of(3.0))]);
        let near = |latent: Latent, value: f64| {
            let found = f64::from(latent.values()[0]);
            assert!((found - value).abs() < 1e-6, "{found} for {value}");
        };
        near(edm.input(&noisy, level), 3.0 / 4.25_f64.sqrt());
        assert!((edm.time(level) - 2.0_f64.ln() / 4.0).abs() < 1e-12);
        let (skip, out) = (0.25 / 4.25, 2.0 * 0.5 / 4.25_f64.sqrt());
        near(edm.denoised(PredictionType::Epsilon, &noisy, &of(0.7), level), skip * 3.0 + out * 0.7);
        near(edm.denoised(PredictionType::V, &noisy, &of(0.7), level), skip * 3.0 - out * 0.7);
    }
}
