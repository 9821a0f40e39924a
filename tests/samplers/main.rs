//! Noise, schedules and samplers against PyTorch's and diffusers' own figures, and against mathematics.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../common/mod.rs"]
mod common;
mod convergence;
mod diffusers;
mod parts;
mod sampling_loop;

use safelight::catalog::{PredictionType, SamplerKind};
use safelight::diffusion::{
    Coordinates, Denoiser, DiffusionError, NoiseLevel, Plan, Run, RunPart, SAMPLERS, SampledRun, SamplerSpec,
    Schedule, SchedulerConfig, Start, denoised_from_output, sample,
};
use safelight::latent::Latent;
use safelight::request::{CancelToken, Seed};

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
    let parts = &[RunPart::whole(config, schedule)];
    sample(Run { denoiser, parts, recorded: &[], start, seed: Seed(seed), cancel }, &mut |_| {})
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

fn spec(sampler: SamplerKind) -> &'static SamplerSpec {
    SAMPLERS.iter().find(|spec| spec.kind == sampler).unwrap()
}

fn plan(config: &SchedulerConfig, coordinates: Coordinates, steps: usize) -> Plan<'_> {
    Plan { config, coordinates, planned: steps, taken: steps, is_whole: true, eta: None }
}
