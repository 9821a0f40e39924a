//! How training adds noise to the data, and the coordinates in which samplers integrate back.

use super::sigmas::{alphas_cumprod, k_sigmas, timestep_at};
use super::{NoiseLevel, SchedulerConfig};
use crate::latent::Latent;

use super::combine::combine;

/// The noise of each training timestep.
#[derive(Clone, Debug, PartialEq)]
pub enum NoiseProcess {
    /// `alpha² + sigma² = 1` (Ho et al. 2020; Stable Diffusion 1, 2 and XL). EDM's process is the same in this scale,
    /// with a table of its own sigmas.
    VariancePreserving {
        /// ᾱ, the square of alpha, of each training timestep.
        alphas_cumprod: Vec<f64>,
    },
    /// `alpha + sigma = 1` (Lipman et al. 2022; SD3, FLUX): sigma is the time itself.
    Flow {
        /// Shift of the times towards high noise (Esser et al. 2024, section 5.3.2); 1 changes nothing.
        shift: f64,
        /// Number of training timesteps, which scales the timestep that the network gets.
        train: usize,
    },
}

impl NoiseProcess {
    /// The process of a scheduler's configuration.
    pub fn of(config: &SchedulerConfig) -> Self {
        match config.flow_shift_used() {
            Some(shift) => Self::Flow { shift, train: config.num_train_timesteps },
            None => Self::VariancePreserving { alphas_cumprod: alphas_cumprod(config) },
        }
    }

    /// The fractional training timestep of a level.
    pub(super) fn timestep_of(&self, level: NoiseLevel) -> f64 {
        match self {
            Self::VariancePreserving { alphas_cumprod } => {
                timestep_at(&k_sigmas(alphas_cumprod), level.k_sigma())
            }
            Self::Flow { train, .. } => level.sigma / (level.alpha + level.sigma) * *train as f64,
        }
    }

    /// The coordinates of its ordinary differential equation.
    pub fn coordinates(&self) -> Coordinates {
        match self {
            Self::VariancePreserving { .. } => Coordinates::KSigma,
            Self::Flow { .. } => Coordinates::Flow,
        }
    }
}

/// The coordinates in which the probability-flow ODE is `dx̃/dτ = slope` and a sampler may extrapolate.
///
/// At a [`NoiseLevel`] the latent is `x = scale · x̃`. The choice affects only rules of higher order.
/// k-diffusion's coordinates are infinite where alpha is 0, those of the flow are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// k-diffusion's: τ = sigma / alpha, x̃ = x / alpha, and the slope is the noise.
    KSigma,
    /// The flow's: τ = sigma / (alpha + sigma), and the slope is noise less data.
    Flow,
}

impl Coordinates {
    /// τ, which falls to 0 where there is no noise.
    pub fn time(self, level: NoiseLevel) -> f64 {
        match self {
            Self::KSigma => level.k_sigma(),
            Self::Flow => level.sigma / (level.alpha + level.sigma),
        }
    }

    /// The level at τ; `timestep` is what the network gets.
    pub(super) fn level(self, time: f64, timestep: f64) -> NoiseLevel {
        match self {
            Self::KSigma => NoiseLevel::from_k_sigma(time, timestep),
            Self::Flow => NoiseLevel::from_flow_time(time, timestep),
        }
    }

    /// The factor of x̃ in x.
    pub(super) fn scale(self, level: NoiseLevel) -> f64 {
        match self {
            Self::KSigma => level.alpha,
            Self::Flow => level.alpha + level.sigma,
        }
    }

    /// dx̃/dτ from x and x̂₀.
    pub(super) fn slope(self, noisy: &Latent, denoised: &Latent, level: NoiseLevel) -> Latent {
        let NoiseLevel { alpha, sigma, .. } = level;
        let data = match self {
            Self::KSigma => 0.0,
            Self::Flow => 1.0,
        };
        combine(&[(1.0 / sigma, noisy), (-alpha / sigma - data, denoised)])
    }
}
