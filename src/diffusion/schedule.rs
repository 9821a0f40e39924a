//! The noise levels of one run.

use super::sampler::{End, FlowGrid, Grid, SamplerSpec, spec};
use super::scheduler_config::FinalSigma;
use super::sigmas::{Spread, interpolate, linspace, solver_timesteps, spaced_timesteps, timestep_at};
use super::{Coordinates, DiffusionError, NoiseLevel, NoiseProcess, ScheduleStep, SchedulerConfig};
use crate::catalog::{SamplerKind, ScheduleKind, TimestepSpacing};

/// The steps of a run, and the sampler they are for.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Which sampler takes them.
    pub sampler: SamplerKind,
    /// The coordinates of its ordinary differential equation.
    pub coordinates: Coordinates,
    /// First to last.
    pub steps: Vec<ScheduleStep>,
    /// Factor of unit noise at the start of a run from noise (diffusers' `init_noise_sigma`).
    pub initial_noise_scale: f64,
}

impl Schedule {
    /// The steps that diffusers' scheduler for this sampler takes with this configuration.
    ///
    /// # Errors
    /// [`DiffusionError::Steps`] for a number of steps that the sampler does not support.
    pub fn new(
        config: &SchedulerConfig,
        sampler: SamplerKind,
        kind: ScheduleKind,
        steps: usize,
    ) -> Result<Self, DiffusionError> {
        let most = config.step_limits().most(sampler);
        if steps == 0 || steps > most {
            return Err(DiffusionError::Steps { steps, most });
        }
        let spec = spec(sampler);
        let own = config.timestep_spacing.unwrap_or(spec.spacing);
        let (spacing, spread) = match kind {
            ScheduleKind::Model => (own, Spread::used(config, spec.spreads)),
            ScheduleKind::Leading => (TimestepSpacing::Leading, None),
            ScheduleKind::Trailing => (TimestepSpacing::Trailing, None),
            ScheduleKind::Linspace => (TimestepSpacing::Linspace, None),
            ScheduleKind::Karras => (own, Some(Spread::Karras)),
            ScheduleKind::Exponential => (own, Some(Spread::Exponential)),
        };
        let process = NoiseProcess::of(config);
        let (levels, end, initial_noise_scale) = match &process {
            NoiseProcess::Flow { shift, train } => {
                let levels = flow_levels(spec.flow_grid, *shift, *train, spacing, spread, config, steps);
                (levels, NoiseLevel::CLEAN, 1.0)
            }
            NoiseProcess::VariancePreserving { alphas_cumprod } => {
                let builder = ScheduleBuilder { config, spec, bars: alphas_cumprod, spacing, steps };
                match (spec.grid, spread) {
                    (Grid::Distilled, _) => builder.distilled(),
                    (Grid::FixedDistance | Grid::TrainingTimesteps, None) => builder.training_timesteps(),
                    (Grid::Solver, _) => builder.solver(spread),
                    (Grid::KDiffusion | Grid::FixedDistance | Grid::TrainingTimesteps, _) => {
                        builder.k_diffusion(spread)
                    }
                }
            }
        };
        let ends = levels.iter().skip(1).copied().chain([end]);
        let mut taken: Vec<ScheduleStep> =
            levels.iter().copied().zip(ends).map(|(from, to)| ScheduleStep { from, to }).collect();
        if let (NoiseProcess::VariancePreserving { alphas_cumprod }, Grid::FixedDistance, None) =
            (&process, spec.grid, spread)
        {
            // The previous timestep is at a fixed distance, which need not be the next one visited.
            let distance = config.num_train_timesteps / steps;
            for step in &mut taken {
                let t = step.from.timestep as usize;
                step.to = if t >= distance { training_level(alphas_cumprod, t - distance) } else { end };
            }
        }
        Ok(Self { sampler, coordinates: process.coordinates(), steps: taken, initial_noise_scale })
    }

    /// The steps of an image-to-image run: the last `strength` share (diffusers' `get_timesteps`).
    pub fn for_strength(&self, strength: f64) -> &[ScheduleStep] {
        let planned = self.steps.len();
        let wanted = planned as f64 * strength;
        let skipped = match self.coordinates {
            Coordinates::KSigma => planned - (wanted as usize).min(planned),
            // The flow pipelines round down what is skipped, and not what is taken.
            Coordinates::Flow => (planned as f64 - wanted).max(0.0) as usize,
        };
        &self.steps[skipped.min(planned)..]
    }
}

/// The level of a whole training timestep, at most the last.
fn training_level(bars: &[f64], t: usize) -> NoiseLevel {
    NoiseLevel::from_alpha_cumprod(bars[t.min(bars.len() - 1)], t as f64)
}

