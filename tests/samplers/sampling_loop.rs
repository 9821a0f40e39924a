//! The sampling loop: bounds of steps, guidance, stops, values that are not numbers.

use safelight::catalog::{PredictionType, SamplerKind, ScheduleKind};
use safelight::diffusion::{
    Branch, Denoiser, DenoisingNetwork, DiffusionError, GuidedDenoiser, NoiseLevel, Prediction, Run, RunPart,
    Schedule, SchedulerConfig, Start, sample,
};
use safelight::latent::{Latent, LatentShape};
use safelight::request::{CancelToken, Seed};

use crate::{MadeUpNetwork, config, run};

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
        let mut denoiser = GuidedDenoiser::new(&mut network, prediction, guidance_scale);
        assert_eq!(denoiser.denoise(&noisy, level).unwrap().values(), [expected], "{guidance_scale}");
    }
    let [conditional, both] = [Branch::Conditional, Branch::Both];
    assert_eq!(network.0, [conditional, conditional, conditional, both]);
}

/// Lin et al. 2023: the guided prediction gets the spread of the prompt's own, here 1 instead of 3.
#[test]
fn guidance_is_scaled_back_to_the_spread_of_the_prompt_s_prediction() {
    struct Network;
    impl DenoisingNetwork for Network {
        fn predict(&mut self, noisy: &Latent, _: f64, _: Branch) -> Result<Prediction, DiffusionError> {
            let conditional = noisy.map(|i, _| if i == 0 { 3.0 } else { 1.0 });
            let negative = Some(noisy.map(|_, _| 0.0));
            Ok(Prediction { conditional, negative })
        }
    }
    let noisy = Latent::new(LatentShape::new(2, 1, 1), vec![0.0; 2]).unwrap();
    let level = NoiseLevel { alpha: 0.0, sigma: 1.0, timestep: 999.0 };
    for (guidance_rescale, expected) in [(0.0, [9.0, 3.0]), (1.0, [3.0, 1.0]), (0.5, [6.0, 2.0])] {
        let prediction = PredictionType::Sample;
        let mut network = Network;
        let mut denoiser = GuidedDenoiser::new(&mut network, prediction, 3.0);
        denoiser.guidance_rescale = guidance_rescale;
        let found = denoiser.denoise(&noisy, level).unwrap();
        assert_eq!(found.values(), expected, "{guidance_rescale}");
    }
}

fn run_with(
    denoiser: &mut dyn Denoiser,
    cancel: &CancelToken,
    on_step: &mut dyn FnMut(usize),
) -> Result<(usize, bool), String> {
    let config = &config(SamplerKind::Euler, &serde_json::json!({}));
    let schedule = &Schedule::new(config, SamplerKind::Euler, ScheduleKind::Model, 6).unwrap();
    let start = Start::Noise(LatentShape::new(4, 4, 4));
    let parts = &[RunPart::whole(config, schedule)];
    let run = Run { denoiser, parts, recorded: &[], start, seed: Seed(1), cancel };
    sample(run, &mut |step| on_step(step.step))
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
