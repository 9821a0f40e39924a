//! The noise levels of one run.

use std::borrow::Cow;

use super::listed_sigmas::listed_sigmas;
use super::sampler::{End, FlowGrid, Grid, SamplerSpec, spec};
use super::scheduler_config::FinalSigma;
use super::sigmas::{
    Spread, interpolate, k_sigmas, linspace, solver_timesteps, spaced_timesteps, timestep_at,
};
use super::{Coordinates, DiffusionError, NoiseLevel, NoiseProcess, ScheduleStep, SchedulerConfig};
use crate::catalog::{SamplerKind, ScheduleKind, TimestepSpacing};
use crate::request::NoiseLevels;

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
    /// How much of the noise is drawn anew; `None` is the sampler's default.
    pub eta: Option<f64>,
    /// The steps before a pseudo linear multistep adds those it begins with.
    plain: Option<Vec<ScheduleStep>>,
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
        let process = NoiseProcess::of(config);
        if let Some(sigmas) = listed_sigmas(kind, config, &process, steps) {
            return Ok(Self::of_sigmas(&process, sampler, &sigmas));
        }
        let spec = spec(sampler);
        let own = match spec.grid {
            Grid::Singlestep => spec.spacing,
            _ => config.timestep_spacing.unwrap_or(spec.spacing),
        };
        let (spacing, spread) = match kind {
            ScheduleKind::Leading => (TimestepSpacing::Leading, None),
            ScheduleKind::Trailing => (TimestepSpacing::Trailing, None),
            ScheduleKind::Linspace => (TimestepSpacing::Linspace, None),
            ScheduleKind::Karras => (own, Some(Spread::Karras)),
            ScheduleKind::Exponential => (own, Some(Spread::Exponential)),
            ScheduleKind::Beta => (own, Some(Spread::Beta)),
            ScheduleKind::LuLambdas => (own, Some(Spread::Lu)),
            // The rest are lists where they are known.
            _ => (own, Spread::used(config, spec.spreads)),
        };
        let (levels, end, initial_noise_scale) = match &process {
            NoiseProcess::Flow { shift, train } => {
                let levels = flow_levels(spec.flow_grid, *shift, *train, spacing, spread, config, steps);
                // diffusers' solvers that end at their last level do so on the sigmas of flows, too.
                let repeats = spec.end == End::LeastVisited && config.use_flow_sigmas;
                let end = levels.last().copied().filter(|_| repeats).unwrap_or(NoiseLevel::CLEAN);
                (levels, end, 1.0)
            }
            NoiseProcess::VariancePreserving { alphas_cumprod } => {
                let builder = ScheduleBuilder { config, spec, bars: alphas_cumprod, spacing, steps };
                match (spec.grid, spread) {
                    (Grid::Distilled, _) => builder.distilled(),
                    (Grid::FixedDistance | Grid::PseudoMultistep | Grid::TrainingTimesteps, None) => {
                        builder.training_timesteps()
                    }
                    (Grid::Solver | Grid::Singlestep, _) => builder.solver(spread),
                    _ => builder.k_diffusion(spread),
                }
            }
        };
        let ends = levels.iter().skip(1).copied().chain([end]);
        let mut taken: Vec<ScheduleStep> =
            levels.iter().copied().zip(ends).map(|(from, to)| ScheduleStep { from, to }).collect();
        let mut plain = None;
        if let (
            NoiseProcess::VariancePreserving { alphas_cumprod },
            Grid::FixedDistance | Grid::PseudoMultistep,
            None,
        ) = (&process, spec.grid, spread)
        {
            // The previous timestep is at a fixed distance, which need not be the next one visited.
            let distance = config.num_train_timesteps / steps;
            for step in &mut taken {
                let t = step.from.timestep as usize;
                step.to = if t >= distance { training_level(alphas_cumprod, t - distance) } else { end };
            }
            if spec.grid == Grid::PseudoMultistep {
                let first = if config.skips_runge_kutta() || steps < RUNGE_KUTTA_STEPS + 1 {
                    with_repeated_step(&taken, 0)
                } else {
                    with_runge_kutta_steps(&taken, alphas_cumprod, distance)
                };
                plain = Some(std::mem::replace(&mut taken, first));
            }
        }
        let coordinates = process.coordinates();
        Ok(Self { sampler, coordinates, steps: taken, initial_noise_scale, eta: None, plain })
    }

    /// The steps over a list of levels, down to no noise.
    pub fn of_levels(config: &SchedulerConfig, sampler: SamplerKind, levels: &NoiseLevels) -> Self {
        let process = NoiseProcess::of(config);
        match (levels, &process) {
            (NoiseLevels::Sigmas(sigmas), _) => Self::of_sigmas(&process, sampler, sigmas),
            (NoiseLevels::Timesteps(timesteps), NoiseProcess::Flow { train, .. }) => {
                let level = |&t: &f64| NoiseLevel::from_flow_time(t / *train as f64, t);
                Self::over(&process, sampler, &timesteps.iter().map(level).collect::<Vec<_>>())
            }
            (NoiseLevels::Timesteps(timesteps), NoiseProcess::VariancePreserving { alphas_cumprod }) => {
                let train = k_sigmas(alphas_cumprod);
                let level = |&t: &f64| NoiseLevel::from_k_sigma(interpolate(&train, t), t);
                Self::over(&process, sampler, &timesteps.iter().map(level).collect::<Vec<_>>())
            }
        }
    }

    /// The steps over sigmas of k-diffusion, or times of a flow, down to no noise.
    fn of_sigmas(process: &NoiseProcess, sampler: SamplerKind, sigmas: &[f64]) -> Self {
        let level = |&sigma: &f64| {
            let level = process.coordinates().level(sigma, 0.0);
            NoiseLevel { timestep: process.timestep_of(level), ..level }
        };
        Self::over(process, sampler, &sigmas.iter().map(level).collect::<Vec<_>>())
    }

    fn over(process: &NoiseProcess, sampler: SamplerKind, levels: &[NoiseLevel]) -> Self {
        let ends = levels.iter().skip(1).copied().chain([NoiseLevel::CLEAN]);
        let steps = levels.iter().copied().zip(ends).map(|(from, to)| ScheduleStep { from, to }).collect();
        let coordinates = process.coordinates();
        Self { sampler, coordinates, steps, initial_noise_scale: 1.0, eta: None, plain: None }
    }

    /// The same with another share of fresh noise than the sampler's default.
    #[must_use]
    pub fn with_eta(self, eta: Option<f64>) -> Self {
        Self { eta, ..self }
    }

    /// The steps from a level that another schedule reached: to the first level of this one below it, and on from there.
    pub fn below(&self, reached: NoiseLevel) -> Vec<ScheduleStep> {
        let steps = self.plain.as_ref().unwrap_or(&self.steps);
        let is_below = |step: &&ScheduleStep| step.from.k_sigma() < reached.k_sigma() * (1.0 - SAME_LEVEL);
        let rest: Vec<ScheduleStep> = steps.iter().skip_while(|step| !is_below(step)).copied().collect();
        let first = rest.first().map(|step| step.from).or_else(|| steps.last().map(|step| step.to));
        let joined: Vec<ScheduleStep> =
            first.map(|to| ScheduleStep { from: reached, to }).into_iter().chain(rest).collect();
        match &self.plain {
            Some(_) => with_repeated_step(&joined, 0),
            None => joined,
        }
    }

    /// The steps of an image-to-image run: the last `strength` share (diffusers' `get_timesteps`).
    pub fn for_strength(&self, strength: f64) -> Cow<'_, [ScheduleStep]> {
        let planned = self.plain.as_ref().unwrap_or(&self.steps).len();
        let wanted = planned as f64 * strength;
        let skipped = match self.coordinates {
            Coordinates::KSigma => planned - (wanted as usize).min(planned),
            // The flow pipelines round down what is skipped, and not what is taken.
            Coordinates::Flow => (planned as f64 - wanted).max(0.0) as usize,
        };
        let skipped = skipped.min(planned);
        match &self.plain {
            Some(plain) => with_repeated_step(plain, skipped).into(),
            None => self.steps[skipped..].into(),
        }
    }
}