/// The levels of a flow: times spaced evenly, then shifted towards high noise, then respaced by `spread`.
fn flow_levels(
    grid: FlowGrid,
    shift: f64,
    train: usize,
    spacing: TimestepSpacing,
    spread: Option<Spread>,
    config: &SchedulerConfig,
    steps: usize,
) -> Vec<NoiseLevel> {
    let shifted = |time: f64| shift * time / (1.0 + (shift - 1.0) * time);
    let least = 1.0 / train as f64;
    let mut times: Vec<f64> = match grid {
        FlowGrid::Matching if spacing == TimestepSpacing::Trailing => {
            linspace(1.0, 1.0 / steps as f64, steps)
        }
        // The bounds are shifted once more by diffusers' scheduler.
        FlowGrid::Matching => linspace(1.0, shifted(least), steps),
        FlowGrid::NearlyAll => linspace(1.0, least, steps + 1)[..steps].to_vec(),
        FlowGrid::AfterFirst => {
            linspace(1.0, least, steps + 1)[1..].iter().rev().map(|alpha| 1.0 - alpha).collect()
        }
    };
    for time in &mut times {
        *time = shifted(*time);
    }
    if let Some(spread) = spread {
        times = spread.sigmas(config, times[0], times[times.len() - 1], steps);
    }
    let is_whole = grid != FlowGrid::Matching;
    if grid == FlowGrid::NearlyAll && times[0] > 1.0 - NEARLY {
        times[0] = 1.0 - NEARLY;
    }
    let timestep = |time: f64| if is_whole { (time * train as f64).trunc() } else { time * train as f64 };
    times.into_iter().map(|time| NoiseLevel::from_flow_time(time, timestep(time))).collect()
}

/// How far diffusers' UniPC stays from pure noise, where λ is infinite.
const NEARLY: f64 = 1e-6;

/// Levels, where they end, and the factor of unit noise at the start.
type Levels = (Vec<NoiseLevel>, NoiseLevel, f64);

/// Places the levels of a run of a variance-preserving process.
struct ScheduleBuilder<'a> {
    config: &'a SchedulerConfig,
    spec: &'static SamplerSpec,
    /// ᾱ of each training timestep.
    bars: &'a [f64],
    spacing: TimestepSpacing,
    steps: usize,
}

