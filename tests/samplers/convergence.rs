//! The order of each sampler, and the distribution it ends in, where both are known exactly.

use safelight::catalog::{SamplerKind, ScheduleKind};
use safelight::diffusion::{
    Coordinates, Denoiser, DiffusionError, NoiseLevel, NoiseSource, SAMPLERS, Schedule, ScheduleStep,
    SchedulerConfig, Start,
};
use safelight::latent::{Latent, LatentShape};
use safelight::request::Seed;

use crate::{plan, run, spec};

/// Data ~ N(mean, s²): the exact denoiser and the exact end of the probability-flow ODE are known.
struct Gaussian {
    mean: f64,
    variance: f64,
}

impl Gaussian {
    fn data() -> Self {
        Self { mean: 0.3, variance: 0.25 }
    }

    /// The standard deviation of the latent at a level.
    fn deviation(&self, level: NoiseLevel) -> f64 {
        (level.alpha.powi(2) * self.variance + level.sigma.powi(2)).sqrt()
    }

    /// Where the ODE takes a latent: as many deviations from the mean as before.
    fn transported(&self, noisy: f64, from: NoiseLevel, to: NoiseLevel) -> f64 {
        let deviations = (noisy - from.alpha * self.mean) / self.deviation(from);
        to.alpha * self.mean + deviations * self.deviation(to)
    }
}

impl Denoiser for Gaussian {
    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        let NoiseLevel { alpha, sigma, .. } = level;
        let gain = alpha * self.variance / (alpha * alpha).mul_add(self.variance, sigma * sigma);
        let denoised = |value: f64| self.mean + gain * (value - alpha * self.mean);
        Ok(noisy.map(|_, value| denoised(f64::from(value)) as f32))
    }
}

/// The error of the ODE's end over these levels, from one value.
fn gaussian_error(sampler: SamplerKind, coordinates: Coordinates, levels: &[NoiseLevel]) -> f64 {
    let steps: Vec<ScheduleStep> =
        levels.windows(2).map(|pair| ScheduleStep { from: pair[0], to: pair[1] }).collect();
    // One step more than taken: the solvers' last step, of first order, is not what is measured.
    let config = SchedulerConfig { clip_sample: Some(false), ..SchedulerConfig::default() };
    let mut rule = (spec(sampler).new)(&plan(&config, coordinates, steps.len() + 1));
    let start = 1.0;
    let mut noisy = Latent::new(LatentShape::new(1, 1, 1), vec![start as f32]).unwrap();
    for step in &steps {
        let noise = &mut NoiseSource::new(Seed(0));
        noisy = rule.step(&mut Gaussian::data(), &noisy, *step, noise).unwrap().noisy;
        assert!(noisy.values()[0].is_finite(), "{} at {step:?}", sampler.id());
    }
    let exact = Gaussian::data().transported(start, levels[0], levels[levels.len() - 1]);
    (f64::from(noisy.values()[0]) - exact).abs()
}

/// The order that is seen when the steps are halved.
fn observed_order(error: impl Fn(usize) -> f64, steps: usize) -> f64 {
    (error(steps) / error(2 * steps)).log2()
}

#[test]
fn samplers_converge_with_their_order() {
    for spec in SAMPLERS {
        let Some(order) = spec.order else { continue };
        // Even in λ, from k-diffusion's sigma 10 to 0.1.
        let error = |n: usize| {
            let level = |i| NoiseLevel::from_k_sigma(10.0 * 0.01_f64.powf(f64::from(i) / n as f64), 500.0);
            let levels: Vec<NoiseLevel> = (0..=n as u32).map(level).collect();
            gaussian_error(spec.kind, Coordinates::KSigma, &levels)
        };
        // Enough steps for the order to show, and few enough that f32 does not hide it.
        let seen = observed_order(error, if order == 1 { 40 } else { 16 });
        assert!(seen > order as f64 - 0.25, "{}: order {seen:.2}, errors {:e}", spec.kind.id(), error(16));
    }
}

/// A flow begins with pure noise, where alpha is 0 and λ and k-diffusion's sigma are infinite.
#[test]
fn samplers_converge_with_their_order_from_a_flow_s_pure_noise() {
    let levels = |n: usize| -> Vec<NoiseLevel> {
        let level = |i: u32| {
            let time = 1.0 - 0.9 * f64::from(i) / n as f64;
            NoiseLevel { alpha: 1.0 - time, sigma: time, timestep: 1000.0 * time }
        };
        (0..=n as u32).map(level).collect()
    };
    for spec in SAMPLERS {
        let Some(order) = spec.order else { continue };
        let error = |n: usize| gaussian_error(spec.kind, Coordinates::Flow, &levels(n));
        // The errors of these change their sign near 16 steps, where they say nothing about the order.
        let crosses = matches!(spec.kind, SamplerKind::Lms | SamplerKind::Pndm);
        let seen = observed_order(error, if order == 1 || crosses { 40 } else { 16 });
        assert!(seen > order as f64 - 0.3, "{}: order {seen:.2}, errors {:e}", spec.kind.id(), error(16));
    }
}

/// Samplers that add noise end with the data's own distribution, on flows as on others.
#[test]
fn ancestral_samplers_end_in_the_distribution_of_the_data() {
    for (keys, name) in [
        (serde_json::json!({"clip_sample": false}), "variance preserving"),
        (
            serde_json::json!({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 2.0, "clip_sample": false}),
            "flow",
        ),
    ] {
        let config: SchedulerConfig = serde_json::from_value(keys).unwrap();
        // Samplers for distilled models take each estimate for the picture itself.
        let for_distilled = |kind: SamplerKind| kind.is_distilled() || kind == SamplerKind::FlowStochastic;
        for sampler in SamplerKind::ALL.into_iter().filter(|kind| !for_distilled(*kind)) {
            let schedule = Schedule::new(&config, sampler, ScheduleKind::Model, 200).unwrap();
            let shape = LatentShape::new(1, 100, 100);
            let run = run(&mut Gaussian::data(), &config, &schedule, Start::Noise(shape), 5).unwrap();
            let values = run.latent.values();
            let count = values.len() as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
            let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
            // Ten thousand values: deviations of 0.005 and 0.0035; the rest is what 200 steps leave.
            let Gaussian { mean: wanted, variance: spread } = Gaussian::data();
            let says = format!("{name}, {}: mean {mean:.4}, variance {variance:.4}", sampler.id());
            // diffusers' third order on the stochastic equation spreads too far, and is followed.
            let bound = if sampler == SamplerKind::Dpmpp3mSde { 0.05 } else { 0.02 };
            assert!((mean - wanted).abs() < 0.03 && (variance - spread).abs() < bound, "{says}");
            assert!(run.trajectory.steps.iter().all(|step| step.sigma.is_finite()), "{says}");
        }
    }
}
