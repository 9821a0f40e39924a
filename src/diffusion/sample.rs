//! The one sampling loop.

use std::sync::Arc;
use std::time::Instant;

use super::combine::combine;
use super::sampler::{Plan, spec};
use super::{Denoiser, DiffusionError, NoiseLevel, NoiseSource, Schedule, ScheduleStep, SchedulerConfig};
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

/// A part of a run: from where its settings take over to where those of the next part do. Most runs have one.
#[derive(Clone, Copy)]
pub struct RunPart<'a> {
    /// The model's scheduler.
    pub config: &'a SchedulerConfig,
    /// The sampler and its steps. A later part takes those below the level that the part before reached.
    pub schedule: &'a Schedule,
    /// Steps of the run that are taken before it.
    pub after: usize,
    /// Replaces x̂₀ of the step before. The latent moves by as much as the estimate, so that its noise stays.
    pub retouched: Option<&'a Latent>,
    /// The seed of its noise; `None` goes on with that of the part before.
    pub seed: Option<Seed>,
}

impl<'a> RunPart<'a> {
    /// A whole run.
    pub fn whole(config: &'a SchedulerConfig, schedule: &'a Schedule) -> Self {
        Self { config, schedule, after: 0, retouched: None, seed: None }
    }
}

/// The inputs of a run.
pub struct Run<'a> {
    /// The network with prompts and guidance.
    pub denoiser: &'a mut dyn Denoiser,
    /// At least one, in order.
    pub parts: &'a [RunPart<'a>],
    /// The first steps, if they have been taken before: the samplers take them again, with what the denoiser returned
    /// then.
    pub recorded: &'a [Arc<TrajectoryStep>],
    /// Where it starts.
    pub start: Start<'a>,
    /// The seed of its noise.
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
    let Run { denoiser, parts, recorded, start, seed, cancel } = run;
    let mut noise = new_noise(seed, &parts[0]);
    let (mut noisy, plans) = begin(parts, &start, &mut noise);
    let planned: usize = plans.iter().map(|plan| plan.steps.len()).sum();
    let source = match start {
        Start::Noise(_) => None,
        Start::Latent { latent, .. } => Some(latent.clone()),
    };
    let mut trajectory = Trajectory { source, steps: Vec::new() };
    for (part, PartSteps { steps, whole }) in parts.iter().zip(&plans) {
        if let Some(seed) = part.seed {
            noise = new_noise(seed, part);
        }
        if let (Some(retouched), Some(last), Some(first)) =
            (part.retouched, trajectory.steps.last(), steps.first())
        {
            let alpha = first.from.alpha;
            noisy = combine(&[(1.0, &noisy), (alpha, retouched), (-alpha, &last.denoised)]);
        }
        let mut rule = (spec(part.schedule.sampler).new)(&plan_of(part, *whole));
        for step in steps {
            if cancel.is_stopped() {
                return Err(DiffusionError::Cancelled);
            }
            let clock = Instant::now();
            let index = trajectory.steps.len();
            let taken_before = recorded.get(index);
            let before = taken_before.map_or(&[][..], |step| &step.outputs);
            let mut recorder = Recorder { denoiser, before, outputs: Vec::new() };
            recorder.begin_step(index, planned, step.to);
            let done = rule.step(&mut recorder, &noisy, *step, &mut noise)?;
            let outputs = recorder.outputs;
            for (latent, stage) in
                [(&done.denoised, "the network's prediction"), (&done.noisy, "the sampler's step")]
            {
                if first_non_finite(latent).is_some() {
                    return Err(DiffusionError::NonFinite { step: index + 1, steps: planned, stage });
                }
            }
            let sigma = part.schedule.coordinates.time(step.from);
            let finished = Arc::new(TrajectoryStep {
                step: index + 1,
                steps: planned,
                sigma: if sigma.is_finite() { sigma } else { LARGEST_SIGMA },
                noisy,
                denoised: done.denoised,
                outputs,
                elapsed_secs: taken_before
                    .map_or_else(|| clock.elapsed().as_secs_f64(), |step| step.elapsed_secs),
            });
            on_step(Arc::clone(&finished));
            let finish = cancel.ends_sampling() && !cancel.is_stopped() && index + 1 < planned;
            let estimate = finish.then(|| finished.denoised.clone());
            trajectory.steps.push(finished);
            if let Some(latent) = estimate {
                return Ok(SampledRun { latent, trajectory, finished_early: true });
            }
            noisy = done.noisy;
        }
    }
    if cancel.is_stopped() {
        return Err(DiffusionError::Cancelled);
    }
    Ok(SampledRun { latent: noisy, trajectory, finished_early: false })
}

fn new_noise(seed: Seed, part: &RunPart<'_>) -> NoiseSource {
    NoiseSource::new(seed).in_patches(part.config.noise_in_patches)
}

/// What the sampler of a part is given, whose steps are this many if no other part follows.
fn plan_of<'a>(part: &RunPart<'a>, steps: usize) -> Plan<'a> {
    let RunPart { config, schedule, .. } = *part;
    let all = schedule.steps.len();
    Plan {
        config,
        coordinates: schedule.coordinates,
        // The sampler of a later part begins with it, and has not skipped a step.
        planned: if part.after == 0 { all } else { steps },
        taken: steps,
        is_whole: part.after == 0 && steps == all,
        eta: schedule.eta,
    }
}

/// Returns what the denoiser returned before, and then calls it.
struct Recorder<'a> {
    denoiser: &'a mut dyn Denoiser,
    before: &'a [Latent],
    /// What it returned in this step.
    outputs: Vec<Latent>,
}

impl Denoiser for Recorder<'_> {
    fn begin_step(&mut self, index: usize, steps: usize, target: NoiseLevel) {
        self.denoiser.begin_step(index, steps, target);
    }

    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        let output = match self.before.get(self.outputs.len()) {
            Some(output) => output.clone(),
            None => self.denoiser.denoise(noisy, level)?,
        };
        self.outputs.push(output.clone());
        Ok(output)
    }
}

/// The steps of a part.
struct PartSteps {
    /// Those that are taken.
    steps: Vec<ScheduleStep>,
    /// Number of steps of the part if no other follows it.
    whole: usize,
}

impl PartSteps {
    fn new(steps: Vec<ScheduleStep>) -> Self {
        Self { whole: steps.len(), steps }
    }
}

/// The first latent, and the steps of each part.
fn begin(parts: &[RunPart<'_>], start: &Start<'_>, noise: &mut NoiseSource) -> (Latent, Vec<PartSteps>) {
    let schedule = parts[0].schedule;
    let (first, steps) = match start {
        Start::Noise(shape) => {
            let first = combine(&[(schedule.initial_noise_scale, &noise.latent(*shape))]);
            (first, schedule.steps.as_slice().into())
        }
        Start::Latent { latent, strength } => {
            let steps = schedule.for_strength(*strength);
            let first = match steps.first() {
                Some(step) => {
                    let fresh = noise.latent(latent.shape());
                    combine(&[(step.from.alpha, latent), (step.from.sigma, &fresh)])
                }
                None => (*latent).clone(),
            };
            (first, steps)
        }
    };
    let mut plans = vec![PartSteps::new(steps.into_owned())];
    for (before, part) in parts.iter().zip(&parts[1..]) {
        let last = plans.len() - 1;
        let steps = &mut plans[last].steps;
        steps.truncate(part.after.saturating_sub(before.after));
        let rest = steps.last().map(|step| part.schedule.below(step.to));
        plans.push(PartSteps::new(rest.unwrap_or_else(|| part.schedule.steps.clone())));
    }
    (first, plans)
}
