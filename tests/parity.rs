//! Whole models against diffusers, on small checkpoints with random weights in the real layouts.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safelight::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
use safelight::diffusion::{
    Branch, DenoisingNetwork, GuidedDenoiser, NoiseSource, Prediction, Run, Schedule, Start, sample,
};
use safelight::formats::latent_file::read_latent;
use safelight::latent::{Latent, LatentShape};
use safelight::models::{Conditioning, LatentDiffusionModel, ModelSettings, PromptTokenizer, load};
use safelight::request::{CancelToken, DecodeChoice, DeviceChoice, Picture, Seed};
use safelight::store::ModelFiles;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder(name: &str) -> ModelSource {
    ModelSource::Folder(root().join("tests/fixtures").join(name))
}

fn model(choice: &ModelSource) -> Box<dyn LatentDiffusionModel> {
    let settings = ModelSettings { device: DeviceChoice::Cpu, ..ModelSettings::default() };
    load(choice, settings, &mut |_, _, _| {}, &CancelToken::new()).unwrap()
}

type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

fn recorded(file: PathBuf) -> Tensors {
    let bytes = std::fs::read(file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values =
        |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    tensors
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), values(view.data()))))
        .collect()
}

fn relative_l2(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let error: f64 = found.iter().zip(expected).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let size: f64 = expected.iter().map(|b| f64::from(*b).powi(2)).sum();
    (error / size).sqrt()
}

/// f32 in another order of summation; the transforms of Winograd's convolutions add the most.
const NETWORK: f64 = 2e-5;

#[track_caller]
fn close(what: &str, found: &[f32], expected: &[f32], tolerance: f64) {
    let error = relative_l2(found, expected);
    println!("{what}: relative L2 {error:.1e}");
    assert!(error <= tolerance, "{what}: relative L2 {error:e}");
}

fn latent(tensor: &(Vec<usize>, Vec<f32>)) -> Latent {
    let [_, c, h, w] = tensor.0[..] else { panic!("{:?}", tensor.0) };
    Latent::new(LatentShape::new(c, h, w), tensor.1.clone()).unwrap()
}

/// A conditioning of these prompts.
fn prompts(prompt: &str, negative_prompt: &str) -> Conditioning {
    Conditioning {
        prompt: prompt.to_owned(),
        negative_prompt: negative_prompt.to_owned(),
        size: ImageSize::new(64, 64),
        guidance_scale: 4.0,
    }
}

fn guided_run(
    model: &mut dyn LatentDiffusionModel,
    [prompt, negative]: [&str; 2],
    sampler: SamplerKind,
    steps: usize,
    seed: u64,
    start: &Start<'_>,
) -> Latent {
    let config = model.scheduler_config().clone();
    let prediction = model.profile().prediction;
    let cancel = CancelToken::new();
    let mut network = model.condition(&prompts(prompt, negative), &cancel).unwrap();
    let mut denoiser = GuidedDenoiser { network: &mut *network, prediction, guidance_scale: 4.0 };
    let schedule = Schedule::new(&config, sampler, ScheduleKind::Model, steps).unwrap();
    let (denoiser, config, schedule, cancel) = (&mut denoiser, &config, &schedule, &cancel);
    let run = Run { denoiser, config, schedule, start: *start, seed: Seed(seed), cancel };
    sample(run, &mut |_| {}).unwrap().latent
}

/// The network's output for the negative prompt and the prompt, one after the other.
fn both_outputs(network: &mut dyn DenoisingNetwork, noisy: &Latent, timestep: f64) -> Vec<f32> {
    let Prediction { conditional, negative } = network.predict(noisy, timestep, Branch::Both).unwrap();
    [negative.unwrap().values(), conditional.values()].concat()
}

