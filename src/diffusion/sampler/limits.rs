//! Clamping and thresholding of x̂₀, which some pixel models need.

use super::spec::SamplerSpec;
use crate::diffusion::SchedulerConfig;
use crate::latent::Latent;

/// The bound of x̂₀.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::diffusion) enum Limits {
    /// No bound, as for latents.
    None,
    /// Clamp to ± this value.
    Clamp(f64),
    /// Saharia et al. 2022, section 2.3: to ± the quantile of the magnitudes, at least 1 and at most
    /// `most`, then divided by it.
    Threshold {
        /// The quantile, 0..=1.
        quantile: f64,
        /// The largest bound.
        most: f64,
    },
}

impl Limits {
    /// The bound that diffusers' scheduler for a sampler takes from this configuration.
    pub(in crate::diffusion) fn of(config: &SchedulerConfig, spec: &SamplerSpec) -> Self {
        if spec.thresholds && config.thresholding {
            let (quantile, most) = (config.dynamic_thresholding_ratio, config.sample_max_value);
            return Self::Threshold { quantile, most };
        }
        match spec.clip_sample {
            Some(default) if config.clip_sample.unwrap_or(default) => Self::Clamp(config.clip_sample_range),
            _ => Self::None,
        }
    }

    pub(super) fn apply(self, denoised: Latent) -> Latent {
        match self {
            Self::None => denoised,
            Self::Clamp(bound) => {
                let bound = bound as f32;
                denoised.map(|_, value| value.clamp(-bound, bound))
            }
            Self::Threshold { quantile, most } => {
                let magnitudes = denoised.values().iter().map(|value| value.abs()).collect();
                let bound = quantile_of(magnitudes, quantile).max(1.0).min(most) as f32;
                denoised.map(|_, value| value.clamp(-bound, bound) / bound)
            }
        }
    }
}

/// A quantile, linear between the two nearest values, as `torch.quantile`.
fn quantile_of(mut values: Vec<f32>, quantile: f64) -> f64 {
    values.sort_by(f32::total_cmp);
    let place = quantile * values.len().saturating_sub(1) as f64;
    let (below, share) = (place.floor() as usize, place.fract());
    let at = |index: usize| values.get(index).or(values.last()).copied().map_or(0.0, f64::from);
    at(below) + (at(below + 1) - at(below)) * share
}
