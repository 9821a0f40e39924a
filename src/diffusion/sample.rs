//! The one sampling loop.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::combine::combine;
use super::sampler::{Plan, spec};
use super::{Denoiser, DiffusionError, NoiseSource, Schedule, ScheduleStep, SchedulerConfig};
use crate::latent::{Latent, LatentShape, Trajectory, TrajectoryStep, first_non_finite};
use crate::request::{CancelToken, Seed};

/// Where a run starts.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    /// Noise of this shape.
    Noise(LatentShape),
    /// A latent in model space with noise added: strength 0 keeps it, 1 is pure noise.
    Latent {
        /// The source.
        latent: &'a Latent,
        /// 0..=1.
        strength: f64,
    },
}

/// The inputs of a run.
pub struct Run<'a> {
    /// The network with prompts and guidance.
    pub denoiser: &'a mut dyn Denoiser,
    /// The model's scheduler.
    pub config: &'a SchedulerConfig,
    /// The sampler and its steps.
    pub schedule: &'a Schedule,
    /// Where it starts.
    pub start: Start<'a>,
    /// The seed of all its noise.
    pub seed: Seed,
    /// [`CancelToken::stop`] ends with [`DiffusionError::Cancelled`], at the latest at the next block
    /// of the network; [`CancelToken::finish`] ends the run after the current step, with its x̂₀.
    pub cancel: &'a CancelToken,
}

/// The result of a run.
pub struct SampledRun {
    /// The final latent, model space.
    pub latent: Latent,
    /// Every step.
    pub trajectory: Trajectory,
    /// Whether the user ended the run before its last step.
    pub finished_early: bool,
}

/// Replaces an infinite sigma, of a level without signal: the sigma of the smallest signal in diffusers, 2⁻²⁴.
const LARGEST_SIGMA: f64 = 4096.0;

/// Runs a sampler over a schedule. `on_step` is called after each step.
///
/// # Errors
/// [`DiffusionError::NonFinite`] with the step whose values are not finite; the errors of the denoiser.
pub fn sample(
    run: Run<'_>,
    on_step: &mut dyn FnMut(Arc<TrajectoryStep>),
) -> Result<SampledRun, DiffusionError> {
    let Run { denoiser, config, schedule, start, seed, cancel } = run;
    let mut noise = NoiseSource::new(seed).in_patches(config.noise_in_patches);
    let (mut noisy, steps) = begin(schedule, &start, &mut noise);
    let coordinates = schedule.coordinates;
    let plan =
        Plan { config, coordinates, planned: schedule.steps.len(), taken: steps.len(), eta: schedule.eta };
    let mut rule = (spec(schedule.sampler).new)(&plan);
    let mut trajectory = Trajectory::default();
    for (index, step) in steps.iter().enumerate() {
        if cancel.is_stopped() {
            return Err(DiffusionError::Cancelled);
        }
        let clock = Instant::now();
        denoiser.begin_step(index, steps.len(), step.to);
        let done = rule.step(denoiser, &noisy, *step, &mut noise)?;
        for (latent, stage) in
            [(&done.denoised, "the network's prediction"), (&done.noisy, "the sampler's step")]
        {
            if first_non_finite(latent).is_some() {
                return Err(DiffusionError::NonFinite { step: index + 1, steps: steps.len(), stage });
            }
        }
        let sigma = coordinates.time(step.from);
        let finished = Arc::new(TrajectoryStep {
            step: index + 1,
            steps: steps.len(),
            sigma: if sigma.is_finite() { sigma } else { LARGEST_SIGMA },
            noisy,
            denoised: done.denoised,
            elapsed_secs: clock.elapsed().as_secs_f64(),
        });
        on_step(Arc::clone(&finished));
        let finish = cancel.ends_sampling() && !cancel.is_stopped() && index + 1 < steps.len();
        let estimate = finish.then(|| finished.denoised.clone());
        trajectory.steps.push(finished);
        if let Some(latent) = estimate {
            return Ok(SampledRun { latent, trajectory, finished_early: true });
        }
        noisy = done.noisy;
    }
    if cancel.is_stopped() {
        return Err(DiffusionError::Cancelled);
    }
    Ok(SampledRun { latent: noisy, trajectory, finished_early: false })
}

/// The first latent and the steps to take from it.
fn begin<'s>(
    schedule: &'s Schedule,
    start: &Start<'_>,
    noise: &mut NoiseSource,
) -> (Latent, Cow<'s, [ScheduleStep]>) {
    match start {
        Start::Noise(shape) => {
            let first = combine(&[(schedule.initial_noise_scale, &noise.latent(*shape))]);
            (first, schedule.steps.as_slice().into())
        }
        Start::Latent { latent, strength } => {
            let steps = schedule.for_strength(*strength);
            let Some(first) = steps.first() else { return ((*latent).clone(), steps) };
            let fresh = noise.latent(latent.shape());
            (combine(&[(first.from.alpha, latent), (first.from.sigma, &fresh)]), steps)
        }
    }
}
