//! Flow transformers against diffusers, on small checkpoints with random weights in the real layouts.

use std::path::Path;

use safelight::catalog::{GuidanceKind, ImageSize, ModelSource, SamplerKind, ScheduleKind};
use safelight::diffusion::{Branch, GuidedDenoiser, Run, RunPart, Schedule, Start, sample};
use safelight::latent::{Latent, LatentShape};
use safelight::models::{Conditioning, LatentDiffusionModel, ModelSettings, TextTokenizer, load};
use safelight::networks::t5::{T5Config, T5Encoder};
use safelight::networks::{Parameters, Runtime};
use safelight::request::{
    CancelToken, DecodeChoice, DeviceChoice, LayerSet, Picture, PromptOptions, Seed, SkipLayers,
};
use safelight::store::ModelFiles;

use super::common::fixtures::{Tensors, fixture, tensors};
use super::common::model_folders::{copy_folder, loaded};
use super::{NETWORK, close, latent};

/// After several steps, each of which carries on the errors before it.
pub(crate) const RUN: f64 = 1e-4;

pub(crate) fn opened(folder: &Path) -> Box<dyn LatentDiffusionModel> {
    loaded(&ModelSource::Folder(folder.to_owned()))
}

pub(crate) fn recorded(name: &str) -> Tensors {
    tensors(&fixture(name).join("expected.safetensors"))
}

pub(crate) fn conditioning(prompt: &str, guidance_scale: f64) -> Conditioning {
    let size = ImageSize::new(24, 16);
    let (prompt, negative_prompt, options) = (prompt.to_owned(), String::new(), PromptOptions::default());
    Conditioning { prompt, negative_prompt, size, guidance_scale, options }
}

/// Every step's latent and the last one, of a run as the engine does it.
pub(crate) fn run(
    model: &mut dyn LatentDiffusionModel,
    conditioning: &Conditioning,
    shape: LatentShape,
    steps: usize,
    start: Start<'_>,
) -> (Vec<Latent>, Latent) {
    let config = model.scheduler_config_for(shape, steps);
    let (prediction, guidance) = (model.profile().prediction, model.profile().guidance);
    let cancel = CancelToken::new();
    let mut network = model.condition(conditioning, &cancel).unwrap();
    let guidance_scale = conditioning.classifier_free_scale(guidance);
    let mut denoiser = GuidedDenoiser::new(&mut *network, prediction, guidance_scale);
    denoiser.skip_layers = conditioning.options.skip_layers;
    let schedule = Schedule::new(&config, SamplerKind::Euler, ScheduleKind::Model, steps).unwrap();
    let run = Run {
        denoiser: &mut denoiser,
        parts: &[RunPart::whole(&config, &schedule)],
        recorded: &[],
        start,
        seed: Seed(7),
        cancel: &cancel,
    };
    let mut visited = Vec::new();
    let done = sample(run, &mut |step| visited.push(step.noisy.clone())).unwrap();
    (visited, done.latent)
}

