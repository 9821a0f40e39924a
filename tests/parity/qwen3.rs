//! The families whose text encoder is Qwen3: Z-Image, FLUX.2 and FLUX.3.

use safelight::catalog::{GuidanceKind, ModelSource};
use safelight::diffusion::Start;
use safelight::models::{Conditioning, TextTokenizer};
use safelight::networks::qwen3::{Padding, Qwen3Config, Qwen3Encoder};
use safelight::networks::{Parameters, Runtime};
use safelight::request::CancelToken;
use safelight::store::ModelFiles;

use super::common::fixtures::fixture;
use super::common::model_folders::copy_folder;
use super::flow::{
    RUN, agrees_with_diffusers, conditioning, facts_of, ids_of, opened, prompt_of, recorded, run,
};
use super::{NETWORK, close, latent};

/// Z-Image's own parts with FLUX.1's VAE.
pub(crate) fn z_image() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("z_image"), folder.path());
    copy_folder(&fixture("flux/vae"), &folder.path().join("vae"));
    folder
}

#[test]
fn qwen3_agrees_with_transformers() {
    let files = ModelFiles::open(&ModelSource::Folder(fixture("z_image"))).unwrap();
    let facts = facts_of("z_image");
    let tokenizer = TextTokenizer::open(&files, "tokenizer").unwrap();
    for text in facts["ids"].as_object().unwrap().keys() {
        let message = format!("<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n");
        let mut ids = tokenizer.ids(&message).unwrap();
        ids.truncate(512);
        assert_eq!(ids, ids_of(&facts, text), "{text}");
    }
    let config: Qwen3Config = files.json("text_encoder/config.json").unwrap();
    let (layers, runtime) = (config.num_hidden_layers - 1, Runtime::processor(Some(2)));
    let parameters = Parameters::new(files.tensors("text_encoder").unwrap(), &runtime);
    let cancel = CancelToken::new();
    let qwen3 = Qwen3Encoder::new(&parameters, config, layers, &cancel).unwrap();
    let states =
        qwen3.forward(&ids_of(&facts, prompt_of(&facts)), Padding::default(), &[layers], &cancel).unwrap();
    let states: Vec<f32> = states.to_values().unwrap();
    close("Qwen3's states", &states, &recorded("z_image")["states"].1, NETWORK);
}

#[test]
fn z_image_agrees_with_diffusers() {
    let (folder, facts) = (z_image(), facts_of("z_image"));
    let prompt = prompt_of(&facts);
    agrees_with_diffusers(folder.path(), "z_image", &conditioning(prompt, 1.0));
    // The pipeline's scale counts from 0: 2 there is 3 here.
    let guided = Conditioning { negative_prompt: "night".to_owned(), ..conditioning(prompt, 3.0) };
    let (mut model, expected) = (opened(folder.path()), recorded("z_image"));
    let shape = latent(&expected["guided"]).shape();
    let count = expected["steps"].0[0];
    let (_, last) = run(&mut *model, &guided, shape, count, Start::Noise(shape));
    close("z_image: guided", last.values(), &expected["guided"].1, RUN);
    let profile = model.profile();
    assert_eq!((profile.family, profile.guidance), ("Z-Image", GuidanceKind::ClassifierFree));
    assert_eq!((profile.defaults.steps, profile.defaults.guidance_scale), (8, 1.0));
    let [length] = &model.remarks_on(&conditioning(&"a red fox ".repeat(400), 1.0))[..] else { panic!() };
    assert!(length.contains("this model reads 50"), "{length}");
}

#[test]
fn flux2_klein_agrees_with_diffusers() {
    let facts = facts_of("flux2");
    let prompt = prompt_of(&facts);
    // A distilled model ignores the scale.
    agrees_with_diffusers(&fixture("flux2"), "flux2", &conditioning(prompt, 4.0));
    let distilled = opened(&fixture("flux2"));
    let profile = distilled.profile();
    assert_eq!((profile.family, profile.guidance), ("FLUX.2 klein", GuidanceKind::None));
    assert_eq!((profile.defaults.steps, profile.size_multiple), (4, 4));
    assert_eq!(profile.remarks, [""; 0]);
    let [length] = &distilled.remarks_on(&conditioning(&"a red fox ".repeat(400), 1.0))[..] else { panic!() };
    assert!(length.contains("this model reads 500"), "{length}");
}

