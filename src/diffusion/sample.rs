//! The one sampling loop.

use std::time::Instant;

use candle_core::{Device, Tensor};

use super::prediction::combine;
use super::sampler::new_sampler;
use super::{Denoiser, DiffusionError, NoiseSource, Schedule, SchedulerConfig, SigmaStep};
use crate::latent::{Latent, LatentShape, Trajectory, TrajectoryStep};
use crate::request::{CancelToken, SamplerKind};

/// Where a run starts.
pub enum Start<'a> {
    /// Noise of this shape.
    Noise(LatentShape),
    /// A latent in model space, noised as far as the strength says: 0 keeps it, 1 is all noise.
    Latent {
        /// The source.
        latent: &'a Latent,
        /// 0..=1.
        strength: f64,
    },
}

/// A finished step, while the run goes on.
pub struct StepReport<'a> {
    /// Steps done, 1 for the first.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// What the step saw.
    pub state: &'a TrajectoryStep,
    /// Seconds it took.
    pub elapsed_secs: f64,
}

/// What a run gives.
pub struct SampledRun {
    /// The final latent, model space.
    pub latent: Latent,
    /// Every step.
    pub trajectory: Trajectory,
    /// Whether the person asked for the end before the last step.
    pub finished_early: bool,
}

/// Runs a sampler over a schedule.
///
/// `cancel`: [`CancelToken::stop`] ends with [`DiffusionError::Cancelled`], at the latest when the
/// network's next block looks at it; [`CancelToken::finish`] ends after the present step with its x̂₀.
///
/// # Errors
/// [`DiffusionError::NonFinite`] names the step whose values are not numbers.
pub fn sample(
    denoiser: &mut dyn Denoiser,
    config: &SchedulerConfig,
    sampler: SamplerKind,
    schedule: &Schedule,
    start: &Start<'_>,
    noise: &mut NoiseSource,
    device: &Device,
    cancel: &CancelToken,
    on_step: &mut dyn FnMut(&StepReport<'_>),
) -> Result<SampledRun, DiffusionError> {
    let (mut noisy, steps) = begin(schedule, start, noise, device)?;
    let mut rule = new_sampler(sampler, config, steps);
    let mut trajectory = Trajectory::default();
    let mut before = latent_from_tensor(&noisy)?;
    for (index, step) in steps.iter().enumerate() {
        if cancel.is_stopped() {
            return Err(DiffusionError::Cancelled);
        }
        let clock = Instant::now();
        let done = rule.step(denoiser, &noisy, *step, noise)?;
        let denoised = latent_from_tensor(&done.denoised)?;
        let after = latent_from_tensor(&done.noisy)?;
        for (latent, stage) in [(&denoised, "the network's prediction"), (&after, "the sampler's step")] {
            if crate::latent::first_non_finite(latent).is_some() {
                return Err(DiffusionError::NonFinite { step: index + 1, steps: steps.len(), stage });
            }
        }
        let state = TrajectoryStep { sigma: step.from.k_sigma(), noisy: before, denoised };
        on_step(&StepReport {
            step: index + 1,
            steps: steps.len(),
            state: &state,
            elapsed_secs: clock.elapsed().as_secs_f64(),
        });
        let finish = cancel.ends_sampling() && !cancel.is_stopped() && index + 1 < steps.len();
        let estimate = state.denoised.clone();
        trajectory.steps.push(state);
        if finish {
            return Ok(SampledRun { latent: estimate, trajectory, finished_early: true });
        }
        noisy = done.noisy;
        before = after;
    }
    if cancel.is_stopped() {
        return Err(DiffusionError::Cancelled);
    }
    Ok(SampledRun { latent: before, trajectory, finished_early: false })
}

/// The first latent `[1, C, H, W]` and the steps to take from it.
fn begin<'s>(
    schedule: &'s Schedule,
    start: &Start<'_>,
    noise: &mut NoiseSource,
    device: &Device,
) -> Result<(Tensor, &'s [SigmaStep]), DiffusionError> {
    match start {
        Start::Noise(shape) => {
            let unit = noise.normal_tensor(&[1, shape.channels, shape.height, shape.width], device)?;
            Ok((combine(&[(schedule.initial_noise_scale, &unit)])?, &schedule.steps))
        }
        Start::Latent { latent, strength } => {
            let steps = schedule.for_strength(*strength);
            let clean = tensor_from_latent(latent, device)?;
            let Some(first) = steps.first() else { return Ok((clean, steps)) };
            let fresh = noise.normal_tensor(clean.dims(), device)?;
            Ok((combine(&[(first.from.alpha, &clean), (first.from.sigma, &fresh)])?, steps))
        }
    }
}

/// `[1, C, H, W]` f32 on `device` from plain data.
fn tensor_from_latent(latent: &Latent, device: &Device) -> candle_core::Result<Tensor> {
    let LatentShape { channels, height, width } = latent.shape();
    Tensor::from_slice(latent.values(), (1, channels, height, width), &Device::Cpu)?.to_device(device)
}

/// Plain data from `[1, C, H, W]`.
fn latent_from_tensor(tensor: &Tensor) -> candle_core::Result<Latent> {
    let (_, channels, height, width) = tensor.dims4()?;
    let values = tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Latent::new(LatentShape::new(channels, height, width), values)
        .map_err(|error| candle_core::Error::Msg(error.to_string()))
}
