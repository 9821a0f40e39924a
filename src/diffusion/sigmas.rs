//! The noise levels of training, and the ways to space those of a run.

use super::scheduler_config::Edm;
use super::{BetaSchedule, SchedulerConfig};
use crate::catalog::TimestepSpacing;

/// ρ of Karras et al. 2022, equation 5.
const RHO: f64 = 7.0;

/// A rule for the sigmas between the largest and the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// Karras et al. 2022, equation 5.
    Karras,
    /// Even in λ, which is even in the logarithm of sigma; it differs in the timesteps that the network gets.
    Lu,
    /// Even in the logarithm of sigma.
    Exponential,
    /// At the quantiles of a beta distribution.
    Beta,
}

impl Spread {
    /// The first of these rules that a configuration uses.
    pub(super) fn used(config: &SchedulerConfig, of: &[Self]) -> Option<Self> {
        if let Some(edm) = config.edm() {
            return Some(if edm.is_exponential { Self::Exponential } else { Self::Karras });
        }
        of.iter().copied().find(|spread| match spread {
            Self::Karras => config.use_karras_sigmas,
            Self::Lu => config.use_lu_lambdas,
            Self::Exponential => config.use_exponential_sigmas,
            Self::Beta => config.use_beta_sigmas,
        })
    }

    /// `n` sigmas from `max` to `min`, or between the configuration's own bounds.
    pub(super) fn sigmas(self, config: &SchedulerConfig, max: f64, min: f64, n: usize) -> Vec<f64> {
        let edm = config.edm();
        let (own_max, own_min) = match edm {
            Some(edm) => (edm.sigma_max, edm.sigma_min),
            None => (config.sigma_max.unwrap_or(max), config.sigma_min.unwrap_or(min)),
        };
        match self {
            Self::Karras => karras(own_max, own_min, n, edm.map_or(RHO, |edm| edm.rho)),
            Self::Lu => exponential(max, min, n),
            Self::Exponential => exponential(own_max, own_min, n),
            Self::Beta => beta(own_max, own_min, n),
        }
    }

    /// The whole timestep that diffusers' solvers give the network.
    pub(super) fn whole(self, config: &SchedulerConfig, timestep: f64) -> f64 {
        match self {
            Self::Karras | Self::Lu if config.beta_schedule != BetaSchedule::SquaredcosCapV2 => {
                timestep.round_ties_even()
            }
            // diffusers' f32 logarithms are slightly too small, which turns 999 into 998.
            Self::Karras | Self::Lu | Self::Exponential | Self::Beta => (timestep - 1e-6).trunc().max(0.0),
        }
    }
}

/// The cumulative products ᾱ of `1 − beta`, one for each training timestep; for EDM, those of sigmas that are even in
/// their logarithm, since its training knows no timesteps.
pub(super) fn alphas_cumprod(config: &SchedulerConfig) -> Vec<f64> {
    if let Some(Edm { sigma_min, sigma_max, .. }) = config.edm() {
        let sigmas = exponential(sigma_min, sigma_max, config.num_train_timesteps);
        return sigmas.into_iter().map(|sigma| 1.0 / (1.0 + sigma * sigma)).collect();
    }
    let mut betas = config.trained_betas.clone().unwrap_or_else(|| betas(config));
    if config.rescale_betas_zero_snr {
        betas = zero_terminal_snr(&betas);
    }
    cumulative_product(betas.iter().map(|b| 1.0 - b))
}

/// k-diffusion's sigma of each training timestep. A terminal signal of 0 is replaced, as in diffusers, with the
/// smallest one.
pub(super) fn k_sigmas(alphas_cumprod: &[f64]) -> Vec<f64> {
    let signal = |bar: f64| if bar > 0.0 { bar } else { 2.0_f64.powi(-24) };
    alphas_cumprod.iter().map(|&bar| signal(bar)).map(|bar| ((1.0 - bar) / bar).sqrt()).collect()
}

