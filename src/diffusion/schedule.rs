//! The noise levels of one run.

use super::sigmas::{
    alphas_cumprod, exponential, interpolate, karras, linspace, solver_timesteps, spaced_timesteps,
    timestep_at,
};
use super::{DiffusionError, SchedulerConfig};
use crate::request::{SamplerKind, ScheduleKind, TimestepSpacing};

/// One noise level: `x = alpha · x₀ + sigma · ε`, and the timestep the network is told.
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

    fn from_alpha_cumprod(bar: f64, timestep: f64) -> Self {
        Self { alpha: bar.sqrt(), sigma: (1.0 - bar).sqrt(), timestep }
    }

    /// k-diffusion's sigma: noise over signal.
    pub fn k_sigma(self) -> f64 {
        self.sigma / self.alpha
    }

    /// Half the logarithm of the signal-to-noise ratio, DPM-Solver's lambda.
    pub fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }
}

/// One step: from a noise level to a lower one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SigmaStep {
    /// Where the step starts.
    pub from: NoiseLevel,
    /// Where it ends.
    pub to: NoiseLevel,
}

/// The steps of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// First to last.
    pub steps: Vec<SigmaStep>,
    /// Factor of unit noise at the start of a run from noise alone.
    pub initial_noise_scale: f64,
}

impl Schedule {
    /// The steps that diffusers' scheduler of this name would take with this configuration.
    ///
    /// # Errors
    /// [`DiffusionError::Unsupported`] when the sampler cannot take so many steps.
    pub fn new(
        config: &SchedulerConfig,
        sampler: SamplerKind,
        kind: ScheduleKind,
        steps: usize,
    ) -> Result<Self, DiffusionError> {
        let train = config.num_train_timesteps;
        if steps == 0 || steps >= train {
            return Err(DiffusionError::Unsupported(format!(
                "{steps} steps do not fit {train} training timesteps"
            )));
        }
        let spacing = match kind {
            ScheduleKind::Leading => TimestepSpacing::Leading,
            ScheduleKind::Trailing => TimestepSpacing::Trailing,
            ScheduleKind::Linspace => TimestepSpacing::Linspace,
            ScheduleKind::Model | ScheduleKind::Karras | ScheduleKind::Exponential => {
                config.spacing_for(sampler)
            }
        };
        let spread = match kind {
            ScheduleKind::Karras => Some(Spread::Karras),
            ScheduleKind::Exponential => Some(Spread::Exponential),
            ScheduleKind::Model if config.use_karras_sigmas => Some(Spread::Karras),
            ScheduleKind::Model if config.use_exponential_sigmas => Some(Spread::Exponential),
            _ => None,
        };
        let walk = Walk { config, bars: alphas_cumprod(config), spacing, steps };
        match sampler {
            SamplerKind::Lcm => walk.lcm(),
            SamplerKind::Ddim | SamplerKind::Ddpm if spread.is_none() => {
                Ok(walk.on_training_timesteps(sampler))
            }
            SamplerKind::Dpmpp2m | SamplerKind::UniPc => Ok(walk.solver(spread)),
            _ => Ok(walk.k_diffusion(sampler, spread)),
        }
    }

    /// The steps of an image-to-image run: the last `strength` share (diffusers' `get_timesteps`).
    pub fn for_strength(&self, strength: f64) -> &[SigmaStep] {
        let wanted = ((self.steps.len() as f64 * strength) as usize).min(self.steps.len());
        &self.steps[self.steps.len() - wanted..]
    }

    fn through(levels: &[NoiseLevel], end: NoiseLevel, initial_noise_scale: f64) -> Self {
        let ends = levels.iter().skip(1).copied().chain([end]);
        let steps = levels.iter().copied().zip(ends).map(|(from, to)| SigmaStep { from, to }).collect();
        Self { steps, initial_noise_scale }
    }
}

/// A rule that spreads sigmas between the largest and the smallest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    Karras,
    Exponential,
}

impl Spread {
    fn sigmas(self, max: f64, min: f64, n: usize) -> Vec<f64> {
        match self {
            Self::Karras => karras(max, min, n),
            Self::Exponential => exponential(max, min, n),
        }
    }

    /// The whole timestep that diffusers' solvers tell the network.
    fn whole(self, timestep: f64) -> f64 {
        match self {
            Self::Karras => timestep.round_ties_even(),
            // diffusers' f32 logarithms fall a hair short, which turns 999 into 998.
            Self::Exponential => (timestep - 1e-6).trunc().max(0.0),
        }
    }
}

struct Walk<'a> {
    config: &'a SchedulerConfig,
    /// ᾱ of each training timestep.
    bars: Vec<f64>,
    spacing: TimestepSpacing,
    steps: usize,
}

