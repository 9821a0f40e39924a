//! Runs that go on from another: with what the denoiser returned, a sampler takes the same steps without it.

use std::sync::Arc;

use safelight::catalog::{PredictionType, SamplerKind, ScheduleKind};
use safelight::diffusion::{
    Denoiser, DiffusionError, NoiseLevel, Run, RunPart, SampledRun, Schedule, SchedulerConfig, Start, sample,
};
use safelight::latent::{Latent, LatentShape, TrajectoryStep};
use safelight::request::{CancelToken, Seed};

use crate::{MadeUpNetwork, config};

const SHAPE: LatentShape = LatentShape { channels: 2, height: 4, width: 4 };

/// Counts the calls of the network.
struct Counted(usize);

impl Denoiser for Counted {
    fn denoise(&mut self, noisy: &Latent, level: NoiseLevel) -> Result<Latent, DiffusionError> {
        self.0 += 1;
        MadeUpNetwork(PredictionType::V).denoise(noisy, level)
    }
}

fn configurations() -> Vec<SchedulerConfig> {
    let keys = [
        serde_json::json!({}),
        serde_json::json!({ "skip_prk_steps": true, "solver_order": 3 }),
        serde_json::json!({ "use_flow_sigmas": true, "flow_shift": 3.0, "prediction_type": "flow_prediction" }),
    ];
    keys.iter().map(|keys| config(SamplerKind::Euler, keys)).collect()
}

/// The run, and how often it called the network.
fn go_on(parts: &[RunPart<'_>], recorded: &[Arc<TrajectoryStep>], start: Start<'_>) -> (SampledRun, usize) {
    let (mut network, cancel) = (Counted(0), CancelToken::new());
    let run = Run { denoiser: &mut network, parts, recorded, start, seed: Seed(5), cancel: &cancel };
    let done = sample(run, &mut |_| {}).unwrap();
    (done, network.0)
}

/// All bits of a run.
fn bits(run: &SampledRun) -> Vec<u32> {
    let steps = run.trajectory.steps.iter();
    let latents = steps.flat_map(|step| [&step.noisy, &step.denoised].into_iter().chain(&step.outputs));
    latents.chain([&run.latent]).flat_map(Latent::values).map(|value| value.to_bits()).collect()
}

#[test]
fn a_run_goes_on_from_any_step_to_the_same_bits_with_every_sampler() {
    let picture = Latent::zeros(SHAPE).map(|channel, _| channel as f32 - 0.4);
    let from_picture = Start::Latent { latent: &picture, strength: 0.7 };
    for (config, sampler) in
        configurations().iter().flat_map(|config| SamplerKind::ALL.map(|sampler| (config, sampler)))
    {
        for start in [Start::Noise(SHAPE), from_picture] {
            let schedule = Schedule::new(config, sampler, ScheduleKind::Model, 14).unwrap();
            let parts = [RunPart::whole(config, &schedule)];
            let (whole, calls) = go_on(&parts, &[], start);
            let steps = &whole.trajectory.steps;
            assert_eq!(calls, steps.iter().map(|step| step.outputs.len()).sum::<usize>(), "{}", sampler.id());
            for taken in 0..=steps.len() {
                let (again, calls_again) = go_on(&parts, &steps[..taken], start);
                assert!(bits(&again) == bits(&whole), "{} from step {taken}", sampler.id());
                let saved: usize = steps[..taken].iter().map(|step| step.outputs.len()).sum();
                assert_eq!(calls_again, calls - saved, "{} from step {taken}", sampler.id());
            }
        }
    }
}

#[test]
fn another_sampler_takes_over_at_the_level_that_was_reached() {
    for config in &configurations() {
        for (first, second) in SamplerKind::ALL.into_iter().flat_map(|a| SamplerKind::ALL.map(|b| (a, b))) {
            let of = |sampler, kind, steps| Schedule::new(config, sampler, kind, steps).unwrap();
            let begun = of(first, ScheduleKind::Model, 12);
            let (whole, _) = go_on(&[RunPart::whole(config, &begun)], &[], Start::Noise(SHAPE));
            let next = of(second, ScheduleKind::Model, 20);
            for after in [1, 5, 11] {
                let name = format!("{} then {} after {after}", first.id(), second.id());
                let parts =
                    [RunPart::whole(config, &begun), RunPart { after, ..RunPart::whole(config, &next) }];
                let (forked, _) = go_on(&parts, &whole.trajectory.steps[..after], Start::Noise(SHAPE));
                let steps = &forked.trajectory.steps;
                assert!(steps.len() > after, "{name}");
                assert!(steps.iter().all(|step| step.steps == steps.len()), "{name}");
                assert_eq!(
                    steps[..after].iter().map(|step| &step.noisy).collect::<Vec<_>>(),
                    whole.trajectory.steps[..after].iter().map(|step| &step.noisy).collect::<Vec<_>>(),
                    "{name}"
                );
                // The new part begins with the latent, and at the level, where the old one would have gone on.
                let (gone_on, would) = (&steps[after], &whole.trajectory.steps[after]);
                assert_eq!(gone_on.noisy, would.noisy, "{name}");
                let largest =
                    forked.latent.values().iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                assert!(largest < 40.0, "{name}: {largest}");
            }
        }
    }
}

#[test]
fn the_levels_of_a_later_part_fall_from_the_level_that_was_reached() {
    let config = &configurations()[0];
    let of = |sampler, kind, steps| Schedule::new(config, sampler, kind, steps).unwrap();
    let reached = of(SamplerKind::Euler, ScheduleKind::Model, 10).steps[3].to;
    for sampler in SamplerKind::ALL {
        for kind in [ScheduleKind::Model, ScheduleKind::Karras, ScheduleKind::Simple] {
            let schedule = of(sampler, kind, 25);
            let rest = schedule.below(reached);
            assert_eq!(rest[0].from, reached, "{}", sampler.id());
            let sigmas: Vec<f64> = rest.iter().map(|step| step.from.k_sigma()).collect();
            assert!(sigmas.is_sorted_by(|a, b| a >= b), "{} {}: {sigmas:?}", sampler.id(), kind.id());
            assert!(sigmas[1] < sigmas[0], "{} {}: {sigmas:?}", sampler.id(), kind.id());
            assert_eq!(rest.last().unwrap().to, schedule.steps.last().unwrap().to);
        }
    }
    // At the end there is one step left, to the end.
    let last = of(SamplerKind::Euler, ScheduleKind::Karras, 10);
    let rest = last.below(NoiseLevel::from_k_sigma(0.001, 0.0));
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].to, NoiseLevel::CLEAN);
}