fn worst_difference(picture: &Picture, expected: &[f32]) -> u8 {
    let bytes = expected.iter().map(|v| (v * 255.0).round_ties_even() as u8);
    picture.rgb().iter().zip(bytes).map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

fn agrees_with_diffusers(name: &str) {
    let mut model = model(&folder(name));
    let expected = recorded(root().join("tests/fixtures").join(name).join("expected.safetensors"));
    let cancel = CancelToken::new();
    let format = model.profile().format;

    let start = &expected["latent"];
    let mut network = model.condition(&prompts("a red fox in the snow", ""), &cancel).unwrap();
    let output = both_outputs(&mut *network, &latent(start), 801.0);
    drop(network);
    close("UNet and text embeddings", &output, &expected["unet"].1, NETWORK);

    // The decoder's own values are not public; a picture holds them to half of 1/255.
    let decoded = model
        .decode(&format.model_from_vae(&latent(start)), DecodeChoice::default(), &cancel)
        .unwrap()
        .picture;
    let (shape, values) = &expected["decoded"];
    let (h, w) = (shape[2], shape[3]);
    for (y, x, c) in (0..h).flat_map(|y| (0..w).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
        let exact = (values[(c * h + y) * w + x] / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0;
        let found = f32::from(decoded.pixel(x, y)[c]);
        assert!((found - exact).abs() <= 0.51, "{name}: pixel {x}, {y}: {found} for {exact}");
    }

    let (shape, values) = &expected["picture"];
    let (h, w) = (shape[2], shape[3]);
    let bytes: Vec<u8> = (0..h * w * 3)
        .map(|i| ((values[(i % 3) * h * w + i / 3] + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8)
        .collect();
    let encoded = model.encode(&Picture::new(w, h, bytes).unwrap(), &cancel).unwrap();
    close("encoder's mean", format.vae_from_model(&encoded.mean).values(), &expected["mean"].1, NETWORK);
    close("encoder's log-variance", encoded.log_variance.values(), &expected["logvar"].1, NETWORK);

    for sampler in [SamplerKind::Ddim, SamplerKind::Euler] {
        let mut run =
            |start| guided_run(&mut *model, ["a red fox in the snow", "night"], sampler, 5, 7, &start);
        let drawn = run(Start::Noise(LatentShape::new(4, 8, 8)));
        let key = format!("{}_latent", sampler.id());
        close(&key, drawn.values(), &expected[&key].1, 1e-3);
        let from_picture = run(Start::Latent { latent: &encoded.mean, strength: 0.6 });
        let key = format!("{}_img2img", sampler.id());
        close(&key, from_picture.values(), &expected[&key].1, 1e-3);
        let picture = model.decode(&drawn, DecodeChoice::default(), &cancel).unwrap().picture;
        let worst = worst_difference(&picture, &expected[&format!("{}_picture", sampler.id())].1);
        assert!(worst <= 2, "{name}: {worst}/255");
    }

    // A file as ComfyUI writes it, from Python.
    let file = root().join("tests/fixtures").join(name).join("expected.latent");
    let opened = read_latent(&file).unwrap();
    let picture = model
        .decode(&format.model_from_vae(&opened.latent), DecodeChoice::default(), &cancel)
        .unwrap()
        .picture;
    assert!(
        worst_difference(&picture, &expected["ddim_picture"].1) <= 1,
        "{name}: the latent file's picture"
    );
}

#[test]
fn an_sd1_like_model_agrees_with_diffusers() {
    agrees_with_diffusers("sd1");
}

/// A copy of a fixture with one key of `unet/config.json` changed.
fn with_unet_key(name: &str, key: &str, value: serde_json::Value) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let fixture = root().join("tests/fixtures").join(name);
    for part in ["scheduler", "text_encoder", "tokenizer", "unet", "vae"] {
        std::fs::create_dir(copy.path().join(part)).unwrap();
        for file in std::fs::read_dir(fixture.join(part)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(part).join(file.file_name())).unwrap();
        }
    }
    std::fs::copy(fixture.join("model_index.json"), copy.path().join("model_index.json")).unwrap();
    let path = copy.path().join("unet/config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(path, config.to_string()).unwrap();
    copy
}

#[test]
fn keys_of_the_unet_change_its_output_as_in_diffusers() {
    let expected = recorded(root().join("tests/fixtures/unet_keys.safetensors"));
    let start = &recorded(root().join("tests/fixtures/sd1/expected.safetensors"))["latent"];
    for (name, key, value) in [
        ("no_middle", "mid_block_type", serde_json::Value::Null),
        ("no_padding", "downsample_padding", 0.into()),
        ("shifted_frequencies", "freq_shift", 1.into()),
        ("sines_first", "flip_sin_to_cos", false.into()),
    ] {
        let folder = with_unet_key("sd1", key, value);
        let mut model = model(&ModelSource::Folder(folder.path().to_owned()));
        let cancel = CancelToken::new();
        let mut network = model.condition(&prompts("a red fox in the snow", ""), &cancel).unwrap();
        let output = both_outputs(&mut *network, &latent(start), 801.0);
        close(name, &output, &expected[name].1, NETWORK);
    }
}

#[test]
fn an_sd2_like_model_in_f16_shards_agrees_with_diffusers() {
    agrees_with_diffusers("sd2");
}

/// A folder that diffusers' own inpainting pipeline saved.
#[test]
fn an_inpainting_model_draws_the_whole_picture_as_diffusers() {
    let mut model = model(&folder("inpainting"));
    let expected = recorded(root().join("tests/fixtures/inpainting/expected.safetensors"));
    let start = Start::Noise(LatentShape::new(4, 8, 8));
    let run = guided_run(&mut *model, ["a red fox in the snow", "night"], SamplerKind::Ddim, 5, 7, &start);
    close("inpainting", run.values(), &expected["ddim_latent"].1, 1e-3);
}

/// The UNet of four levels halves odd edges: on the way up each map is as large as the one it is joined with.
#[test]
fn latents_of_odd_sizes_agree_with_diffusers_at_every_level() {
    let temporary = tempfile::tempdir().unwrap();
    let fixtures = root().join("tests/fixtures");
    for part in ["model_index.json", "scheduler", "tokenizer", "text_encoder", "vae"] {
        copy(&fixtures.join("sd1").join(part), &temporary.path().join(part));
    }
    copy(&fixtures.join("deep/unet"), &temporary.path().join("unet"));
    let mut model = model(&ModelSource::Folder(temporary.path().to_owned()));
    let profile = model.profile();
    assert_eq!((profile.size_multiple, profile.defaults.size), (2, ImageSize::new(26, 22)));
    let expected = recorded(fixtures.join("deep/expected.safetensors"));
    let (prompt, cancel) = ("a red fox in the snow", CancelToken::new());
    for size in ["11x13", "7x16", "9x8"] {
        let noisy = latent(&expected[&format!("latent_{size}")]);
        let output =
            both_outputs(&mut *model.condition(&prompts(prompt, ""), &cancel).unwrap(), &noisy, 801.0);
        close(size, &output, &expected[&format!("unet_{size}")].1, NETWORK);
    }
    let start = Start::Noise(LatentShape::new(4, 20, 28));
    let run = guided_run(&mut *model, [prompt, "night"], SamplerKind::Ddim, 5, 7, &start);
    close("a picture of 40 by 56", run.values(), &expected["ddim_latent"].1, 1e-3);
}

/// Copies a file, or a folder's files.
fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn token_ids_are_transformers() {
    for name in ["sd1", "sd2"] {
        let tokenizer =
            PromptTokenizer::open(&ModelFiles::open(&folder(name)).unwrap(), "tokenizer").unwrap();
        let file = root().join("tests/fixtures").join(name).join("expected.json");
        let expected: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for (text, ids) in expected["ids"].as_object().unwrap() {
            let ids: Vec<u32> =
                ids.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
            assert_eq!(tokenizer.ids(text).unwrap(), ids, "{text}");
        }
    }
}

#[test]
fn long_weighted_and_empty_prompts_work() {
    let mut model = model(&folder("sd1"));
    let start = Start::Noise(LatentShape::new(4, 8, 8));
    let mut run = |prompt: &str| guided_run(&mut *model, [prompt, ""], SamplerKind::Ddim, 2, 1, &start);
    let plain = run("a red fox");
    assert_eq!(run("a red fox"), plain, "the same seed is the same latent");
    assert_ne!(run("a (red:1.4) fox"), plain);
    assert_ne!(run(&"very long prompt ".repeat(60)), run(&"very long prompt ".repeat(20)));
    assert!(run("").values().iter().all(|v| v.is_finite()));
}

#[test]
fn a_bad_folder_says_what_is_wrong() {
    let says = |choice: ModelSource| safelight::models::profile(&choice).unwrap_err().to_string();
    assert!(says(ModelSource::Folder("/nowhere".into())).contains("there is no folder"));
    let temporary = tempfile::tempdir().unwrap();
    let empty = ModelSource::Folder(temporary.path().to_owned());
    assert!(says(empty.clone()).contains("model_index.json"));
    std::fs::write(temporary.path().join("model_index.json"), r#"{"_class_name": "AuraFlowPipeline"}"#)
        .unwrap();
    assert!(says(empty.clone()).contains("AuraFlowPipeline models are not supported yet"));
    let pickle = temporary.path().join("model.ckpt");
    std::fs::write(&pickle, b"\x80\x02}q\0.").unwrap();
    assert!(says(ModelSource::Folder(pickle)).contains("pickled"));
}

/// The record that the recipe left of the built-in model.
fn builtin_record() -> Tensors {
    recorded(root().join("assets/builtin-model/parity.safetensors"))
}

/// The network keeps what it makes of the prompts from one call to the next.
#[test]
fn every_call_sees_the_prompts_of_its_branch() {
    let mut model = model(&ModelSource::Builtin);
    let noisy = NoiseSource::new(Seed(0)).latent(LatentShape::new(4, 16, 16));
    let cancel = CancelToken::new();
    let mut network =
        model.condition(&prompts("a red sunset over the sea", "snowy mountains"), &cancel).unwrap();
    let both = both_outputs(&mut *network, &noisy, 801.0);
    let alone = network.predict(&noisy, 801.0, Branch::Conditional).unwrap();
    assert_eq!(alone.negative, None);
    let conditional = alone.conditional.values().to_vec();
    let again = both_outputs(&mut *network, &noisy, 801.0);
    let (negative, prompt) = both.split_at(conditional.len());
    close("the prompt alone", &conditional, prompt, 1e-5);
    close("the second call", &again, &both, 1e-6);
    assert!(negative.iter().zip(prompt).any(|(a, b)| (a - b).abs() > 1e-2), "the prompts make no difference");
}

#[test]
fn the_builtin_model_agrees_with_diffusers() {
    let mut model = model(&ModelSource::Builtin);
    let expected = builtin_record();
    let text = std::fs::read_to_string(root().join("assets/builtin-model/parity.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let prompt = facts["prompt"].as_str().unwrap();
    let noise = NoiseSource::new(Seed(0)).normal(4 * 16 * 16);
    close("noise", &noise, &expected["noise"].1, 1e-6);
    let cancel = CancelToken::new();
    let start = &expected["noise"];
    let output =
        both_outputs(&mut *model.condition(&prompts(prompt, ""), &cancel).unwrap(), &latent(start), 999.0);
    close("built-in UNet", &output, &expected["unet_output"].1, NETWORK);
    let shape = LatentShape::new(4, 16, 16);
    let steps = facts["steps"].as_u64().unwrap() as usize;
    let run = guided_run(&mut *model, [prompt, ""], SamplerKind::Ddim, steps, 0, &Start::Noise(shape));
    // Ten guided steps amplify the rounding of each.
    close("built-in latent", run.values(), &expected["latent"].1, 1e-3);
    let picture = model.decode(&run, DecodeChoice::default(), &cancel).unwrap().picture;
    let (shape, values) = &expected["picture"];
    let plane = shape[1] * shape[2];
    let rows: Vec<f32> = (0..plane * 3).map(|i| values[(i % 3) * plane + i / 3]).collect();
    assert!(worst_difference(&picture, &rows) <= 2);
}

#[test]
fn the_builtin_tokenizer_agrees_on_500_captions() {
    let tokenizer =
        PromptTokenizer::open(&ModelFiles::open(&ModelSource::Builtin).unwrap(), "tokenizer").unwrap();
    let text = std::fs::read_to_string(root().join("assets/builtin-model/captions.json")).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.len(), 500);
    for row in rows {
        let ids: Vec<u32> =
            row["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        assert_eq!(tokenizer.ids(row["text"].as_str().unwrap()).unwrap(), ids, "{}", row["text"]);
    }
}

#[test]
fn night_is_darker_than_noon() {
    let mut model = model(&ModelSource::Builtin);
    let mut light = |prompt: &str| {
        let start = Start::Noise(LatentShape::new(4, 16, 16));
        let run = guided_run(&mut *model, [prompt, ""], SamplerKind::Ddim, 10, 3, &start);
        let picture = model.decode(&run, DecodeChoice::default(), &CancelToken::new()).unwrap().picture;
        picture.rgb().iter().map(|v| f64::from(*v)).sum::<f64>() / picture.rgb().len() as f64
    };
    let (night, noon) = (light("green hills at night, stars"), light("green hills at noon, clear sky"));
    assert!(night + 40.0 < noon, "night {night:.0}, noon {noon:.0}");
}