/// The steps of a pseudo linear multistep: the second timestep comes twice, the first time as the end of the first step,
/// which is taken again.
///
/// `skipped` timesteps are left out. diffusers counts the repeated timestep, and repeats what is then the second, so that
/// an image-to-image run is one step shorter than its timesteps.
fn with_repeated_step(plain: &[ScheduleStep], skipped: usize) -> Vec<ScheduleStep> {
    if plain.len() < 2 || skipped >= plain.len() {
        return plain[skipped..].to_vec();
    }
    let all = [plain[0], plain[1]].into_iter().chain(plain[1..].iter().copied());
    let mut steps: Vec<ScheduleStep> = all.skip(skipped).collect();
    if let Some(repeated) = steps.get_mut(1) {
        repeated.to = repeated.from;
    }
    steps
}

/// The relative difference of two sigmas below which they are one level.
const SAME_LEVEL: f64 = 1e-6;

/// Steps that Runge and Kutta's rule takes at the beginning.
const RUNGE_KUTTA_STEPS: usize = 3;

/// The steps of a pseudo linear multistep whose first ones are Runge and Kutta's: for each its four network calls, at
/// the beginning, twice halfway and at the end, and where each leads from the beginning.
fn with_runge_kutta_steps(plain: &[ScheduleStep], bars: &[f64], distance: usize) -> Vec<ScheduleStep> {
    let half = distance / 2;
    let level = |t: usize| training_level(bars, t);
    let calls = plain.windows(2).take(RUNGE_KUTTA_STEPS).flat_map(|pair| {
        let [first, last] = [pair[0].from.timestep as usize, pair[1].from.timestep as usize];
        [
            ScheduleStep { from: level(first), to: level(first - half) },
            ScheduleStep { from: level(last + half), to: level(last + half) },
            ScheduleStep { from: level(last + half), to: level(last) },
            ScheduleStep { from: level(last), to: level(last) },
        ]
    });
    calls.chain(plain[RUNGE_KUTTA_STEPS..].iter().copied()).collect()
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
    fn spaced(&self) -> Vec<f64> {
        spaced_timesteps(self.spacing, self.config.num_train_timesteps, self.steps, self.config.steps_offset)
    }

    /// The level at which the run ends. `last_spread`: the last sigma of a spread schedule.
    fn end(&self, last_spread: Option<f64>) -> NoiseLevel {
        let first = || NoiseLevel::from_alpha_cumprod(self.bars[0], 0.0);
        match (self.spec.end, self.config.final_sigmas_type) {
            (End::LeastVisited, _) => {
                last_spread.map_or_else(first, |sigma| NoiseLevel::from_k_sigma(sigma, 0.0))
            }
            (End::AlphaToOne(default), _) if !self.config.set_alpha_to_one.unwrap_or(default) => first(),
            (End::LeastNoise, _) | (End::FinalSigma, FinalSigma::SigmaMin) => first(),
            (End::FinalSpreadSigma, FinalSigma::SigmaMin) => {
                last_spread.map_or_else(first, |sigma| NoiseLevel::from_k_sigma(sigma, 0.0))
            }
            (End::Clean | End::AlphaToOne(_), _)
            | (End::FinalSigma | End::FinalSpreadSigma, FinalSigma::Zero) => NoiseLevel::CLEAN,
        }
    }

    fn k_diffusion(&self, spread: Option<Spread>) -> Levels {
        let train = k_sigmas(self.bars);
        let spaced = self.spaced();
        let sigmas: Vec<f64> = spaced.iter().map(|&t| interpolate(&train, t)).collect();
        let levels: Vec<NoiseLevel> = match spread {
            None => sigmas.iter().zip(spaced).map(|(&s, t)| NoiseLevel::from_k_sigma(s, t)).collect(),
            Some(spread) => {
                let rounds = self.spec.grid == Grid::Midpoint && spread == Spread::Karras;
                let spread = spread.sigmas(self.config, sigmas[0], sigmas[sigmas.len() - 1], self.steps);
                let timestep = |s| {
                    let timestep = timestep_at(&train, s);
                    if rounds { timestep.round_ties_even() } else { timestep }
                };
                spread.into_iter().map(|s| NoiseLevel::from_k_sigma(s, timestep(s))).collect()
            }
        };
        // diffusers starts k-diffusion's latent at the largest sigma; leading spacing and EDM at √(σ² + 1).
        let is_k_diffusion = matches!(self.spec.grid, Grid::KDiffusion | Grid::Midpoint);
        let unit = self.spacing == TimestepSpacing::Leading || !is_k_diffusion || self.config.edm().is_some();
        let scale = if unit { 1.0 } else { levels[0].sigma };
        // DDIM and DDPM on spread sigmas end as k-diffusion's samplers do.
        let end = if is_k_diffusion { self.end(None) } else { NoiseLevel::CLEAN };
        (levels, end, scale)
    }

    fn solver(&self, spread: Option<Spread>) -> Levels {
        let train = k_sigmas(self.bars);
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
        (levels, self.end(None), 1.0)
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

    /// The figures are those of ComfyUI's rules in numpy, over diffusers' table for Stable Diffusion.
    #[test]
    fn schedules_of_other_programs_are_their_lists() {
        use ScheduleKind as K;
        let keys =
            serde_json::json!({"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"});
        let vp: SchedulerConfig = serde_json::from_value(keys).unwrap();
        let xl = SchedulerConfig { is_xl: true, ..vp.clone() };
        let flow = flow(serde_json::json!({"shift": 3.0}));
        for (config, kind, sigmas) in [
            (&vp, K::Simple, &[14.614641, 4.0817294, 1.6128862, 0.6932049][..]),
            (&vp, K::Normal, &[14.614641, 2.9183071, 0.93235797, 0.029167158][..]),
            (&vp, K::SgmUniform, &[14.614641, 4.0860811, 1.6155803, 0.69514952][..]),
            (&vp, K::DdimUniform, &[4.1166965, 1.6236921, 0.69839809, 0.041314412][..]),
            (&vp, K::KlOptimal, &[14.614641, 1.5970662, 0.57291423, 0.029167158][..]),
            (&vp, K::Ays, &[14.615, 3.2269362, 1.396, 0.51004706][..]),
            (&xl, K::Ays, &[14.615, 2.8678478, 0.862, 0.29819457][..]),
            (&flow, K::Simple, &[1.0, 0.9, 0.75, 0.5][..]),
            (&flow, K::Normal, &[1.0, 0.85769231, 0.60215054, 0.0089285714][..]),
            (&flow, K::SgmUniform, &[1.0, 0.90035907, 0.75112108, 0.50298507][..]),
            (&flow, K::KlOptimal, &[1.0, 0.5786817, 0.27008965, 0.002994012][..]),
        ] {
            let schedule = Schedule::new(config, SamplerKind::Euler, kind, 4).unwrap();
            let space = schedule.coordinates;
            let found: Vec<f64> = schedule.steps.iter().map(|step| space.time(step.from)).collect();
            assert_eq!(found.len(), sigmas.len(), "{}", kind.id());
            for (found, sigma) in found.iter().zip(sigmas) {
                assert!((found - sigma).abs() < 2e-5 * sigma, "{}: {found} for {sigma}", kind.id());
            }
            assert_eq!(schedule.steps.last().map(|step| step.to), Some(NoiseLevel::CLEAN));
        }
    }

    #[test]
    fn a_spread_by_name_is_the_one_of_the_configuration() {
        let plain = SchedulerConfig::default();
        let beta = SchedulerConfig { use_beta_sigmas: true, ..plain.clone() };
        let lu = SchedulerConfig { use_lu_lambdas: true, ..plain.clone() };
        for (config, kind) in [(beta, ScheduleKind::Beta), (lu, ScheduleKind::LuLambdas)] {
            let of = |config, kind| Schedule::new(config, SamplerKind::Dpmpp2m, kind, 9).unwrap();
            assert_eq!(of(&config, ScheduleKind::Model), of(&plain, kind));
        }
    }

    #[test]
    fn a_list_of_levels_is_visited_as_it_is() {
        let vp = SchedulerConfig::default();
        let sigmas = NoiseLevels::Sigmas(vec![10.0, 2.0, 0.5]);
        let schedule = Schedule::of_levels(&vp, SamplerKind::Heun, &sigmas);
        let found: Vec<f64> = schedule.steps.iter().map(|step| step.from.k_sigma()).collect();
        assert!(found.iter().zip(sigmas.values()).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        let timesteps = NoiseLevels::Timesteps(vec![999.0, 500.0, 20.0]);
        let by_timesteps = Schedule::of_levels(&vp, SamplerKind::Ddim, &timesteps);
        let bars = super::super::sigmas::alphas_cumprod(&vp);
        for (step, t) in by_timesteps.steps.iter().zip([999, 500, 20]) {
            assert!((step.from.timestep - f64::from(t)).abs() < 1e-9);
            assert!((step.from.alpha - bars[t as usize].sqrt()).abs() < 1e-12);
        }
        let flow = flow(serde_json::json!({"shift": 3.0}));
        let schedule =
            Schedule::of_levels(&flow, SamplerKind::Euler, &NoiseLevels::Sigmas(vec![1.0, 0.6, 0.2]));
        let found: Vec<f64> = schedule.steps.iter().map(|step| step.from.timestep).collect();
        assert_eq!(found, [1000.0, 600.0, 200.0]);
    }

    #[test]
    fn a_flow_from_a_picture_skips_a_whole_number_of_steps() {
        let schedule = times(&flow(serde_json::json!({})), 5);
        for (strength, taken) in [(1.0, 5), (0.6, 3), (0.5, 3), (0.3, 2), (0.2, 1), (0.0, 0)] {
            assert_eq!(schedule.for_strength(strength).len(), taken, "{strength}");
        }
    }
}