impl Walk<'_> {
    /// k-diffusion's sigma of each training timestep. A zero terminal signal gets diffusers' least signal.
    fn k_sigmas(&self) -> Vec<f64> {
        self.bars
            .iter()
            .map(|&bar| bar.max(2.0_f64.powi(-24)))
            .map(|bar| ((1.0 - bar) / bar).sqrt())
            .collect()
    }

    fn spaced(&self) -> Vec<f64> {
        spaced_timesteps(self.spacing, self.config.num_train_timesteps, self.steps, self.config.steps_offset)
    }

    /// Euler, Euler ancestral, Heun, LMS; and DDIM and DDPM on spread sigmas.
    fn k_diffusion(&self, sampler: SamplerKind, spread: Option<Spread>) -> Schedule {
        let train = self.k_sigmas();
        let spaced = self.spaced();
        let sigmas: Vec<f64> = spaced.iter().map(|&t| interpolate(&train, t)).collect();
        let levels: Vec<NoiseLevel> = match spread {
            None => sigmas.iter().zip(spaced).map(|(&s, t)| NoiseLevel::from_k_sigma(s, t)).collect(),
            Some(spread) => {
                // LMS spreads Karras' sigmas over the spaced ones' length; all others over `steps`.
                let n = if sampler == SamplerKind::Lms { sigmas.len() } else { self.steps };
                let spread = spread.sigmas(sigmas[0], sigmas[sigmas.len() - 1], n);
                spread.into_iter().map(|s| NoiseLevel::from_k_sigma(s, timestep_at(&train, s))).collect()
            }
        };
        // diffusers starts k-diffusion's latent at the largest sigma; leading spacing at √(σ² + 1).
        let unit = self.spacing == TimestepSpacing::Leading
            || matches!(sampler, SamplerKind::Ddim | SamplerKind::Ddpm);
        let scale = if unit { 1.0 } else { levels[0].sigma };
        Schedule::through(&levels, NoiseLevel::CLEAN, scale)
    }

    /// DPM-Solver++ and UniPC.
    fn solver(&self, spread: Option<Spread>) -> Schedule {
        let train = self.k_sigmas();
        let levels: Vec<NoiseLevel> = match spread {
            None => {
                let c = self.config;
                solver_timesteps(self.spacing, c.num_train_timesteps, self.steps, c.steps_offset)
                    .into_iter()
                    .map(|t| NoiseLevel::from_k_sigma(interpolate(&train, t), t))
                    .collect()
            }
            Some(spread) => {
                let sigmas = spread.sigmas(train[train.len() - 1], train[0], self.steps);
                let level = |s| NoiseLevel::from_k_sigma(s, spread.whole(timestep_at(&train, s)));
                sigmas.into_iter().map(level).collect()
            }
        };
        Schedule::through(&levels, NoiseLevel::CLEAN, 1.0)
    }

    /// DDIM and DDPM, which step on whole training timesteps.
    fn on_training_timesteps(&self, sampler: SamplerKind) -> Schedule {
        let timesteps: Vec<usize> = self.spaced().into_iter().map(|t| t.round_ties_even() as usize).collect();
        let level =
            |t: usize| NoiseLevel::from_alpha_cumprod(self.bars[t.min(self.bars.len() - 1)], t as f64);
        let end = if sampler == SamplerKind::Ddpm || self.config.set_alpha_to_one {
            NoiseLevel::CLEAN
        } else {
            NoiseLevel::from_alpha_cumprod(self.bars[0], 0.0)
        };
        let levels: Vec<NoiseLevel> = timesteps.iter().map(|&t| level(t)).collect();
        let mut schedule = Schedule::through(&levels, end, 1.0);
        if sampler == SamplerKind::Ddim {
            // DDIM's previous timestep is a fixed distance away, not the next one of the list.
            let distance = self.config.num_train_timesteps / self.steps;
            for (step, &t) in schedule.steps.iter_mut().zip(&timesteps) {
                step.to = if t >= distance { level(t - distance) } else { end };
            }
        }
        schedule
    }

    /// LCM: a subset of the teacher's timesteps.
    fn lcm(&self) -> Result<Schedule, DiffusionError> {
        let teacher = self.config.original_inference_steps;
        if self.steps > teacher {
            return Err(DiffusionError::Unsupported(format!(
                "LCM takes at most {teacher} steps with this model, but {} were asked for",
                self.steps
            )));
        }
        let k = self.config.num_train_timesteps / teacher;
        let picks = linspace(0.0, teacher as f64, self.steps + 1);
        let levels: Vec<NoiseLevel> = picks[..self.steps]
            .iter()
            // A little above, since the division's rounding must not fall below a whole number.
            .map(|pick| (teacher - (pick + 1e-9).floor() as usize) * k - 1)
            .map(|t| NoiseLevel::from_alpha_cumprod(self.bars[t], t as f64))
            .collect();
        Ok(Schedule::through(&levels, NoiseLevel::CLEAN, 1.0))
    }
}
