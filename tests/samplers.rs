//! Noise, schedules and samplers against PyTorch's and diffusers' own figures, and against mathematics.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use safelight::catalog::{PredictionType, SamplerKind, ScheduleKind};
use safelight::diffusion::{
    Branch, Coordinates, Denoiser, DenoisingNetwork, DiffusionError, GuidedDenoiser, NoiseLevel, NoiseSource,
    Plan, Prediction, Run, SAMPLERS, SampledRun, SamplerSpec, Schedule, ScheduleStep, SchedulerConfig, Start,
    denoised_from_output, sample,
};
use safelight::latent::{Latent, LatentShape};
use safelight::request::{CancelToken, Seed};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn recorded(name: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// `0.8 · tanh(x) · cos(t / 700) + 0.05`, as in the script that made the fixtures.
struct MadeUpNetwork(PredictionType);

impl Denoiser for MadeUpNetwork {
    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        let factor = (0.8 * (level.timestep / 700.0).cos()) as f32;
        let output = noisy.map(|_, value| value.tanh() * factor + 0.05);
        Ok(denoised_from_output(self.0, noisy, &output, level))
    }
}

/// A whole run of a sampler that a schedule is made for.
fn run(
    denoiser: &mut dyn Denoiser,
    config: &SchedulerConfig,
    schedule: &Schedule,
    start: Start<'_>,
    seed: u64,
) -> Result<SampledRun, DiffusionError> {
    let cancel = &CancelToken::new();
    sample(Run { denoiser, config, schedule, start, seed: Seed(seed), cancel }, &mut |_| {})
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
        let run = run(&mut MadeUpNetwork(prediction), &config, &schedule, start, 11).unwrap();
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

/// What diffusers makes of keys of `scheduler_config.json`, for every sampler that reads them.
#[test]
fn every_key_of_the_scheduler_is_followed_as_diffusers_does() {
    let bytes = std::fs::read(fixture("scheduler_keys.safetensors")).unwrap();
    let runs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let facts = recorded("scheduler_keys.json");
    let mut wrong = Vec::new();
    for fact in facts.as_array().unwrap() {
        let config: SchedulerConfig = serde_json::from_value(fact["keys"].clone()).unwrap();
        // This pipeline takes a configuration as it is.
        let config = config.in_pipeline("LatentConsistencyModelPipeline");
        config.check().unwrap();
        let sampler: SamplerKind = fact["sampler"].as_str().unwrap().parse().unwrap();
        let steps = fact["steps"].as_u64().unwrap() as usize;
        let schedule = Schedule::new(&config, sampler, ScheduleKind::Model, steps).unwrap();
        let start = Start::Noise(LatentShape::new(4, 4, 4));
        let run = run(&mut MadeUpNetwork(config.prediction_type), &config, &schedule, start, 11);
        let view = runs.tensor(fact["run"].as_str().unwrap()).unwrap();
        let states: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let expected: Vec<&[f32]> = states.chunks_exact(64).collect();
        let Ok(run) = run else {
            wrong.push(format!("{fact}: {}", run.err().unwrap()));
            continue;
        };
        let found: Vec<&[f32]> =
            run.trajectory.steps.iter().map(|s| s.noisy.values()).chain([run.latent.values()]).collect();
        // Of long runs only the end is recorded.
        let skip = found.len().saturating_sub(expected.len());
        let worst = found[skip..].iter().zip(&expected).map(|(a, b)| relative_l2(a, b)).fold(0.0, f64::max);
        // diffusers keeps sigmas in f32; hundreds of steps add that up, and a cosine schedule's last sigma of
        // 20 000 magnifies it.
        let magnifies = steps > 100 || fact["keys"]["beta_schedule"] == "squaredcos_cap_v2";
        let bound = if magnifies { 2e-4 } else { 5e-5 };
        if worst > bound || expected.len() > found.len() {
            wrong.push(format!("{worst:.1e} {fact}"));
        }
    }
    let short: Vec<String> = wrong.iter().map(|line| line.chars().take(400).collect()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        facts.as_array().unwrap().len(),
        short.join("\n")
    );
}

/// The bound that validation states is the bound that schedules and samplers hold.
#[test]
fn every_number_of_steps_that_is_allowed_works() {
    for keys in [
        serde_json::json!({}),
        serde_json::json!({ "num_train_timesteps": 10, "original_inference_steps": 10 }),
        serde_json::json!({ "final_sigmas_type": "sigma_min", "solver_order": 3 }),
        serde_json::json!({ "use_flow_sigmas": true, "flow_shift": 3.0, "num_train_timesteps": 100 }),
        serde_json::json!({
            "use_flow_sigmas": true, "num_train_timesteps": 100, "final_sigmas_type": "sigma_min",
            "solver_order": 3, "lower_order_final": false, "solver_type": "bh1"
        }),
    ] {
        let config = config(SamplerKind::Euler, &keys);
        let train = config.num_train_timesteps;
        for (sampler, kind) in SamplerKind::ALL.into_iter().flat_map(|s| ScheduleKind::ALL.map(|k| (s, k))) {
            let most = config.step_limits().most(sampler);
            assert!(Schedule::new(&config, sampler, kind, most + 1).is_err());
            assert!(Schedule::new(&config, sampler, kind, 0).is_err());
            for steps in [1, 2, 3, most - 1, most] {
                let schedule = Schedule::new(&config, sampler, kind, steps).unwrap();
                let start = Start::Noise(LatentShape::new(1, 2, 2));
                let run = run(&mut MadeUpNetwork(PredictionType::V), &config, &schedule, start, 3);
                let run = run.unwrap_or_else(|error| {
                    panic!("{} {} {steps} of {train}: {error}", sampler.id(), kind.id())
                });
                assert!(run.latent.values().iter().all(|v| v.abs() < 20.0), "{} {steps}", sampler.id());
            }
        }
    }
}

/// diffusers' tests: `sample[c, h, w, b]` counts up to 1; the network is `x · t / (t + 1)`.
struct CountingNetwork;

impl Denoiser for CountingNetwork {
    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        let factor = (level.timestep / (level.timestep + 1.0)) as f32;
        let output = noisy.map(|_, value| value * factor);
        Ok(denoised_from_output(PredictionType::Epsilon, noisy, &output, level))
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
        // diffusers' batch of four is one latent here: nothing looks across its members.
        let shape = LatentShape::new(4 * 3, 8, 8);
        let n = shape.len();
        let sample: Vec<f32> = (0..n)
            .map(|i| {
                let (b, rest) = (i / 192, i % 192);
                (rest * 4 + b) as f32 / n as f32
            })
            .collect();
        let scale = schedule.initial_noise_scale as f32;
        let mut noisy = Latent::new(shape, sample).unwrap().map(|_, value| value * scale);
        let mut rule = (spec(sampler).new)(&plan(&config, schedule.coordinates, schedule.steps.len()));
        for step in &schedule.steps {
            noisy =
                rule.step(&mut CountingNetwork, &noisy, *step, &mut NoiseSource::new(Seed(0))).unwrap().noisy;
        }
        let sum: f64 = noisy.values().iter().map(|value| f64::from(value.abs())).sum();
        let expected = figures[0].as_f64().unwrap();
        assert!((sum - expected).abs() < 1e-4 * expected.max(1.0), "{name}: {sum} instead of {expected}");
    }
}

