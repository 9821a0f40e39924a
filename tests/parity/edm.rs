//! EDM's preconditioning and sigmas, and a VAE whose channels have means and deviations, as in Playground v2.5.

use safelight::catalog::SamplerKind;
use safelight::diffusion::Start;
use safelight::latent::LatentShape;
use safelight::models::LatentDiffusionModel;
use safelight::request::{CancelToken, DecodeChoice, Picture};

use super::common::fixtures::{fixture, tensors};
use super::common::model_folders::{copied_model, loaded, model_in};
use super::common::sampling::Drawing;
use super::{close, worst_difference};

/// sdxl's model with the autoencoder's configuration and a scheduler of the fixture.
fn model(scheduler: &str) -> Box<dyn LatentDiffusionModel> {
    let folder = copied_model("sdxl");
    let copy = |from: String, to: &str| {
        std::fs::copy(fixture(&from), folder.path().join(to)).unwrap();
    };
    copy("edm/vae/config.json".into(), "vae/config.json");
    copy(format!("edm/{scheduler}/scheduler_config.json"), "scheduler/scheduler_config.json");
    loaded(&model_in(&folder))
}

fn drawing(sampler: SamplerKind, steps: usize, start: Start<'_>) -> Drawing<'_> {
    Drawing {
        prompt: "a red fox in the snow",
        negative_prompt: "night",
        guidance_scale: 3.0,
        sampler,
        steps,
        seed: 7,
        start,
        ..Drawing::default()
    }
}

#[test]
fn every_step_of_edm_s_schedulers_agrees_with_diffusers() {
    let expected = tensors(&fixture("edm/expected.safetensors"));
    let shape = LatentShape::new(4, 32, 32);
    for (name, sampler, steps) in [
        ("multistep", SamplerKind::Dpmpp2m, 16),
        ("few", SamplerKind::Dpmpp3m, 6),
        ("stochastic", SamplerKind::Dpmpp2mSde, 6),
        ("euler", SamplerKind::Euler, 5),
        ("exponential", SamplerKind::Euler, 5),
    ] {
        let mut model = model(name);
        assert_eq!(model.profile().defaults.sampler, sampler, "{name}");
        // The folder's index is sdxl's.
        let remarks = &model.profile().remarks;
        assert!(matches!(&remarks[..], [one] if one.contains("index lists")), "{name}: {remarks:?}");
        let run = drawing(sampler, steps, Start::Noise(shape)).run_in_steps(&mut *model).unwrap();
        let wanted: Vec<&[f32]> = expected[&format!("{name}_steps")].1.chunks_exact(shape.len()).collect();
        assert_eq!((wanted.len(), run.trajectory.steps.len()), (steps, steps), "{name}");
        for (i, wanted) in wanted.iter().enumerate() {
            // Ours has unit variance at every level; diffusers' is √(σ² + 1) times as large.
            let found: Vec<f32> = match run.trajectory.steps.get(i + 1) {
                Some(step) => {
                    let scale = step.sigma.hypot(1.0) as f32;
                    step.noisy.values().iter().map(|value| value * scale).collect()
                }
                None => run.latent.values().to_vec(),
            };
            close(&format!("{name}, after step {}", i + 1), &found, wanted, 1e-3);
        }
    }
}

#[test]
fn a_vae_with_means_and_deviations_of_its_channels_agrees_with_diffusers() {
    let expected = tensors(&fixture("edm/expected.safetensors"));
    let mut model = model("multistep");
    let cancel = CancelToken::new();
    let run = drawing(SamplerKind::Dpmpp2m, 16, Start::Noise(LatentShape::new(4, 32, 32)));
    let drawn = run.run(&mut *model).unwrap();
    let picture = model.decode(&drawn, DecodeChoice::default(), &cancel).unwrap().picture;
    let worst = worst_difference(&picture, &expected["picture"].1);
    assert!(worst <= 2, "{worst}/255");

    let (shape, values) = &expected["source"];
    let (h, w) = (shape[2], shape[3]);
    let byte = |i: usize| ((values[(i % 3) * h * w + i / 3] + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8;
    let source = Picture::new(w, h, (0..h * w * 3).map(byte).collect::<Vec<_>>()).unwrap();
    let encoded = model.encode(&source, &cancel).unwrap().mean;
    close("encoder's mean", encoded.values(), &expected["start"].1, 1e-3);
    let from_picture = drawing(SamplerKind::Dpmpp2m, 16, Start::Latent { latent: &encoded, strength: 0.5 });
    close("from a picture", from_picture.run(&mut *model).unwrap().values(), &expected["img2img"].1, 1e-3);
}