#[test]
fn a_retouched_estimate_moves_the_latent_and_keeps_its_noise() {
    let config = &configurations()[0];
    let schedule = &Schedule::new(config, SamplerKind::Dpmpp2m, ScheduleKind::Model, 8).unwrap();
    let (whole, _) = go_on(&[RunPart::whole(config, schedule)], &[], Start::Noise(SHAPE));
    let before = &whole.trajectory.steps[2];
    let retouched = before.denoised.map(|channel, value| if channel == 0 { value + 1.0 } else { value });
    let part = RunPart { after: 3, retouched: Some(&retouched), ..RunPart::whole(config, schedule) };
    let parts = [RunPart::whole(config, schedule), part];
    let (forked, _) = go_on(&parts, &whole.trajectory.steps[..3], Start::Noise(SHAPE));
    let alpha = schedule.steps[2].to.alpha as f32;
    let (moved, was) = (&forked.trajectory.steps[3].noisy, &whole.trajectory.steps[3].noisy);
    for (i, (moved, was)) in moved.values().iter().zip(was.values()).enumerate() {
        let by = if i < 16 { alpha } else { 0.0 };
        assert!((moved - was - by).abs() < 1e-5, "{i}: {moved} from {was} by {by}");
    }
    assert_ne!(forked.latent, whole.latent);
}

#[test]
fn another_seed_changes_the_noise_of_the_later_steps_only() {
    let config = &configurations()[0];
    for sampler in SamplerKind::ALL {
        let schedule = &Schedule::new(config, sampler, ScheduleKind::Model, 8).unwrap();
        let (whole, _) = go_on(&[RunPart::whole(config, schedule)], &[], Start::Noise(SHAPE));
        let fork = |seed| {
            let part = RunPart { after: 4, seed, ..RunPart::whole(config, schedule) };
            go_on(
                &[RunPart::whole(config, schedule), part],
                &whole.trajectory.steps[..4],
                Start::Noise(SHAPE),
            )
            .0
        };
        let [same, other] = [fork(None), fork(Some(Seed(77)))];
        let first = |run: &SampledRun| -> Vec<_> {
            run.trajectory.steps[..4].iter().map(|step| (step.noisy.clone(), step.denoised.clone())).collect()
        };
        assert!(first(&same) == first(&whole), "{}", sampler.id());
        assert_eq!(same.latent != other.latent, sampler.is_stochastic(), "{}", sampler.id());
    }
}
