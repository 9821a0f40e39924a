//! Stable Diffusion 1, 2 and XL, and the built-in model.

use safelight::catalog::{ImageSize, ModelSource, SamplerKind};
use safelight::diffusion::{Branch, NoiseSource, Start};
use safelight::formats::latent_file::read_latent;
use safelight::latent::LatentShape;
use safelight::models::{Conditioning, PromptTokenizer};
use safelight::request::{CancelToken, DecodeChoice, Picture, PromptOptions, Seed};
use safelight::store::ModelFiles;

use super::common::fixtures::{Tensors, fixture, json, root, tensors, token_ids};
use super::common::model_folders::{
    builtin_latent, copied_model, copy_folder, fixture_model, loaded, model_in,
};
use super::common::sampling::Drawing;
use super::{NETWORK, both_outputs, close, guided_run, latent, prompts, worst_difference};

fn agrees_with_diffusers(name: &str) {
    let mut model = loaded(&fixture_model(name));
    let expected = tensors(&fixture(name).join("expected.safetensors"));
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
    let file = fixture(name).join("expected.latent");
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
    let folder = copied_model(name);
    let path = folder.path().join("unet/config.json");
    let mut config = json(&path);
    config[key] = value;
    std::fs::write(path, config.to_string()).unwrap();
    folder
}