/// `[1, 3, H, W]` of −1..1 as a picture.
fn picture((shape, values): &(Vec<usize>, Vec<f32>)) -> Picture {
    let (h, w) = (shape[2], shape[3]);
    let value = |i: usize| values[(i % 3) * h * w + i / 3];
    let bytes: Vec<u8> =
        (0..h * w * 3).map(|i| ((value(i) + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect();
    Picture::new(w, h, bytes).unwrap()
}

/// One call of the network, every step of a run, a run from a picture, and the VAE both ways.
pub(crate) fn agrees_with_diffusers(folder: &Path, name: &str, conditioning: &Conditioning) {
    let mut model = opened(folder);
    let expected = recorded(name);
    let cancel = CancelToken::new();
    let format = model.profile().format;

    let noisy = latent(&expected["latent"]);
    let mut network = model.condition(conditioning, &cancel).unwrap();
    let flow = network.predict(&noisy, 800.0, Branch::Conditional).unwrap().conditional;
    drop(network);
    close(&format!("{name}: transformer and text"), flow.values(), &expected["flow"].1, NETWORK);

    let (shape, steps) = (noisy.shape(), &expected["steps"]);
    let count = steps.0[0];
    let (visited, last) = run(&mut *model, conditioning, shape, count, Start::Noise(shape));
    let after = visited[1..].iter().chain([&last]);
    for (index, (latent, expected)) in after.zip(steps.1.chunks_exact(shape.len())).enumerate() {
        close(&format!("{name}: step {}", index + 1), latent.values(), expected, RUN);
    }
    let decoded = model.decode(&last, DecodeChoice::default(), &cancel).unwrap().picture;
    let bytes = expected["picture"].1.iter().map(|v| (v * 255.0).round_ties_even() as u8);
    let worst = decoded.rgb().iter().zip(bytes).map(|(a, b)| a.abs_diff(b)).max().unwrap();
    println!("{name}: picture {worst}/255");
    assert!(worst <= 2, "{name}: {worst}/255");

    let source = model.encode(&picture(&expected["source"]), &cancel).unwrap().mean;
    let mean = format.vae_from_model(&source);
    close(&format!("{name}: encoder's mean"), mean.values(), &expected["mean"].1, NETWORK);
    let start = Start::Latent { latent: &source, strength: 0.5 };
    let (_, last) = run(&mut *model, conditioning, shape, count, start);
    close(&format!("{name}: from a picture"), last.values(), &expected["img2img"].1, RUN);
}

/// The prompt and the token ids of a fixture's records.
pub(crate) fn facts_of(name: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(fixture(name).join("expected.json")).unwrap()).unwrap()
}

fn flux_facts() -> serde_json::Value {
    facts_of("flux")
}

/// The recorded ids of a text.
pub(crate) fn ids_of(facts: &serde_json::Value, text: &str) -> Vec<u32> {
    facts["ids"][text].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

pub(crate) fn prompt_of(facts: &serde_json::Value) -> &str {
    facts["prompt"].as_str().unwrap()
}

/// The first fixture with the other's transformer and scheduler.
fn schnell() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("flux"), folder.path());
    copy_folder(&fixture("flux_schnell"), folder.path());
    folder
}

/// Stable Diffusion 3.5 medium's parts with FLUX.1's VAE in another scale.
fn sd3() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("flux/vae"), &folder.path().join("vae"));
    copy_folder(&fixture("sd3"), folder.path());
    folder
}

/// The same with the transformer and the scheduler of Stable Diffusion 3, without T5.
fn sd3_plain() -> tempfile::TempDir {
    let folder = sd3();
    for part in ["text_encoder_3", "tokenizer_3"] {
        std::fs::remove_dir_all(folder.path().join(part)).unwrap();
    }
    copy_folder(&fixture("sd3_plain"), folder.path());
    folder
}

fn guided(prompt: &str) -> Conditioning {
    Conditioning { negative_prompt: "night".to_owned(), ..conditioning(prompt, 4.0) }
}

#[test]
fn stable_diffusion_3_5_agrees_with_diffusers() {
    let (folder, facts) = (sd3(), flux_facts());
    agrees_with_diffusers(folder.path(), "sd3", &guided(prompt_of(&facts)));
    let mut model = opened(folder.path());
    let profile = model.profile();
    assert_eq!((profile.family, profile.guidance), ("Stable Diffusion 3", GuidanceKind::ClassifierFree));
    assert_eq!((profile.defaults.steps, profile.defaults.guidance_scale), (40, 4.5));
    assert_eq!((profile.defaults.size, profile.size_multiple), (ImageSize::new(16, 16), 4));
    assert_eq!(profile.remarks, [""; 0]);
    // Twelve rows and columns of tokens have positions, and no more.
    let cancel = CancelToken::new();
    let mut network = model.condition(&conditioning("a fox", 1.0), &cancel).unwrap();
    let large = Latent::zeros(LatentShape::new(16, 26, 8));
    let error = network.predict(&large, 500.0, Branch::Conditional).unwrap_err().to_string();
    assert!(error.contains("choose a smaller picture"), "{error}");
}

#[test]
fn skip_layer_guidance_agrees_with_diffusers() {
    let folder = sd3();
    let mut model = opened(folder.path());
    let expected = &tensors(&fixture("prompt_options.safetensors"))["sd3_skipping_layer_1"];
    let shape = latent(expected).shape();
    let layers = LayerSet::of_typed("1").unwrap();
    let skip = SkipLayers { scale: 1.7, end: 0.8, ..SkipLayers::new(layers) };
    let options = PromptOptions { skip_layers: Some(skip), ..PromptOptions::default() };
    let asked = Conditioning { options, ..guided("a red fox in the snow") };
    let (_, last) = run(&mut *model, &asked, shape, 4, Start::Noise(shape));
    close("sd3: skip-layer guidance", last.values(), &expected.1, RUN);
}

#[test]
fn stable_diffusion_3_without_t5_agrees_with_diffusers() {
    let (folder, facts) = (sd3_plain(), flux_facts());
    agrees_with_diffusers(folder.path(), "sd3_plain", &guided(prompt_of(&facts)));
    let model = opened(folder.path());
    let profile = model.profile();
    assert_eq!((profile.defaults.steps, profile.defaults.guidance_scale), (28, 7.0));
    assert!(matches!(&profile.remarks[..], [one] if one.contains("no T5")), "{:?}", profile.remarks);
}