/// The betas of a rule.
fn betas(config: &SchedulerConfig) -> Vec<f64> {
    let n = config.num_train_timesteps;
    let (start, end) = (config.beta_start, config.beta_end);
    let from_bars = |bar: fn(f64) -> f64| -> Vec<f64> {
        let at = |i: usize| i as f64 / n as f64;
        (0..n).map(|i| (1.0 - bar(at(i + 1)) / bar(at(i))).min(0.999)).collect()
    };
    match config.beta_schedule {
        BetaSchedule::Linear => linspace(start, end, n),
        BetaSchedule::ScaledLinear => {
            linspace(start.sqrt(), end.sqrt(), n).into_iter().map(|b| b * b).collect()
        }
        BetaSchedule::SquaredcosCapV2 => {
            from_bars(|t| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2))
        }
        BetaSchedule::Sigmoid => {
            linspace(-6.0, 6.0, n).into_iter().map(|x| (end - start) / (1.0 + (-x).exp()) + start).collect()
        }
        BetaSchedule::Exp => from_bars(|t| (-12.0 * t).exp()),
        BetaSchedule::Laplace => from_bars(|t| {
            // The signal-to-noise ratio is the square root of e^λ, with diffusers' guard against log 0.
            let lambda = -0.5 * 1.0_f64.copysign(0.5 - t) * (1.0 - 2.0 * (0.5 - t).abs() + 1e-6).ln();
            (lambda.exp() / (1.0 + lambda.exp())).sqrt()
        }),
    }
}

/// Shifts and scales √ᾱ so that the last is 0 and the first is unchanged (Lin et al. 2023, algorithm 1).
fn zero_terminal_snr(betas: &[f64]) -> Vec<f64> {
    let roots: Vec<f64> =
        cumulative_product(betas.iter().map(|b| 1.0 - b)).into_iter().map(f64::sqrt).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let bars: Vec<f64> = roots.iter().map(|r| ((r - last) * first / (first - last)).powi(2)).collect();
    (0..bars.len()).map(|i| 1.0 - if i == 0 { bars[0] } else { bars[i] / bars[i - 1] }).collect()
}

fn cumulative_product(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values
        .scan(1.0, |product, v| {
            *product *= v;
            Some(*product)
        })
        .collect()
}

/// `n` values from `first` to `last`, both included.
pub(super) fn linspace(first: f64, last: f64, n: usize) -> Vec<f64> {
    let step = if n > 1 { (last - first) / (n - 1) as f64 } else { 0.0 };
    (0..n).map(|i| first + step * i as f64).collect()
}

/// Timesteps of the k-diffusion family and of DDIM and DDPM, first to last. Linspace ones may be fractional.
pub(super) fn spaced_timesteps(
    spacing: TimestepSpacing,
    train: usize,
    steps: usize,
    offset: usize,
) -> Vec<f64> {
    match spacing {
        TimestepSpacing::Linspace => {
            let mut t = linspace(0.0, (train - 1) as f64, steps);
            t.reverse();
            t
        }
        TimestepSpacing::Leading => {
            let ratio = train / steps;
            (0..steps).rev().map(|i| (i * ratio + offset) as f64).collect()
        }
        TimestepSpacing::Trailing => trailing(train, steps),
    }
}

/// Timesteps of DPM-Solver++ and UniPC, whose linspace and leading spacings divide into one interval more.
///
/// `last`: timesteps that may be visited, fewer than `train` where λ is clipped.
pub(super) fn solver_timesteps(
    spacing: TimestepSpacing,
    train: usize,
    last: usize,
    steps: usize,
    offset: usize,
) -> Vec<f64> {
    match spacing {
        TimestepSpacing::Linspace => {
            let t = linspace(0.0, (last - 1) as f64, steps + 1);
            t[1..].iter().rev().map(|t| t.round_ties_even()).collect()
        }
        TimestepSpacing::Leading => {
            // With as many steps as timesteps an interval would be 0.
            let ratio = (last / (steps + 1)).max(1);
            (1..=steps).rev().map(|i| (i * ratio + offset) as f64).collect()
        }
        TimestepSpacing::Trailing => trailing_to(train, last, steps),
    }
}

fn trailing(train: usize, steps: usize) -> Vec<f64> {
    trailing_to(train, train, steps)
}

