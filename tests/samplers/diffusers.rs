//! Every step beside what PyTorch and diffusers recorded.

use std::collections::BTreeMap;

use safelight::catalog::{PredictionType, SamplerKind, ScheduleKind};
use safelight::diffusion::{
    Denoiser, DiffusionError, NoiseLevel, NoiseSource, Schedule, SchedulerConfig, Start, denoised_from_output,
};
use safelight::latent::{Latent, LatentShape};
use safelight::request::Seed;

use crate::common::fixtures::{fixture, json, tensors};
use crate::common::numbers::relative_l2;
use crate::{MadeUpNetwork, config, plan, run, spec};

#[test]
fn noise_is_what_pytorch_draws_for_the_same_seed() {
    for case in json(&fixture("noise.json"))["noise"].as_array().unwrap() {
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
    let runs = tensors(&fixture("samplers.safetensors"));
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    assert!(runs.len() > 150, "{}", runs.len());
    for (name, (_, states)) in &runs {
        let part: Vec<&str> = name.split('|').collect();
        let sampler: SamplerKind = part[0].parse().unwrap();
        let kind: ScheduleKind = part[1].parse().unwrap();
        let prediction: PredictionType = serde_json::from_value(part[2].into()).unwrap();
        let mut extra = serde_json::json!({"prediction_type": part[2]});
        if matches!(kind, ScheduleKind::Karras | ScheduleKind::Exponential) {
            extra["timestep_spacing"] = "linspace".into();
        }
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
    let runs = tensors(&fixture("scheduler_keys.safetensors"));
    let facts = json(&fixture("scheduler_keys.json"));
    let mut wrong = Vec::new();
    for fact in facts.as_array().unwrap() {
        let config: SchedulerConfig = serde_json::from_value(fact["keys"].clone()).unwrap();
        // This pipeline takes a configuration as it is.
        let config = config.in_pipeline("LatentConsistencyModelPipeline");
        config.check().unwrap();
        let sampler: SamplerKind = fact["sampler"].as_str().unwrap().parse().unwrap();
        let steps = fact["steps"].as_u64().unwrap() as usize;
        let schedule = Schedule::new(&config, sampler, ScheduleKind::Model, steps).unwrap();
        let schedule = schedule.with_eta(fact["eta"].as_f64());
        let start = Start::Noise(LatentShape::new(4, 4, 4));
        let run = run(&mut MadeUpNetwork(config.prediction_type), &config, &schedule, start, 11);
        let (_, states) = &runs[fact["run"].as_str().unwrap()];
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
    for (name, figures) in json(&fixture("noise.json"))["loops"].as_object().unwrap() {
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
