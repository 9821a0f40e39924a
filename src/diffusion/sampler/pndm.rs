//! PLMS: pseudo linear multistep, up to four earlier outputs of the network with Adams and Bashforth's weights for even
//! steps.
//!
//! Source: Liu et al. 2022, <https://arxiv.org/abs/2202.09778>, formulas 9 and 12 and algorithm 2; diffusers'
//! `PNDMScheduler` for the beginning. With `skip_prk_steps`, as in Stable Diffusion's configurations, the first step is
//! taken again with the mean of two outputs; otherwise the first three steps are Runge and Kutta's, with four network
//! calls each. Both come as steps of their own from the schedule.

use super::rule::{Denoiser, Plan, Sampler, SamplerStep, epsilon};
use super::spec::{End, FlowGrid, Grid, SamplerSpec};
use crate::catalog::{PredictionType, SamplerKind, TimestepSpacing};
use crate::diffusion::combine::combine;
use crate::diffusion::{Coordinates, DiffusionError, NoiseLevel, NoiseProcess, NoiseSource, ScheduleStep};
use crate::latent::Latent;

pub(super) const SPEC: SamplerSpec = SamplerSpec {
    kind: SamplerKind::Pndm,
    // The weights are those of steps that are even in time, and the first steps are of a lower order.
    order: Some(2),
    grid: Grid::PseudoMultistep,
    flow_grid: FlowGrid::Matching,
    end: End::AlphaToOne(false),
    spacing: TimestepSpacing::Leading,
    spreads: &[],
    clips_lambda: false,
    clip_sample: None,
    thresholds: false,
    new: |plan| Box::new(Pndm::new(plan)),
};

/// Network calls of the Runge–Kutta steps, and of each of them.
const RUNGE_KUTTA_CALLS: usize = 12;
const CALLS_PER_STEP: usize = 4;

/// Adams and Bashforth's weights for one to four outputs, newest first.
const WEIGHTS: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

struct Pndm {
    coordinates: Coordinates,
    process: NoiseProcess,
    /// Whether outputs are combined as velocities, before they become noise.
    of_velocities: bool,
    runge_kutta: bool,
    calls: usize,
    /// The first step's latent, its level and its length in timesteps.
    start: Option<(Latent, NoiseLevel, f64)>,
    /// Outputs at the starts of this and earlier steps, newest first.
    outputs: Vec<Latent>,
    /// Outputs within a Runge–Kutta step.
    stages: Vec<Latent>,
}

impl Pndm {
    fn new(plan: &Plan<'_>) -> Self {
        let of_velocities =
            plan.config.prediction_type == PredictionType::V && plan.coordinates == Coordinates::KSigma;
        Self {
            coordinates: plan.coordinates,
            process: NoiseProcess::of(plan.config),
            of_velocities,
            runge_kutta: !plan.config.skips_runge_kutta()
                && plan.planned > RUNGE_KUTTA_CALLS
                && plan.is_whole,
            calls: 0,
            start: None,
            outputs: Vec::new(),
            stages: Vec::new(),
        }
    }

    /// The network's output as it is combined: velocity, noise or a flow's slope.
    fn output(&self, noisy: &Latent, denoised: &Latent, level: NoiseLevel) -> Latent {
        if self.of_velocities {
            return combine(&[(level.alpha / level.sigma, noisy), (-1.0 / level.sigma, denoised)]);
        }
        self.coordinates.slope(noisy, denoised, level)
    }

    /// The latent at `to` by this output.
    fn transfer(&self, noisy: &Latent, from: NoiseLevel, to: NoiseLevel, output: &Latent) -> Latent {
        let space = self.coordinates;
        let (scale, distance) = (space.scale(to), space.time(to) - space.time(from));
        let kept = scale / space.scale(from);
        if self.of_velocities {
            let turned = scale * distance;
            return combine(&[(turned.mul_add(from.sigma, kept), noisy), (turned * from.alpha, output)]);
        }
        combine(&[(kept, noisy), (scale * distance, output)])
    }

    /// The level that diffusers takes the repeated first step from: one step before `level`.
    fn level_before(&self, level: NoiseLevel, timesteps: f64) -> NoiseLevel {
        match &self.process {
            NoiseProcess::VariancePreserving { alphas_cumprod } => {
                let t = ((level.timestep + timesteps) as usize).min(alphas_cumprod.len() - 1);
                NoiseLevel::from_alpha_cumprod(alphas_cumprod[t], t as f64)
            }
            NoiseProcess::Flow { .. } => level,
        }
    }

    /// One network call of a Runge–Kutta step, which begins at its first latent.
    fn stage(&mut self, noisy: &Latent, output: Latent, ScheduleStep { from, to }: ScheduleStep) -> Latent {
        let stage = self.calls % CALLS_PER_STEP;
        if stage == 0 {
            self.start = Some((noisy.clone(), from, 0.0));
            self.outputs.insert(0, output.clone());
            self.stages.clear();
        }
        self.stages.push(output);
        let slope = match &self.stages[..] {
            [k1, k2, k3, k4] => {
                combine(&[(1.0 / 6.0, k1), (1.0 / 3.0, k2), (1.0 / 3.0, k3), (1.0 / 6.0, k4)])
            }
            stages => stages[stages.len() - 1].clone(),
        };
        match &self.start {
            Some((start, level, _)) => self.transfer(start, *level, to, &slope),
            None => noisy.clone(),
        }
    }
}

impl Sampler for Pndm {
    fn step(
        &mut self,
        denoiser: &mut dyn Denoiser,
        noisy: &Latent,
        step: ScheduleStep,
        _noise: &mut NoiseSource,
    ) -> Result<SamplerStep, DiffusionError> {
        let ScheduleStep { from, to } = step;
        let denoised = denoiser.denoise(noisy, from)?;
        let output = self.output(noisy, &denoised, from);
        let next = if self.runge_kutta && self.calls < RUNGE_KUTTA_CALLS {
            self.stage(noisy, output, step)
        } else if let (1, true, Some((start, first, timesteps))) = (self.calls, from == to, &self.start) {
            let mean = combine(&[(0.5, &output), (0.5, &self.outputs[0])]);
            let before = self.level_before(from, *timesteps);
            // A latent without signal cannot be led by another slope than its own.
            if first.alpha == 0.0 { noisy.clone() } else { self.transfer(start, before, to, &mean) }
        } else {
            if self.calls == 0 {
                self.start = Some((noisy.clone(), from, from.timestep - to.timestep));
            }
            self.outputs.insert(0, output);
            self.outputs.truncate(WEIGHTS.len());
            let weights = WEIGHTS[self.outputs.len() - 1].iter().copied();
            if self.coordinates.time(from).is_finite() {
                let slope = combine(&weights.zip(&self.outputs).collect::<Vec<_>>());
                self.transfer(noisy, from, to, &slope)
            } else {
                let noise = epsilon(noisy, &denoised, from);
                combine(&[(to.alpha, &denoised), (to.sigma, &noise)])
            }
        };
        self.calls += 1;
        Ok(SamplerStep { noisy: next, denoised })
    }
}