fn trailing_to(train: usize, last: usize, steps: usize) -> Vec<f64> {
    let ratio = train as f64 / steps as f64;
    // As numpy's arange: values down to 0, which after rounding may be one more than `steps`.
    let count = (last as f64 / ratio).ceil() as usize;
    (0..count).map(|i| (last as f64 - ratio * i as f64).round_ties_even() - 1.0).collect()
}

/// Linear interpolation between the training sigmas, as `numpy.interp`.
pub(super) fn interpolate(sigmas: &[f64], timestep: f64) -> f64 {
    let t = timestep.clamp(0.0, (sigmas.len() - 1) as f64);
    let below = (t.floor() as usize).min(sigmas.len() - 2);
    let share = t - below as f64;
    sigmas[below] + (sigmas[below + 1] - sigmas[below]) * share
}

/// Karras et al. 2022, equation 5: `n` sigmas from `max` to `min`.
fn karras(max: f64, min: f64, n: usize, rho: f64) -> Vec<f64> {
    let (high, low) = (max.powf(1.0 / rho), min.powf(1.0 / rho));
    linspace(high, low, n).into_iter().map(|r| r.powf(rho)).collect()
}

/// `n` sigmas from `max` to `min` in equal steps of their logarithm.
fn exponential(max: f64, min: f64, n: usize) -> Vec<f64> {
    linspace(max.ln(), min.ln(), n).into_iter().map(f64::exp).collect()
}

/// `n` sigmas from `max` to `min` at the quantiles of a beta distribution (Lee et al. 2024,
/// <https://arxiv.org/abs/2407.12173>).
fn beta(max: f64, min: f64, n: usize) -> Vec<f64> {
    linspace(1.0, 0.0, n).into_iter().map(|p| min + beta_quantile(p) * (max - min)).collect()
}

/// Both shapes of the beta distribution, as diffusers has them.
const BETA_SHAPE: f64 = 0.6;
/// The beta function of the two shapes, Γ(0.6)² / Γ(1.2).
const BETA_FUNCTION: f64 = 2.415_344_208_002_471_4;

/// The quantile of Beta(0.6, 0.6) at `p`, by bisection.
fn beta_quantile(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return p.clamp(0.0, 1.0);
    }
    if p > 0.5 {
        // The distribution is symmetric, and the continued fraction converges fast below the middle.
        return 1.0 - beta_quantile(1.0 - p);
    }
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if beta_distribution(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The distribution function of Beta(0.6, 0.6) for `x` up to a half, by its continued fraction
/// (Abramowitz & Stegun 26.5.8) from the inside out.
fn beta_distribution(x: f64) -> f64 {
    const TERMS: u32 = 40;
    let (a, b) = (BETA_SHAPE, BETA_SHAPE);
    let fraction = (1..=TERMS).rev().fold(1.0, |inner, i| {
        let m = f64::from(i / 2);
        let numerator = if i % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        1.0 + numerator / inner
    });
    (x * (1.0 - x)).powf(BETA_SHAPE) / (BETA_SHAPE * BETA_FUNCTION * fraction)
}

/// The fractional training timestep at a sigma: linear in log sigma, as k-diffusion's `sigma_to_t`.
pub(super) fn timestep_at(sigmas: &[f64], sigma: f64) -> f64 {
    let log = sigma.max(1e-10).ln();
    let low = sigmas.partition_point(|s| s.ln() <= log).saturating_sub(1).min(sigmas.len() - 2);
    let (below, above) = (sigmas[low].ln(), sigmas[low + 1].ln());
    let share = ((below - log) / (below - above)).clamp(0.0, 1.0);
    low as f64 + share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beta_quantiles_are_scipy_s() {
        // scipy.stats.beta.ppf(p, 0.6, 0.6)
        for (p, quantile) in QUANTILES {
            assert!((beta_quantile(p) - quantile).abs() < 1e-12, "{p}: {}", beta_quantile(p));
        }
    }

    const QUANTILES: [(f64, f64); 5] = [
        (0.001, 1.855873851745199e-05),
        (0.2, 0.12292175045833292),
        (0.5, 0.5000000000000001),
        (0.7, 0.7659829961247643),
        (0.999, 0.9999814412614826),
    ];
}
