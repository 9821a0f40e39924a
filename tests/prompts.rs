//! From text to embedding: added tokens, learned embeddings, chunks, and when guidance counts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safelight::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
use safelight::diffusion::{GuidedDenoiser, Run, Schedule, Start, sample};
use safelight::latent::{Latent, LatentShape};
use safelight::models::{Conditioning, LatentDiffusionModel, ModelSettings, PromptTokenizer, load, profile};
use safelight::request::{CancelToken, DeviceChoice, Seed};
use safelight::store::ModelFiles;
use safetensors::tensor::{Dtype, TensorView};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A copy of the small model that a test may change.
fn copied_model() -> (tempfile::TempDir, ModelSource) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("sd1/model_index.json"), folder.path().join("model_index.json")).unwrap();
    for part in ["scheduler", "tokenizer", "text_encoder", "unet", "vae"] {
        let to = folder.path().join(part);
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(fixture("sd1").join(part)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    let choice = ModelSource::Folder(folder.path().to_owned());
    (folder, choice)
}

fn loaded(choice: &ModelSource) -> Box<dyn LatentDiffusionModel> {
    let settings = ModelSettings { device: DeviceChoice::Cpu, ..ModelSettings::default() };
    load(choice, settings, &mut |_, _, _| {}, &CancelToken::new()).unwrap()
}

/// Two steps from seed 1.
fn drawn(
    model: &mut dyn LatentDiffusionModel,
    prompts: [&str; 2],
    guidance_scale: f64,
) -> Result<Latent, String> {
    let config = model.scheduler_config().clone();
    let prediction = model.profile().prediction;
    let cancel = CancelToken::new();
    let conditioning = Conditioning {
        prompt: prompts[0].to_owned(),
        negative_prompt: prompts[1].to_owned(),
        size: ImageSize::new(64, 64),
        guidance_scale,
    };
    let mut network = model.condition(&conditioning, &cancel).map_err(|error| error.to_string())?;
    let mut denoiser = GuidedDenoiser { network: &mut *network, prediction, guidance_scale };
    let schedule = Schedule::new(&config, SamplerKind::Ddim, ScheduleKind::Model, 2).unwrap();
    let start = Start::Noise(LatentShape::new(4, 8, 8));
    let (denoiser, config, schedule, cancel) = (&mut denoiser, &config, &schedule, &cancel);
    let run = Run { denoiser, config, schedule, start, seed: Seed(1), cancel };
    Ok(sample(run, &mut |_| {}).unwrap().latent)
}

#[test]
fn added_and_special_tokens_are_transformers() {
    let file = std::fs::read_to_string(fixture("tokens.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&file).unwrap();
    for case in cases {
        let (folder, choice) = copied_model();
        let tokenizer = folder.path().join("tokenizer");
        std::fs::remove_file(tokenizer.join("tokenizer_config.json")).unwrap();
        for (file, content) in case["files"].as_object().unwrap() {
            std::fs::write(tokenizer.join(file), content.to_string()).unwrap();
        }
        let tokenizer = PromptTokenizer::open(&ModelFiles::open(&choice).unwrap(), "tokenizer").unwrap();
        assert_eq!(u64::from(tokenizer.pad), case["pad"].as_u64().unwrap(), "{}", case["name"]);
        for (text, ids) in case["ids"].as_object().unwrap() {
            let ids: Vec<u32> =
                ids.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
            assert_eq!(tokenizer.ids(text).unwrap(), ids, "{}: ‘{text}’", case["name"]);
        }
    }
}

/// The text encoder's vectors of words of its vocabulary, as bytes.
fn vectors(words: &[&str]) -> Vec<u8> {
    let vocab: HashMap<String, usize> =
        serde_json::from_str(&std::fs::read_to_string(fixture("sd1/tokenizer/vocab.json")).unwrap()).unwrap();
    let bytes = std::fs::read(fixture("sd1/text_encoder/model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let name =
        tensors.names().into_iter().find(|name| name.ends_with("token_embedding.weight")).unwrap().to_owned();
    let view = tensors.tensor(&name).unwrap();
    let row = view.shape()[1] * 4;
    words.iter().flat_map(|word| view.data()[vocab[*word] * row..][..row].to_vec()).collect()
}

fn write_embedding(file: &Path, tensors: &[(&str, Vec<usize>, Vec<u8>)]) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()))
        .collect();
    std::fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn learned_embeddings_beside_a_model_are_words() {
    let (folder, choice) = copied_model();
    let width = vectors(&["fox</w>"]).len() / 4;
    let at = |name: &str| folder.path().join(name);
    write_embedding(&at("learned_embeds.safetensors"), &[("<my-fox>", vec![width], vectors(&["fox</w>"]))]);
    write_embedding(
        &at("embeddings/RedFox.safetensors"),
        &[("emb_params", vec![2, width], vectors(&["red</w>", "fox</w>"]))],
    );
    write_embedding(&at("embeddings/wide.safetensors"), &[("emb_params", vec![1, 8], vec![0; 32])]);
    std::fs::write(at("embeddings/old.pt"), b"pickle").unwrap();
    std::fs::write(at("embeddings/damaged.safetensors"), b"x").unwrap();
    std::fs::write(at("embeddings/readme.txt"), b"x").unwrap();

    let known = profile(&choice).unwrap();
    assert_eq!(known.added_tokens, ["<my-fox>", "RedFox"]);
    let remarks = known.remarks.join("\n");
    for name in ["wide.safetensors", "old.pt", "damaged.safetensors"] {
        assert!(remarks.contains(&format!("embeddings/{name} is left out")), "{remarks}");
    }
    assert_eq!(known.remarks.len(), 3, "{remarks}");

    let mut model = loaded(&choice);
    assert_eq!(model.profile().added_tokens, known.added_tokens);
    let mut draw = |prompt: &str| drawn(&mut *model, [prompt, ""], 4.0).unwrap();
    let fox = draw("a fox");
    assert_eq!(draw("a <my-fox>"), fox);
    assert_eq!(draw("a <my-fox> night"), draw("a fox night"));
    assert_eq!(draw("a redfox"), draw("a red fox"), "two vectors, and any case");
    let joined = draw("a redfoxes");
    let mut plain = loaded(&ModelSource::Folder(fixture("sd1")));
    assert_eq!(joined, drawn(&mut *plain, ["a redfoxes", ""], 4.0).unwrap(), "a name is a whole word");
}

#[test]
fn a_token_without_a_vector_is_an_error_only_where_it_is_used() {
    let (folder, choice) = copied_model();
    std::fs::write(folder.path().join("tokenizer/added_tokens.json"), r#"{"<cat-toy>": 548}"#).unwrap();
    let mut model = loaded(&choice);
    assert!(drawn(&mut *model, ["a fox", ""], 4.0).is_ok());
    for prompts in [["a <cat-toy>", ""], ["", "<cat-toy>"]] {
        let error = drawn(&mut *model, prompts, 4.0).unwrap_err();
        assert!(
            error.contains("‘<cat-toy>’ has the number 548") && error.contains("548 tokens only"),
            "{error}"
        );
    }
}

#[test]
fn break_is_a_chunk_and_commands_are_not_words() {
    let mut model = loaded(&ModelSource::Folder(fixture("sd1")));
    let mut draw = |prompt: &str| drawn(&mut *model, [prompt, ""], 4.0).unwrap();
    let plain = draw("red fox");
    assert_eq!(draw("<lora:style_v2:0.8>red fox"), plain);
    assert_eq!(draw("red [dog:fox:0.5]"), plain);
    assert_eq!(draw("red [fox|dog]"), plain);
    let parted = draw("red BREAK fox");
    assert_ne!(parted, plain);
    assert_ne!(parted, draw("red break fox"));
    assert_eq!(parted, draw("red\nBREAK fox BREAK"));
}

#[test]
fn a_prompt_is_bounded_as_a_whole() {
    let mut model = loaded(&ModelSource::Folder(fixture("sd1")));
    for prompt in ["(red) ".repeat(12_000), "red BREAK ".repeat(40), "red ".repeat(75 * 32 + 1)] {
        let error = drawn(&mut *model, [&prompt, ""], 1.0).unwrap_err();
        assert!(error.contains("the prompt is too long"), "{error}");
        assert!(error.contains("32 chunks of 75 tokens"), "{error}");
    }
    assert!(drawn(&mut *model, [&"red ".repeat(75 * 32), ""], 1.0).is_ok());
}

/// As in diffusers: `guidance_scale=0.0`, which distilled models' cards say, is no guidance.
#[test]
fn guidance_up_to_one_is_none() {
    let mut model = loaded(&ModelSource::Folder(fixture("sd1")));
    let mut draw = |prompt: &str, scale| drawn(&mut *model, [prompt, "night"], scale).unwrap();
    let off = draw("red fox", 1.0);
    for scale in [0.0, 0.5] {
        assert_eq!(draw("red fox", scale), off);
        assert_ne!(draw("snow lake", scale), off, "the prompt counts at {scale}");
    }
    assert_ne!(draw("red fox", 1.5), off);
}