fn spec(sampler: SamplerKind) -> &'static SamplerSpec {
    SAMPLERS.iter().find(|spec| spec.kind == sampler).unwrap()
}

fn plan(config: &SchedulerConfig, coordinates: Coordinates, steps: usize) -> Plan<'_> {
    Plan { config, coordinates, planned: steps, taken: steps }
}

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
        // LMS' error changes its sign near 16 steps, where it says nothing about the order.
        let seen = observed_order(error, if order == 1 || spec.kind == SamplerKind::Lms { 40 } else { 16 });
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
        for sampler in SamplerKind::ALL.into_iter().filter(|kind| !kind.is_distilled()) {
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
            assert!((mean - wanted).abs() < 0.03 && (variance - spread).abs() < 0.02, "{says}");
            assert!(run.trajectory.steps.iter().all(|step| step.sigma.is_finite()), "{says}");
        }
    }
}

/// The scale that counts branches, and what each asks the network.
#[test]
fn guidance_asks_for_the_negative_prompt_only_above_one() {
    struct Network(Vec<Branch>);
    impl DenoisingNetwork for Network {
        fn predict(&mut self, noisy: &Latent, _: f64, branch: Branch) -> Result<Prediction, DiffusionError> {
            self.0.push(branch);
            let negative = (branch == Branch::Both).then(|| noisy.map(|_, value| 3.0 * value));
            Ok(Prediction { conditional: noisy.clone(), negative })
        }
    }
    let noisy = Latent::new(LatentShape::new(1, 1, 1), vec![1.0]).unwrap();
    let level = NoiseLevel { alpha: 0.0, sigma: 1.0, timestep: 999.0 };
    let mut network = Network(Vec::new());
    for (guidance_scale, expected) in [(0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (2.0, -1.0)] {
        let prediction = PredictionType::Sample;
        let mut denoiser = GuidedDenoiser { network: &mut network, prediction, guidance_scale };
        assert_eq!(denoiser.denoise(&noisy, level).unwrap().values(), [expected], "{guidance_scale}");
    }
    let [conditional, both] = [Branch::Conditional, Branch::Both];
    assert_eq!(network.0, [conditional, conditional, conditional, both]);
}

fn run_with(
    denoiser: &mut dyn Denoiser,
    cancel: &CancelToken,
    on_step: &mut dyn FnMut(usize),
) -> Result<(usize, bool), String> {
    let config = &config(SamplerKind::Euler, &serde_json::json!({}));
    let schedule = &Schedule::new(config, SamplerKind::Euler, ScheduleKind::Model, 6).unwrap();
    let start = Start::Noise(LatentShape::new(4, 4, 4));
    sample(Run { denoiser, config, schedule, start, seed: Seed(1), cancel }, &mut |step| on_step(step.step))
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
        fn denoise(&mut self, noisy: &Latent, _: NoiseLevel) -> Result<Latent, DiffusionError> {
            self.0 += 1;
            let factor = if self.0 == 3 { f32::NAN } else { 0.5 };
            Ok(noisy.map(|_, value| value * factor))
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
    assert!(error.to_string().contains("from 1 to 50"), "{error}");
}
