//! Whole models against diffusers, on small checkpoints with random weights in the real layouts.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

#[path = "../common/mod.rs"]
mod common;

mod edm;
mod files;
mod flow;
mod inside;
mod meaning;
mod qwen3;
mod stable_diffusion;
mod tiny_decoder;

use safelight::catalog::SamplerKind;
use safelight::diffusion::{Branch, DenoisingNetwork, Prediction, Start};
use safelight::latent::{Latent, LatentShape};
use safelight::models::{Conditioning, LatentDiffusionModel};
use safelight::request::Picture;

use common::numbers::relative_l2;
use common::sampling::{Drawing, conditioning};

/// f32 in another order of summation; the transforms of Winograd's convolutions add the most.
pub(crate) const NETWORK: f64 = 2e-5;

#[track_caller]
pub(crate) fn close(what: &str, found: &[f32], expected: &[f32], tolerance: f64) {
    let error = relative_l2(found, expected);
    println!("{what}: relative L2 {error:.1e}");
    assert!(error <= tolerance, "{what}: relative L2 {error:e}");
}

pub(crate) fn latent(tensor: &(Vec<usize>, Vec<f32>)) -> Latent {
    let [_, c, h, w] = tensor.0[..] else { panic!("{:?}", tensor.0) };
    Latent::new(LatentShape::new(c, h, w), tensor.1.clone()).unwrap()
}

/// The conditioning of these prompts.
pub(crate) fn prompts(prompt: &str, negative_prompt: &str) -> Conditioning {
    conditioning(prompt, negative_prompt, 4.0)
}

pub(crate) fn guided_run(
    model: &mut dyn LatentDiffusionModel,
    [prompt, negative_prompt]: [&str; 2],
    sampler: SamplerKind,
    steps: usize,
    seed: u64,
    start: &Start<'_>,
) -> Latent {
    let drawing =
        Drawing { prompt, negative_prompt, sampler, steps, seed, start: *start, ..Drawing::default() };
    drawing.run(model).unwrap()
}

/// The network's output for the negative prompt and the prompt, one after the other.
pub(crate) fn both_outputs(network: &mut dyn DenoisingNetwork, noisy: &Latent, timestep: f64) -> Vec<f32> {
    let Prediction { conditional, negative } = network.predict(noisy, timestep, Branch::Both).unwrap();
    [negative.unwrap().values(), conditional.values()].concat()
}

pub(crate) fn worst_difference(picture: &Picture, expected: &[f32]) -> u8 {
    let bytes = expected.iter().map(|v| (v * 255.0).round_ties_even() as u8);
    picture.rgb().iter().zip(bytes).map(|(a, b)| a.abs_diff(b)).max().unwrap()
}