#[test]
fn keys_of_the_unet_change_its_output_as_in_diffusers() {
    let expected = tensors(&fixture("unet_keys.safetensors"));
    let start = &tensors(&fixture("sd1/expected.safetensors"))["latent"];
    for (name, key, value) in [
        ("no_middle", "mid_block_type", serde_json::Value::Null),
        ("no_padding", "downsample_padding", 0.into()),
        ("shifted_frequencies", "freq_shift", 1.into()),
        ("sines_first", "flip_sin_to_cos", false.into()),
    ] {
        let folder = with_unet_key("sd1", key, value);
        let mut model = loaded(&model_in(&folder));
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

/// A folder saved by diffusers' inpainting pipeline.
#[test]
fn an_inpainting_model_draws_the_whole_picture_as_diffusers() {
    let mut model = loaded(&fixture_model("inpainting"));
    let expected = tensors(&fixture("inpainting/expected.safetensors"));
    let start = Start::Noise(LatentShape::new(4, 8, 8));
    let run = guided_run(&mut *model, ["a red fox in the snow", "night"], SamplerKind::Ddim, 5, 7, &start);
    close("inpainting", run.values(), &expected["ddim_latent"].1, 1e-3);
}

/// Two text encoders, pooled prompts and sizes; an empty negative prompt is zeros, and `""` would be another picture.
#[test]
fn an_sdxl_like_model_agrees_with_diffusers() {
    let mut model = loaded(&fixture_model("sdxl"));
    let profile = model.profile();
    assert_eq!((profile.family, profile.size_multiple), ("Stable Diffusion XL", 2));
    let expected = tensors(&fixture("sdxl/expected.safetensors"));
    let (prompt, cancel) = ("a red fox in the snow", CancelToken::new());
    let mut network = model.condition(&prompts(prompt, "night"), &cancel).unwrap();
    let noisy = latent(&expected["latent"]);
    let output = both_outputs(&mut *network, &noisy, 801.0);
    close("UNet, both text encoders and sizes", &output, &expected["unet"].1, NETWORK);
    let alone = network.predict(&noisy, 801.0, Branch::Conditional).unwrap();
    close("the prompt alone", alone.conditional.values(), &output[output.len() / 2..], 1e-5);
    drop(network);
    for (name, negative) in [("euler", "night"), ("none", "")] {
        let start = Start::Noise(LatentShape::new(4, 32, 32));
        let run = guided_run(&mut *model, [prompt, negative], SamplerKind::Euler, 5, 7, &start);
        close(name, run.values(), &expected[&format!("{name}_latent")].1, 1e-3);
        let picture = model.decode(&run, DecodeChoice::default(), &cancel).unwrap().picture;
        let worst = worst_difference(&picture, &expected[&format!("{name}_picture")].1);
        assert!(worst <= 2, "{name}: {worst}/255");
    }
}

#[test]
fn clip_skip_and_size_conditions_agree_with_diffusers() {
    let expected = tensors(&fixture("prompt_options.safetensors"));
    let (prompt, cancel) = ("a red fox in the snow", CancelToken::new());
    let mut model = loaded(&fixture_model("sd1"));
    let start = latent(&tensors(&fixture("sd1/expected.safetensors"))["latent"]);
    let skipping = |skip| PromptOptions { clip_skip: Some(skip), ..PromptOptions::default() };
    let mut outputs = |options| {
        let asked = Conditioning { options, ..prompts(prompt, "") };
        both_outputs(&mut *model.condition(&asked, &cancel).unwrap(), &start, 801.0)
    };
    close("sd1: CLIP skip 2", &outputs(skipping(2)), &expected["sd1_clip_skip_2"].1, NETWORK);
    assert!(outputs(skipping(1)) == outputs(PromptOptions::default()), "1 is the default");

    let mut model = loaded(&fixture_model("sdxl"));
    let mut run = |options| {
        let drawing = Drawing {
            prompt,
            negative_prompt: "night",
            options,
            sampler: SamplerKind::Euler,
            steps: 3,
            seed: 7,
            start: Start::Noise(LatentShape::new(4, 32, 32)),
            ..Drawing::default()
        };
        drawing.run(&mut *model).unwrap()
    };
    let found = run(skipping(3));
    close("sdxl: CLIP skip 3", found.values(), &expected["sdxl_clip_skip_3"].1, 1e-3);
    let sizes = PromptOptions {
        original_size: Some(ImageSize::new(80, 96)),
        // Left and top here, top and left there.
        crop: [4, 8],
        target_size: Some(ImageSize::new(72, 48)),
        ..PromptOptions::default()
    };
    close("sdxl: sizes", run(sizes).values(), &expected["sdxl_sizes"].1, 1e-3);
    assert!(run(skipping(2)) == run(PromptOptions::default()), "the penultimate layer is the default");
}

/// A UNet of four levels halves odd edges, and must upsample each map to the size of its skip connection.
#[test]
fn latents_of_odd_sizes_agree_with_diffusers_at_every_level() {
    let folder = copied_model("sd1");
    std::fs::remove_dir_all(folder.path().join("unet")).unwrap();
    copy_folder(&fixture("deep/unet"), &folder.path().join("unet"));
    let mut model = loaded(&model_in(&folder));
    let profile = model.profile();
    assert_eq!((profile.size_multiple, profile.defaults.size), (2, ImageSize::new(26, 22)));
    let expected = tensors(&fixture("deep/expected.safetensors"));
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

#[test]
fn token_ids_are_transformers() {
    for name in ["sd1", "sd2"] {
        let tokenizer =
            PromptTokenizer::open(&ModelFiles::open(&fixture_model(name)).unwrap(), "tokenizer").unwrap();
        let expected = json(&fixture(name).join("expected.json"));
        for (text, ids) in expected["ids"].as_object().unwrap() {
            assert_eq!(tokenizer.ids(text).unwrap(), token_ids(ids), "{text}");
        }
    }
}

#[test]
fn long_weighted_and_empty_prompts_work() {
    let mut model = loaded(&fixture_model("sd1"));
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
    assert!(says(ModelSource::Folder("/nowhere".into())).contains("there is no folder or file"));
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

/// The results of diffusers for the built-in model, recorded by its recipe.
fn builtin_record() -> Tensors {
    tensors(&root().join("assets/builtin-model/parity.safetensors"))
}

/// The network caches what it computes from the prompts, and must not mix the branches.
#[test]
fn every_call_sees_the_prompts_of_its_branch() {
    let mut model = loaded(&ModelSource::Builtin);
    let noisy = NoiseSource::new(Seed(0)).latent(builtin_latent());
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
    let mut model = loaded(&ModelSource::Builtin);
    let expected = builtin_record();
    let facts = json(&root().join("assets/builtin-model/parity.json"));
    let prompt = facts["prompt"].as_str().unwrap();
    let noise = NoiseSource::new(Seed(0)).normal(expected["noise"].1.len());
    close("noise", &noise, &expected["noise"].1, 1e-6);
    let cancel = CancelToken::new();
    let start = &expected["noise"];
    let output =
        both_outputs(&mut *model.condition(&prompts(prompt, ""), &cancel).unwrap(), &latent(start), 999.0);
    close("built-in UNet", &output, &expected["unet_output"].1, NETWORK);
    let shape = builtin_latent();
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
    let captions = json(&root().join("assets/builtin-model/captions.json"));
    let rows = captions.as_array().unwrap();
    assert_eq!(rows.len(), 500);
    for row in rows {
        let ids = token_ids(&row["ids"]);
        assert_eq!(tokenizer.ids(row["text"].as_str().unwrap()).unwrap(), ids, "{}", row["text"]);
    }
}

#[test]
fn night_is_darker_than_noon() {
    let mut model = loaded(&ModelSource::Builtin);
    let mut light = |prompt: &str| {
        let start = Start::Noise(builtin_latent());
        let run = guided_run(&mut *model, [prompt, ""], SamplerKind::Ddim, 10, 3, &start);
        let picture = model.decode(&run, DecodeChoice::default(), &CancelToken::new()).unwrap().picture;
        picture.rgb().iter().map(|v| f64::from(*v)).sum::<f64>() / picture.rgb().len() as f64
    };
    let (night, noon) = (light("green hills at night, stars"), light("green hills at noon, clear sky"));
    assert!(night + 40.0 < noon, "night {night:.0}, noon {noon:.0}");
}