#[test]
fn flux2_klein_base_is_guided_as_by_diffusers() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("flux2"), folder.path());
    let index = folder.path().join("model_index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, text.replace("\"is_distilled\": true", "\"is_distilled\": false")).unwrap();
    let (mut model, expected, facts) = (opened(folder.path()), recorded("flux2"), facts_of("flux2"));
    let profile = model.profile();
    assert_eq!((profile.guidance, profile.defaults.steps), (GuidanceKind::ClassifierFree, 50));
    let shape = latent(&expected["guided"]).shape();
    let guided = conditioning(prompt_of(&facts), 2.5);
    let (_, last) = run(&mut *model, &guided, shape, expected["steps"].0[0], Start::Noise(shape));
    close("flux2: guided", last.values(), &expected["guided"].1, RUN);
}

/// FLUX.3's parts with FLUX.2's VAE.
fn flux3() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("flux3"), folder.path());
    copy_folder(&fixture("flux2/vae"), &folder.path().join("vae"));
    folder
}

/// A flow map: the network is told the time that each step leads to.
#[test]
fn flux3_klein_agrees_with_diffusers() {
    let (folder, facts) = (flux3(), facts_of("flux3"));
    agrees_with_diffusers(folder.path(), "flux3", &conditioning(prompt_of(&facts), 4.0));
    let model = opened(folder.path());
    let profile = model.profile();
    assert_eq!((profile.family, profile.guidance), ("FLUX.3 Image Klein", GuidanceKind::None));
    assert_eq!((profile.defaults.steps, profile.size_multiple), (16, 4));
}

#[test]
fn flux3_klein_base_is_guided_as_by_diffusers() {
    let (folder, facts) = (flux3(), facts_of("flux3"));
    for (file, from, to) in [
        ("transformer/config.json", "\"flow_map\": true", "\"flow_map\": false"),
        ("modular_model_index.json", "Flux3DistilledModularPipeline", "Flux3ModularPipeline"),
    ] {
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }
    let (mut model, expected) = (opened(folder.path()), recorded("flux3"));
    let profile = model.profile();
    assert_eq!((profile.guidance, profile.defaults.steps), (GuidanceKind::ClassifierFree, 50));
    let shape = latent(&expected["guided"]).shape();
    let guided = conditioning(prompt_of(&facts), 2.5);
    let (_, last) = run(&mut *model, &guided, shape, expected["steps"].0[0], Start::Noise(shape));
    close("flux3: guided", last.values(), &expected["guided"].1, RUN);
}

#[test]
fn padding_of_qwen3_agrees_with_transformers() {
    let files = ModelFiles::open(&ModelSource::Folder(fixture("flux2"))).unwrap();
    let facts = facts_of("flux2");
    let config: Qwen3Config = files.json("text_encoder/config.json").unwrap();
    let width = 3 * config.hidden_size;
    let runtime = Runtime::processor(Some(2));
    let parameters = Parameters::new(files.tensors("text_encoder").unwrap(), &runtime);
    let cancel = CancelToken::new();
    let qwen3 = Qwen3Encoder::new(&parameters, config, 27, &cancel).unwrap();
    let ids = ids_of(&facts, prompt_of(&facts));
    let pad = ids[ids.len() - 1];
    let count = ids.iter().rev().take_while(|id| **id == pad).count();
    let padding = Padding { count, position: None };
    let states = qwen3.forward(&ids, padding, &[9, 18, 27], &cancel).unwrap();
    let states: Vec<f32> = states.to_values().unwrap();
    // Every 64th token is recorded: two of the prompt or its template, and padding.
    let found: Vec<f32> = states.chunks_exact(width).step_by(64).flatten().copied().collect();
    close("Qwen3's padded states", &found, &recorded("flux2")["states"].1, NETWORK);
    assert!(qwen3.forward(&ids, padding, &[28], &cancel).is_err(), "there is no such layer");
}