/// Chroma's transformer and scheduler with FLUX.1's T5 and VAE.
fn chroma() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [("vae", "vae"), ("text_encoder_2", "text_encoder"), ("tokenizer_2", "tokenizer")] {
        copy_folder(&fixture("flux").join(from), &folder.path().join(to));
    }
    copy_folder(&fixture("chroma"), folder.path());
    folder
}

#[test]
fn chroma_agrees_with_diffusers() {
    let (folder, facts) = (chroma(), flux_facts());
    agrees_with_diffusers(folder.path(), "chroma", &guided(prompt_of(&facts)));
    let mut model = opened(folder.path());
    let profile = model.profile();
    assert_eq!((profile.family, profile.guidance), ("Chroma", GuidanceKind::ClassifierFree));
    assert_eq!((profile.defaults.steps, profile.defaults.guidance_scale), (40, 3.0));
    // A prompt that leaves no room for what fills it up.
    let cancel = CancelToken::new();
    let long = conditioning(&"a red fox ".repeat(300), 1.0);
    let mut network = model.condition(&long, &cancel).unwrap();
    let flow = network.predict(&latent(&recorded("chroma")["latent"]), 500.0, Branch::Conditional).unwrap();
    assert!(flow.conditional.values().iter().all(|value| value.is_finite()));
}

#[test]
fn t5_agrees_with_transformers() {
    let files = ModelFiles::open(&ModelSource::Folder(fixture("flux"))).unwrap();
    let facts = flux_facts();
    let tokenizer = TextTokenizer::open(&files, "tokenizer_2").unwrap();
    let (end, pad) = (tokenizer.id("</s>").unwrap(), tokenizer.id("<pad>").unwrap());
    for text in facts["ids"].as_object().unwrap().keys() {
        let expected = ids_of(&facts, text);
        let mut ids = tokenizer.ids(text).unwrap();
        ids.truncate(expected.len() - 1);
        ids.push(end);
        ids.resize(expected.len(), pad);
        assert_eq!(ids, expected, "{text}");
    }
    assert!(tokenizer.id("<missing>").unwrap_err().to_string().contains("no token <missing>"));

    let config: T5Config = files.json("text_encoder_2/config.json").unwrap();
    let runtime = Runtime::processor(Some(2));
    let parameters = Parameters::new(files.tensors("text_encoder_2").unwrap(), &runtime);
    let cancel = CancelToken::new();
    let t5 = T5Encoder::new(&parameters, config, &cancel).unwrap();
    let states = t5.forward(&ids_of(&facts, prompt_of(&facts)), 0, &cancel).unwrap();
    let states: Vec<f32> = states.to_values().unwrap();
    close("T5's states", &states, &recorded("flux")["states"].1, NETWORK);
    cancel.stop();
    assert!(t5.forward(&[0], 0, &cancel).is_err(), "it looks at the stop switch");
}

#[test]
fn flux_dev_agrees_with_diffusers() {
    let facts = flux_facts();
    agrees_with_diffusers(&fixture("flux"), "flux", &conditioning(prompt_of(&facts), 3.5));
}

/// A negative prompt guides FLUX.1 beside its embedded scale; prompts are encoded in fewer tokens.
#[test]
fn true_guidance_of_flux_agrees_with_diffusers() {
    let mut model = opened(&fixture("flux"));
    let expected = &tensors(&fixture("prompt_options.safetensors"))["flux_true_guidance_of_40_tokens"];
    let shape = latent(expected).shape();
    let options =
        PromptOptions { true_guidance_scale: Some(2.5), max_tokens: Some(40), ..PromptOptions::default() };
    let asked = Conditioning {
        negative_prompt: "night".to_owned(),
        options,
        ..conditioning("a red fox in the snow", 3.5)
    };
    let (_, last) = run(&mut *model, &asked, shape, 3, Start::Noise(shape));
    close("flux: true guidance", last.values(), &expected.1, RUN);
    assert!(model.remarks_on(&asked).is_empty(), "{:?}", model.remarks_on(&asked));
    let long = Conditioning { prompt: "a red fox ".repeat(40), ..asked };
    assert!(matches!(&model.remarks_on(&long)[..], [one] if one.contains("this model reads 39")));
}

