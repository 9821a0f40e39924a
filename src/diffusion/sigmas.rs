//! Training noise levels, and the ways to walk through them.

use super::{BetaSchedule, SchedulerConfig};
use crate::request::TimestepSpacing;

/// Karras et al. 2022, equation 5: the value used there.
const RHO: f64 = 7.0;

/// The cumulative products ᾱ of `1 − beta`, one for each training timestep.
pub(super) fn alphas_cumprod(config: &SchedulerConfig) -> Vec<f64> {
    let n = config.num_train_timesteps;
    let mut betas: Vec<f64> = match config.beta_schedule {
        BetaSchedule::Linear => linspace(config.beta_start, config.beta_end, n),
        BetaSchedule::ScaledLinear => {
            linspace(config.beta_start.sqrt(), config.beta_end.sqrt(), n).into_iter().map(|b| b * b).collect()
        }
        BetaSchedule::SquaredcosCapV2 => {
            let bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
            let at = |i: usize| i as f64 / n as f64;
            (0..n).map(|i| (1.0 - bar(at(i + 1)) / bar(at(i))).min(0.999)).collect()
        }
    };
    if config.rescale_betas_zero_snr {
        betas = zero_terminal_snr(&betas);
    }
    cumulative_product(betas.iter().map(|b| 1.0 - b))
}

/// Shifts and scales √ᾱ so that the last is 0 and the first stays (Lin et al. 2023, algorithm 1).
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

/// Timesteps of DPM-Solver++ and UniPC, whose linspace and leading count one interval more.
pub(super) fn solver_timesteps(
    spacing: TimestepSpacing,
    train: usize,
    steps: usize,
    offset: usize,
) -> Vec<f64> {
    match spacing {
        TimestepSpacing::Linspace => {
            let t = linspace(0.0, (train - 1) as f64, steps + 1);
            t[1..].iter().rev().map(|t| t.round_ties_even()).collect()
        }
        TimestepSpacing::Leading => {
            let ratio = train / (steps + 1);
            (1..=steps).rev().map(|i| (i * ratio + offset) as f64).collect()
        }
        TimestepSpacing::Trailing => trailing(train, steps),
    }
}

fn trailing(train: usize, steps: usize) -> Vec<f64> {
    let ratio = train as f64 / steps as f64;
    // numpy's arange: as many values as fit before 0, which rounding may make one more than `steps`.
    let count = (train as f64 / ratio).ceil() as usize;
    (0..count).map(|i| (train as f64 - ratio * i as f64).round_ties_even() - 1.0).collect()
}

/// Linear between the training sigmas, as `numpy.interp`.
pub(super) fn interpolate(sigmas: &[f64], timestep: f64) -> f64 {
    let t = timestep.clamp(0.0, (sigmas.len() - 1) as f64);
    let below = (t.floor() as usize).min(sigmas.len() - 2);
    let share = t - below as f64;
    sigmas[below] + (sigmas[below + 1] - sigmas[below]) * share
}

/// Karras et al. 2022, equation 5: `n` sigmas from `max` to `min`.
pub(super) fn karras(max: f64, min: f64, n: usize) -> Vec<f64> {
    let (high, low) = (max.powf(1.0 / RHO), min.powf(1.0 / RHO));
    linspace(high, low, n).into_iter().map(|r| r.powf(RHO)).collect()
}

/// `n` sigmas from `max` to `min` in equal steps of their logarithm.
pub(super) fn exponential(max: f64, min: f64, n: usize) -> Vec<f64> {
    linspace(max.ln(), min.ln(), n).into_iter().map(f64::exp).collect()
}

/// The fractional training timestep at a sigma: linear in log sigma, as k-diffusion's `sigma_to_t`.
pub(super) fn timestep_at(sigmas: &[f64], sigma: f64) -> f64 {
    let log = sigma.max(1e-10).ln();
    let low = sigmas.partition_point(|s| s.ln() <= log).saturating_sub(1).min(sigmas.len() - 2);
    let (below, above) = (sigmas[low].ln(), sigmas[low + 1].ln());
    let share = ((below - log) / (below - above)).clamp(0.0, 1.0);
    low as f64 + share
}
