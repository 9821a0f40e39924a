//! Runs that are written and read back, cut off, listed and thinned.

mod broken;
mod costs;
mod listing;
mod processes;
mod round_trip;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{LatentShape, TrajectoryStep};

const SHAPE: LatentShape = LatentShape::new(4, 6, 5);

/// Settings with this prompt.
fn facts(prompt: &str) -> GenerationFacts {
    GenerationFacts {
        prompt: Some(prompt.to_owned()),
        negative_prompt: Some("흐림".to_owned()),
        steps: Some(5),
        guidance_scale: Some(f64::from(7.1f32)),
        seed: Some(Seed(u64::MAX)),
        size: Some(crate::catalog::ImageSize::new(40, 48)),
        other: vec![("Eta".to_owned(), "0.3".to_owned())],
        ..GenerationFacts::default()
    }
}

/// A run of five steps from noise.
fn new_run(prompt: &str) -> NewRun {
    NewRun {
        model: ModelSource::Folder("/models/그림.safetensors".into()),
        model_name: "made up".to_owned(),
        family: "Stable Diffusion 1".to_owned(),
        format: LatentFormat::STABLE_DIFFUSION,
        vae_hash: "ab".to_owned(),
        parts: vec![PartRecord { facts: facts(prompt), ..PartRecord::default() }],
        steps_planned: 5,
        source: None,
        retouched: None,
        origin: None,
        grid: None,
    }
}

/// A latent whose values depend on `salt` and have all their bits.
fn latent(shape: LatentShape, salt: u64) -> Latent {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 22) as f32 - 2.0
    };
    Latent::new(shape, (0..shape.len()).map(|_| next()).collect::<Vec<_>>()).unwrap()
}

/// A step whose denoiser was called twice.
fn step_of(shape: LatentShape, step: usize) -> Arc<TrajectoryStep> {
    let salt = step as u64 * 10;
    let outputs = vec![latent(shape, salt), latent(shape, salt + 1)];
    let (noisy, denoised) = (latent(shape, salt + 2), outputs[0].clone());
    let (sigma, elapsed_secs) = (14.6 / step as f64, 0.012);
    TrajectoryStep { step, steps: 5, sigma, noisy, denoised, outputs, elapsed_secs }.into()
}

fn step(step: usize) -> Arc<TrajectoryStep> {
    step_of(SHAPE, step)
}

/// Gives these steps to a writer.
fn write_steps(writer: &RunWriter, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        writer.step(step(number));
    }
}

/// A picture of this size with a gradient.
fn picture(width: usize, height: usize) -> Picture {
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 99]));
    Picture::new(width, height, rgb.collect::<Vec<_>>()).unwrap()
}

/// A run that went to its end, with its picture.
fn finished(history: &History, prompt: &str) -> RunId {
    let writer = history.begin(new_run(prompt)).unwrap();
    write_steps(&writer, 1..=5);
    writer.sampled(&latent(SHAPE, 7), false, 0.5);
    writer.picture(&picture(40, 48));
    writer.ended(RunStatus::Finished, 0.75);
    let id = writer.id().clone();
    drop(writer);
    history.finish();
    id
}

/// Whether the steps are the first `count` of those that [`step`] makes, bit for bit.
fn are_first(steps: &[KeptStep], count: usize) -> bool {
    let is_same = |(kept, number): (&KeptStep, usize)| {
        let made = step(number);
        kept.step.outputs == made.outputs && kept.hash == step_hash(&made) && kept.step.step == number
    };
    steps.len() == count && steps.iter().zip(1..).all(is_same)
}

/// Waits until a run is not locked any more. A child process of another test inherits the lock between its fork and its
/// exec.
fn wait_until_free(history: &History, id: &RunId) {
    let start = std::time::Instant::now();
    while history.run(id).try_lock().is_none() {
        assert!(start.elapsed().as_secs() < 20, "the lock is still held");
        std::thread::yield_now();
    }
}

/// The names of the files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
