//! Noise levels, and the steps between them.

/// One noise level, `x = alpha · x₀ + sigma · ε`, and the timestep that the network gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// Factor of the clean latent.
    pub alpha: f64,
    /// Factor of the noise.
    pub sigma: f64,
    /// The training timestep, 0 for the least noise; may be fractional.
    pub timestep: f64,
}

impl NoiseLevel {
    /// No noise at all.
    pub const CLEAN: Self = Self { alpha: 1.0, sigma: 0.0, timestep: 0.0 };

    /// A variance-preserving level from k-diffusion's sigma.
    pub fn from_k_sigma(k_sigma: f64, timestep: f64) -> Self {
        let norm = k_sigma.hypot(1.0);
        Self { alpha: 1.0 / norm, sigma: k_sigma / norm, timestep }
    }

    /// A flow's level, where sigma is the time.
    pub(super) fn from_flow_time(time: f64, timestep: f64) -> Self {
        Self { alpha: 1.0 - time, sigma: time, timestep }
    }

    /// A variance-preserving level from ᾱ, the square of alpha.
    pub(super) fn from_alpha_cumprod(bar: f64, timestep: f64) -> Self {
        Self { alpha: bar.sqrt(), sigma: (1.0 - bar).sqrt(), timestep }
    }

    /// k-diffusion's sigma: noise over signal, infinite where there is no signal.
    pub fn k_sigma(self) -> f64 {
        self.sigma / self.alpha
    }

    /// Half the logarithm of the signal-to-noise ratio, DPM-Solver's lambda; infinite at either end.
    pub fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }
}

/// One step: from a noise level to a lower one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleStep {
    /// Where the step starts.
    pub from: NoiseLevel,
    /// Where it ends.
    pub to: NoiseLevel,
}