impl ScheduleBuilder<'_> {
    /// k-diffusion's sigma of each training timestep. A terminal signal of 0 is replaced, as in
    /// diffusers, with the smallest one.
    fn k_sigmas(&self) -> Vec<f64> {
        let signal = |bar: f64| if bar > 0.0 { bar } else { 2.0_f64.powi(-24) };
        self.bars.iter().map(|&bar| signal(bar)).map(|bar| ((1.0 - bar) / bar).sqrt()).collect()
    }

    fn spaced(&self) -> Vec<f64> {
        spaced_timesteps(self.spacing, self.config.num_train_timesteps, self.steps, self.config.steps_offset)
    }

    /// The level at which the run ends. `last_spread`: the last sigma of a spread schedule.
    fn end(&self, last_spread: Option<f64>) -> NoiseLevel {
        let first = || NoiseLevel::from_alpha_cumprod(self.bars[0], 0.0);
        match (self.spec.end, self.config.final_sigmas_type) {
            (End::AlphaToOne, _) if !self.config.set_alpha_to_one => first(),
            (End::FinalSigma, FinalSigma::SigmaMin) => first(),
            (End::FinalSpreadSigma, FinalSigma::SigmaMin) => {
                last_spread.map_or_else(first, |sigma| NoiseLevel::from_k_sigma(sigma, 0.0))
            }
            (End::Clean | End::AlphaToOne, _)
            | (End::FinalSigma | End::FinalSpreadSigma, FinalSigma::Zero) => NoiseLevel::CLEAN,
        }
    }

    fn k_diffusion(&self, spread: Option<Spread>) -> Levels {
        let train = self.k_sigmas();
        let spaced = self.spaced();
        let sigmas: Vec<f64> = spaced.iter().map(|&t| interpolate(&train, t)).collect();
        let levels: Vec<NoiseLevel> = match spread {
            None => sigmas.iter().zip(spaced).map(|(&s, t)| NoiseLevel::from_k_sigma(s, t)).collect(),
            Some(spread) => {
                let spread = spread.sigmas(self.config, sigmas[0], sigmas[sigmas.len() - 1], self.steps);
                spread.into_iter().map(|s| NoiseLevel::from_k_sigma(s, timestep_at(&train, s))).collect()
            }
        };
        // diffusers starts k-diffusion's latent at the largest sigma; leading spacing at √(σ² + 1).
        let unit = self.spacing == TimestepSpacing::Leading || self.spec.grid != Grid::KDiffusion;
        let scale = if unit { 1.0 } else { levels[0].sigma };
        // DDIM and DDPM on spread sigmas end as k-diffusion's samplers do.
        let end = if self.spec.grid == Grid::KDiffusion { self.end(None) } else { NoiseLevel::CLEAN };
        (levels, end, scale)
    }

    fn solver(&self, spread: Option<Spread>) -> Levels {
        let train = self.k_sigmas();
        let mut last_spread = None;
        let levels = match spread {
            None => {
                let c = self.config;
                let clip = c.lambda_min_clipped.filter(|_| self.spec.clips_lambda);
                // λ is minus the logarithm of k-diffusion's sigma.
                let last = clip.map_or(train.len(), |clip| train.partition_point(|s| -s.ln() >= clip));
                solver_timesteps(self.spacing, train.len(), last.max(1), self.steps, c.steps_offset)
                    .into_iter()
                    .map(|t| NoiseLevel::from_k_sigma(interpolate(&train, t), t))
                    .collect()
            }
            Some(spread) => {
                let sigmas = spread.sigmas(self.config, train[train.len() - 1], train[0], self.steps);
                last_spread = sigmas.last().copied();
                let timestep = |s| spread.whole(self.config, timestep_at(&train, s));
                sigmas.into_iter().map(|s| NoiseLevel::from_k_sigma(s, timestep(s))).collect()
            }
        };
        (levels, self.end(last_spread), 1.0)
    }

    fn training_timesteps(&self) -> Levels {
        let timesteps = self.spaced().into_iter().map(|t| t.round_ties_even() as usize);
        (timesteps.map(|t| training_level(self.bars, t)).collect(), self.end(None), 1.0)
    }

    /// A subset of the teacher's timesteps.
    fn distilled(&self) -> Levels {
        let teacher = self.config.original_inference_steps;
        let k = self.config.num_train_timesteps / teacher;
        let picks = linspace(0.0, teacher as f64, self.steps + 1);
        let levels = picks[..self.steps]
            .iter()
            // Slightly above, so that rounding does not fall below a whole number.
            .map(|pick| (teacher - (pick + 1e-9).floor() as usize) * k - 1)
            .map(|t| training_level(self.bars, t))
            .collect();
        (levels, NoiseLevel::CLEAN, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(keys: serde_json::Value) -> SchedulerConfig {
        let config: SchedulerConfig = serde_json::from_value(keys).unwrap();
        SchedulerConfig { class_name: "FlowMatchEulerDiscreteScheduler".into(), ..config }
            .with_even_flow_times()
    }

    fn times(config: &SchedulerConfig, steps: usize) -> Schedule {
        Schedule::new(config, SamplerKind::Euler, ScheduleKind::Model, steps).unwrap()
    }

    /// The lists are diffusers' of FLUX.1 dev and schnell and of Z-Image.
    #[test]
    fn flows_of_evenly_spaced_times_have_diffusers_sigmas() {
        let dev = flow(serde_json::json!({"shift": 3.0, "use_dynamic_shifting": true}));
        let (schnell, z_image) = (flow(serde_json::json!({})), flow(serde_json::json!({"shift": 3.0})));
        for (config, sigmas) in [
            (dev.for_image_tokens(4096), &[1.0, 0.90453, 0.75951, 0.51284][..]),
            (schnell, &[1.0, 0.75, 0.5, 0.25]),
            (z_image, &[1.0, 0.95455, 0.9, 0.83333, 0.75, 0.64286, 0.5, 0.3]),
        ] {
            let schedule = times(&config, sigmas.len());
            for (step, sigma) in schedule.steps.iter().zip(sigmas) {
                assert!((step.from.sigma - sigma).abs() < 1e-5, "{} for {sigma}", step.from.sigma);
                assert!((step.from.timestep - 1000.0 * step.from.sigma).abs() < 1e-9);
            }
            assert_eq!(schedule.steps.last().map(|step| step.to), Some(NoiseLevel::CLEAN));
        }
    }

    #[test]
    fn a_flow_from_a_picture_skips_a_whole_number_of_steps() {
        let schedule = times(&flow(serde_json::json!({})), 5);
        for (strength, taken) in [(1.0, 5), (0.6, 3), (0.5, 3), (0.3, 2), (0.2, 1), (0.0, 0)] {
            assert_eq!(schedule.for_strength(strength).len(), taken, "{strength}");
        }
    }
}
