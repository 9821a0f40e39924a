//! Noise, schedules and samplers against PyTorch's and diffusers' own figures, and against mathematics.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use safelight::diffusion::{
    Denoiser, DiffusionError, NoiseLevel, NoiseSource, Schedule, SchedulerConfig, Start,
    denoised_from_output, sample,
};
use safelight::latent::{Latent, LatentShape};
use safelight::request::{CancelToken, PredictionType, SamplerKind, ScheduleKind, Seed};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn recorded(name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// `0.8 · tanh(x) · cos(t / 700) + 0.05`, as in the script that made the fixtures.
struct MadeUpNetwork(PredictionType);

impl Denoiser for MadeUpNetwork {
    fn denoise(&mut self, noisy: &Tensor, level: NoiseLevel) -> Result<Tensor, DiffusionError> {
        let output = noisy.tanh()?.affine(0.8 * (level.timestep / 700.0).cos(), 0.05)?;
        Ok(denoised_from_output(self.0, noisy, &output, level)?)
    }
}

/// The configuration the fixtures were made with.
fn config(sampler: SamplerKind, extra: &serde_json::Value) -> SchedulerConfig {
    let mut keys = serde_json::json!({
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1,
        "clip_sample": false,
    });
    if sampler == SamplerKind::Ddim {
        keys["set_alpha_to_one"] = false.into();
    }
    for (key, value) in extra.as_object().unwrap() {
        keys[key] = value.clone();
    }
    serde_json::from_value(keys).unwrap()
}

fn relative_l2(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |v: f64| v * v;
    let error: f64 = found.iter().zip(expected).map(|(a, b)| square(f64::from(a - b))).sum();
    let size: f64 = expected.iter().map(|b| square(f64::from(*b))).sum();
    (error / size).sqrt()
}

#[test]
fn noise_is_what_pytorch_draws_for_the_same_seed() {
    for case in recorded("noise.json")["noise"].as_array().unwrap() {
        let mut source = NoiseSource::new(Seed(case["seed"].as_u64().unwrap()));
        for (i, size) in case["sizes"].as_array().unwrap().iter().enumerate() {
            let values = source.normal(size.as_u64().unwrap() as usize);
            let first = case["first"][i].as_array().unwrap().iter().zip(&values);
            let last = (&case["last"][i], &values[values.len() - 1]);
            for (expected, found) in first.chain([last]) {
                let expected = expected.as_f64().unwrap();
                // PyTorch's vectorised logarithm and cosine differ from libm's in the last bits.
                assert!((expected - f64::from(*found)).abs() < 1e-6, "{case}: {found}");
            }
        }
    }
}

#[test]
fn every_step_of_every_sampler_is_diffusers() {
    let bytes = std::fs::read(fixture("samplers.safetensors")).unwrap();
    let runs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    let names = runs.names();
    assert!(names.len() > 70, "{}", names.len());
    for name in names {
        let view = runs.tensor(name).unwrap();
        let states: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let part: Vec<&str> = name.split('|').collect();
        let sampler: SamplerKind = part[0].parse().unwrap();
        let kind: ScheduleKind = part[1].parse().unwrap();
        let prediction: PredictionType = serde_json::from_value(part[2].into()).unwrap();
        let spread = matches!(kind, ScheduleKind::Karras | ScheduleKind::Exponential);
        let extra =
            if spread { serde_json::json!({"timestep_spacing": "linspace"}) } else { serde_json::json!({}) };
        let config = config(sampler, &extra);
        let schedule = Schedule::new(&config, sampler, kind, 7).unwrap();
        let shape = LatentShape::new(4, 4, 4);
        let source =
            Latent::new(shape, (0..64u8).map(|i| f32::from(i) * 2.0 / 63.0 - 1.0).collect::<Vec<_>>())
                .unwrap();
        let start = match part.get(3) {
            None => Start::Noise(shape),
            Some(strength) => Start::Latent { latent: &source, strength: strength.parse().unwrap() },
        };
        let run = sample(
            &mut MadeUpNetwork(prediction),
            &config,
            sampler,
            &schedule,
            &start,
            &mut NoiseSource::new(Seed(11)),
            &Device::Cpu,
            &CancelToken::new(),
            &mut |_| {},
        )
        .unwrap();
        let expected: Vec<&[f32]> = states.chunks_exact(64).collect();
        assert_eq!(run.trajectory.steps.len() + 1, expected.len(), "{name}");
        let found = run.trajectory.steps.iter().map(|s| &s.noisy).chain([&run.latent]);
        for (i, (found, expected)) in found.zip(expected).enumerate() {
            let error = relative_l2(found.values(), expected);
            // f32 on both sides, with formulas in another order; diffusers keeps sigmas in f32.
            assert!(error < 1e-5, "{name}, state {i}: {error:e}");
            let entry = worst.entry(sampler.id()).or_default();
            *entry = entry.max(error);
        }
    }
    println!("worst relative L2 of any state: {worst:?}");
}

/// diffusers' tests: `sample[c, h, w, b]` counts up to 1; the network is `x · t / (t + 1)`.
struct CountingNetwork;

impl Denoiser for CountingNetwork {
    fn denoise(&mut self, noisy: &Tensor, level: NoiseLevel) -> Result<Tensor, DiffusionError> {
        let output = noisy.affine(level.timestep / (level.timestep + 1.0), 0.0)?;
        Ok(denoised_from_output(PredictionType::Epsilon, noisy, &output, level)?)
    }
}

#[test]
fn the_full_loops_of_diffusers_own_tests_give_their_sums() {
    for (name, figures) in recorded("noise.json")["loops"].as_object().unwrap() {
        let sampler: SamplerKind = name.parse().unwrap();
        let mut keys = serde_json::json!({});
        if sampler == SamplerKind::Ddim {
            keys["clip_sample"] = true.into();
        }
        let config: SchedulerConfig = serde_json::from_value(keys).unwrap();
        let schedule = Schedule::new(&config, sampler, ScheduleKind::Model, 10).unwrap();
        let n = 4 * 3 * 8 * 8;
        let sample: Vec<f32> = (0..n)
            .map(|i| {
                let (b, rest) = (i / 192, i % 192);
                (rest * 4 + b) as f32 / n as f32
            })
            .collect();
        let mut noisy = Tensor::from_vec(sample, (4, 3, 8, 8), &Device::Cpu).unwrap();
        noisy = noisy.affine(schedule.initial_noise_scale, 0.0).unwrap();
        let mut rule = safelight::diffusion::sampler::new_sampler(sampler, &config, &schedule.steps);
        for step in &schedule.steps {
            noisy =
                rule.step(&mut CountingNetwork, &noisy, *step, &mut NoiseSource::new(Seed(0))).unwrap().noisy;
        }
        let sum = f64::from(noisy.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap());
        let expected = figures[0].as_f64().unwrap();
        assert!((sum - expected).abs() < 1e-4 * expected.max(1.0), "{name}: {sum} instead of {expected}");
    }
}

/// Data ~ N(0, s²): the exact denoiser and the exact end of the probability-flow ODE are known.
struct Gaussian {
    variance: f64,
}

impl Denoiser for Gaussian {
    fn denoise(&mut self, noisy: &Tensor, level: NoiseLevel) -> Result<Tensor, DiffusionError> {
        let NoiseLevel { alpha, sigma, .. } = level;
        let gain = alpha * self.variance / (alpha * alpha).mul_add(self.variance, sigma * sigma);
        Ok(noisy.affine(gain, 0.0)?)
    }
}

/// The error after `n` steps evenly spaced in lambda, from k-sigma 10 to 0.1, in f64.
fn gaussian_error(sampler: SamplerKind, n: usize) -> f64 {
    let variance = 0.25;
    let levels: Vec<NoiseLevel> =
        (0..=n).map(|i| NoiseLevel::from_k_sigma(10.0 * 0.01_f64.powf(i as f64 / n as f64), 500.0)).collect();
    let steps: Vec<_> =
        levels.windows(2).map(|w| safelight::diffusion::SigmaStep { from: w[0], to: w[1] }).collect();
    // One step more than taken: the solvers' last step, of first order, is not what is measured.
    let mut planned = steps.clone();
    planned.push(steps[n - 1]);
    let mut rule = safelight::diffusion::sampler::new_sampler(sampler, &SchedulerConfig::default(), &planned);
    let mut noisy = Tensor::from_vec(vec![1.0_f64], (1, 1, 1, 1), &Device::Cpu).unwrap();
    for step in &steps {
        let mut denoiser = Gaussian { variance };
        noisy = rule.step(&mut denoiser, &noisy, *step, &mut NoiseSource::new(Seed(0))).unwrap().noisy;
    }
    let spread = |level: NoiseLevel| (level.alpha.powi(2) * variance + level.sigma.powi(2)).sqrt();
    let exact = spread(levels[n]) / spread(levels[0]);
    (noisy.flatten_all().unwrap().to_vec1::<f64>().unwrap()[0] - exact).abs()
}

#[test]
fn samplers_converge_with_their_order() {
    // Observed between 40 and 80 steps; the band is what higher terms still add there.
    for (sampler, low, high) in [
        (SamplerKind::Euler, 0.9, 1.15),
        (SamplerKind::Heun, 1.85, 2.3),
        (SamplerKind::Dpmpp2m, 1.8, 2.4),
        (SamplerKind::UniPc, 2.4, 3.4),
        (SamplerKind::Lms, 1.9, 4.5),
    ] {
        let order = (gaussian_error(sampler, 40) / gaussian_error(sampler, 80)).log2();
        assert!((low..high).contains(&order), "{}: order {order:.2}", sampler.id());
    }
}

fn run_with(
    denoiser: &mut dyn Denoiser,
    cancel: &CancelToken,
    on_step: &mut dyn FnMut(usize),
) -> Result<(usize, bool), String> {
    let config = config(SamplerKind::Euler, &serde_json::json!({}));
    let schedule = Schedule::new(&config, SamplerKind::Euler, ScheduleKind::Model, 6).unwrap();
    sample(
        denoiser,
        &config,
        SamplerKind::Euler,
        &schedule,
        &Start::Noise(LatentShape::new(4, 4, 4)),
        &mut NoiseSource::new(Seed(1)),
        &Device::Cpu,
        cancel,
        &mut |report| on_step(report.step),
    )
    .map(|run| (run.trajectory.steps.len(), run.finished_early))
    .map_err(|error| error.to_string())
}

#[test]
fn a_stop_ends_the_run_and_finish_keeps_the_present_estimate() {
    let mut network = MadeUpNetwork(PredictionType::Epsilon);
    let cancel = CancelToken::new();
    let stopped = run_with(&mut network, &cancel, &mut |step| {
        if step == 2 {
            cancel.stop();
        }
    });
    assert_eq!(stopped, Err("stopped".to_owned()));
    let cancel = CancelToken::new();
    let finished = run_with(&mut network, &cancel, &mut |step| {
        if step == 3 {
            cancel.finish();
        }
    });
    assert_eq!(finished, Ok((3, true)));
}

#[test]
fn values_that_are_no_numbers_are_named_with_their_step() {
    struct Breaks(usize);
    impl Denoiser for Breaks {
        fn denoise(&mut self, noisy: &Tensor, _: NoiseLevel) -> Result<Tensor, DiffusionError> {
            self.0 += 1;
            Ok(noisy.affine(if self.0 == 3 { f64::NAN } else { 0.5 }, 0.0)?)
        }
    }
    assert_eq!(
        run_with(&mut Breaks(0), &CancelToken::new(), &mut |_| {}),
        Err("step 3 of 6 gave values that are not numbers (the network's prediction)".to_owned())
    );
}

#[test]
fn more_lcm_steps_than_the_teacher_took_are_refused() {
    let error =
        Schedule::new(&SchedulerConfig::default(), SamplerKind::Lcm, ScheduleKind::Model, 51).unwrap_err();
    assert!(error.to_string().contains("at most 50 steps"), "{error}");
}