#[test]
fn flux_schnell_agrees_with_diffusers_whatever_its_guidance() {
    let (folder, facts) = (schnell(), flux_facts());
    agrees_with_diffusers(folder.path(), "flux_schnell", &conditioning(prompt_of(&facts), 1.0));
    agrees_with_diffusers(folder.path(), "flux_schnell", &conditioning(prompt_of(&facts), 7.0));
}

#[test]
fn a_profile_says_what_each_kind_of_flux_takes() {
    let (dev, schnell) = (opened(&fixture("flux")), schnell());
    let profile = dev.profile();
    assert_eq!((profile.family, profile.guidance), ("FLUX.1", GuidanceKind::Embedded));
    assert_eq!((profile.defaults.steps, profile.defaults.guidance_scale), (28, 3.5));
    assert_eq!((profile.size_multiple, profile.defaults.size), (4, ImageSize::new(256, 256)));
    assert_eq!(profile.remarks, [""; 0]);
    let schnell = opened(schnell.path());
    let profile = schnell.profile();
    assert_eq!((profile.guidance, profile.defaults.steps), (GuidanceKind::None, 4));
    // Prompts are read as they are written, as far as they are read.
    let remarks =
        |model: &dyn LatentDiffusionModel, prompt: &str| model.remarks_on(&conditioning(prompt, 1.0));
    assert_eq!(remarks(&*dev, "a red fox [a|b] AND (two moons)"), [""; 0]);
    let [weights, length] = &remarks(&*schnell, &"a (red:1.3) fox ".repeat(80))[..] else { panic!() };
    assert!(weights.contains("weights in brackets have no effect"), "{weights}");
    assert!(length.contains("this model reads 255"), "{length}");
    assert!(remarks(&*dev, &"a red fox ".repeat(80)).is_empty(), "dev reads 511");
}

/// A step's guidance is told to the network; a prompt's embeddings are kept for the next picture.
#[test]
fn guidance_and_prompt_steer_dev() {
    let mut model = opened(&fixture("flux"));
    let noisy = latent(&recorded("flux")["latent"]);
    let cancel = CancelToken::new();
    let mut flow = |prompt: &str, scale| {
        let mut network = model.condition(&conditioning(prompt, scale), &cancel).unwrap();
        network.predict(&noisy, 500.0, Branch::Conditional).unwrap().conditional
    };
    let first = flow("a red fox", 3.5);
    assert_ne!(flow("a red fox", 1.0), first);
    assert_ne!(flow("a lake", 3.5), first);
    assert_eq!(flow("a red fox", 3.5), first);
}

/// What is done to a folder, and a part of what is said of it then.
type Case<'a> = (&'a dyn Fn(&Path), &'a str);

#[test]
fn folders_that_do_not_go_together_say_why() {
    let says = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&fixture("flux"), folder.path());
        change(folder.path());
        let settings = ModelSettings { device: DeviceChoice::Cpu, ..ModelSettings::default() };
        let source = ModelSource::Folder(folder.path().to_owned());
        load(&source, settings, &mut |_, _, _| {}, &CancelToken::new()).map(|_| ()).unwrap_err().to_string()
    };
    let key = |file: &'static str, key: &'static str, value: serde_json::Value| {
        move |folder: &Path| {
            let path = folder.join(file);
            let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            json[key] = value.clone();
            std::fs::write(path, json.to_string()).unwrap();
        }
    };
    let cases: [Case<'_>; 8] = [
        (&key("transformer/config.json", "out_channels", 32.into()), "transformer: ‘out_channels’ is 32"),
        (&key("transformer/config.json", "joint_attention_dim", 32.into()), "takes states of width 32"),
        (&key("transformer/config.json", "pooled_projection_dim", 8.into()), "takes pooled text of width 8"),
        (&key("scheduler/scheduler_config.json", "_class_name", "DDIMScheduler".into()), "predicts a flow"),
        (
            &key("text_encoder_2/config.json", "feed_forward_proj", "relu".into()),
            "text_encoder_2: ‘feed_forward_proj’",
        ),
        (
            &|folder| std::fs::remove_file(folder.join("tokenizer_2/tokenizer.json")).unwrap(),
            "tokenizer.json",
        ),
        (
            &|folder| std::fs::write(folder.join("tokenizer_2/tokenizer.json"), "{}").unwrap(),
            "tokenizer cannot be used",
        ),
        (
            &|folder| std::fs::remove_file(folder.join("text_encoder_2/model.safetensors")).unwrap(),
            "text_encoder_2/model.safetensors is missing",
        ),
    ];
    for (change, part) in cases {
        let error = says(change);
        println!("{error}");
        assert!(error.contains(part), "{error}");
    }
}
